from pathlib import Path

import pytest
import torch
from torch import Tensor

from firstlight.augment import Augment, DeleteTokens, InsertTokens, ReplaceSynonyms, ReplaceTokens, SwapTokens
from firstlight.augment.token_steps import TokenStep
from firstlight.data import Text
from firstlight.spec import DataSpec

pytestmark = pytest.mark.usefixtures("the_same_draws")

WORDS = ("a", "big", "large", "huge", "dog", "hound", "runs", "sleeps")
STEPS = [ReplaceTokens, InsertTokens, DeleteTokens, SwapTokens]


def changed(step: TokenStep, windows: Tensor, vocabulary: tuple[str, ...] = WORDS) -> Tensor:
    step.learn(vocabulary)
    before = windows.clone()
    found = step.change(windows)
    assert torch.equal(windows, before)
    assert (found.shape, found.dtype) == (windows.shape, torch.int64)
    assert 0 <= found.min() <= found.max() < len(vocabulary)
    return found


def numbered(num_samples: int, length: int) -> Tensor:
    """Windows in which each token is another one, and the vocabulary has twice as many."""
    return torch.arange(length).expand(num_samples, -1).contiguous()


def names(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


@pytest.fixture
def thesaurus(tmp_path: Path) -> str:
    path = tmp_path / "thesaurus.txt"
    path.write_text("big, large,huge\n\ndog hound unknown\nlarge unknown\nruns\n")
    return str(path)


def test_a_share_of_the_tokens_is_replaced_by_any_of_the_vocabulary() -> None:
    windows = torch.zeros(200, 100, dtype=torch.int64)
    found = changed(ReplaceTokens(rate=0.2), windows)
    counts = found.flatten().bincount(minlength=len(WORDS)) / 20_000
    torch.testing.assert_close(counts[1:], torch.full((7,), 0.2 / 8), atol=0.005, rtol=0)


def test_synonyms_come_from_the_lines_of_the_file_alone(thesaurus: str) -> None:
    windows = torch.arange(len(WORDS)).repeat(2000, 1)
    found = changed(ReplaceSynonyms(file=thesaurus, rate=1), windows)
    becomes = [{WORDS[token] for token in column.unique()} for column in found.T]
    big, large, huge, dog, hound = {"big"}, {"large"}, {"huge"}, {"dog"}, {"hound"}
    assert becomes == [{"a"}, large | huge, big | huge, big | large, hound, dog, {"runs"}, {"sleeps"}]
    assert (found[:, 1] == WORDS.index("huge")).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_a_synonym_has_the_space_before_it_that_the_word_has(thesaurus: str) -> None:
    vocabulary = (" big", "big", " large", "large", " dog", " hound", "hound")
    windows = torch.arange(len(vocabulary)).repeat(200, 1)
    found = changed(ReplaceSynonyms(file=thesaurus, rate=1), windows, vocabulary)
    assert [vocabulary[token] for token in found[0]] == [" large", "large", " big", "big", " hound", " dog", "hound"]
    assert (found == found[0]).all()


def test_most_words_of_a_text_find_their_synonyms(thesaurus: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("big news of a big dog and a large hound\n" * 50)
    store = Text(str(tmp_path), file="text.txt", unit="words", length=10).store()
    step = ReplaceSynonyms(file=thesaurus)
    step.learn(store.spec.labels)
    assert {store.spec.labels[token] for token in (step.table[:, 0] != torch.arange(len(step.table))).nonzero()} == {
        " big",
        " large",
        " dog",
        " hound",
    }


def test_a_share_of_the_tokens_with_synonyms_is_replaced(thesaurus: str) -> None:
    windows = torch.full((200, 100), WORDS.index("dog"))
    found = changed(ReplaceSynonyms(file=thesaurus, rate=0.3), windows)
    assert (found == WORDS.index("hound")).float().mean().item() == pytest.approx(0.3, abs=0.015)


def test_inserted_tokens_push_the_others_on_in_their_order() -> None:
    windows = numbered(500, 40)
    found = changed(InsertTokens(rate=0.25), windows, names(1_000_000))
    num_inserted = 0
    for window in found:
        is_own = window < 40  # one of a million is as good as never one of the first forty
        own = window[is_own]
        assert torch.equal(own, torch.arange(len(own)))
        num_inserted += int((~is_own).sum())
    # One before each fourth token: of five, one is new.
    assert num_inserted / found.numel() == pytest.approx(0.2, abs=0.015)


def test_an_inserted_token_is_any_of_the_vocabulary() -> None:
    found = changed(InsertTokens(rate=1), torch.zeros(2000, 10, dtype=torch.int64))[:, ::2]
    counts = found.flatten().bincount(minlength=len(WORDS)) / found.numel()
    torch.testing.assert_close(counts, torch.full((8,), 1 / 8), atol=0.02, rtol=0)


def test_deleted_tokens_leave_the_others_in_their_order() -> None:
    found = changed(DeleteTokens(rate=0.25), numbered(500, 40), names(40))
    num_kept = 0
    for window in found:
        kept = window.unique()
        num_kept += len(kept) - 1
        assert window[len(kept) - 1] == 39
        assert torch.equal(window[: len(kept)], kept)
        assert (window[len(kept) :] == 39).all()
    assert num_kept / (500 * 39) == pytest.approx(0.75, abs=0.015)


def test_swapped_tokens_are_neighbours_and_none_is_lost() -> None:
    found = changed(SwapTokens(rate=0.5), numbered(500, 40), names(40))
    assert torch.equal(found.sort(1).values, numbered(500, 40))
    moves = found - torch.arange(40)
    assert moves.abs().max() == 1
    right = moves == 1
    assert torch.equal(right.roll(1, 1), moves == -1)  # each that came from the right is followed by its neighbour


@pytest.mark.parametrize(("rate", "share"), [(0.02, 0.02), (1.0, 0.5)])
def test_a_share_of_the_tokens_changes_places_with_the_next(rate: float, share: float) -> None:
    found = changed(SwapTokens(rate=rate), numbered(500, 40), names(40))
    assert (found == torch.arange(40) + 1).float().mean().item() == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize("step", STEPS)
def test_a_share_p_of_the_windows_is_changed(step: type[ReplaceTokens]) -> None:
    windows = numbered(4000, 30)
    found = changed(step(rate=0.5, p=0.3), windows, names(1000))
    assert (found != windows).any(1).float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert torch.equal(changed(step(rate=0.5, p=0), windows, names(1000)), windows)
    assert torch.equal(changed(step(rate=0), windows, names(1000)), windows)


@pytest.mark.parametrize("step", STEPS)
def test_every_window_is_changed_in_another_way(step: type[ReplaceTokens]) -> None:
    found = changed(step(rate=0.3), numbered(100, 40), names(40))
    assert len(found.unique(dim=0)) == 100


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("length", [1, 2])
def test_the_shortest_windows_keep_their_length(step: type[ReplaceTokens], length: int) -> None:
    changed(step(rate=1), numbered(5, length), names(10))


def language(length: int) -> DataSpec:
    return DataSpec((length,), 1000, names(1000), (), ())


@pytest.mark.parametrize("step", STEPS)
def test_the_targets_stay_the_tokens_that_follow(step: type[ReplaceTokens]) -> None:
    text = torch.arange(8 * 21, dtype=torch.int32).reshape(8, 21)
    inputs, targets = Augment(language(20), step=step(rate=0.3))(text[:, :-1], text[:, 1:])
    assert torch.equal(inputs[:, 1:], targets[:, :-1])
    assert (inputs.dtype, inputs.shape, targets.shape) == (torch.int64, (8, 20), (8, 20))
    assert (inputs != text[:, :-1]).any()


def test_without_steps_tokens_come_out_as_they_are() -> None:
    text = torch.arange(8 * 21, dtype=torch.int32).reshape(8, 21)
    inputs, targets = Augment(language(20))(text[:, :-1], text[:, 1:])
    assert torch.equal(inputs, text[:, :-1].long())
    assert torch.equal(targets, text[:, 1:])


def test_steps_follow_each_other_as_they_are_named() -> None:
    text = torch.zeros(50, 21, dtype=torch.int32)
    text[:, 10] = 1
    swap, delete = SwapTokens(rate=1), DeleteTokens(rate=0)
    inputs, _ = Augment(language(20), first=swap, second=delete, third=swap)(text[:, :-1], text[:, 1:])
    assert torch.equal(inputs, text[:, :-1].long())  # swapped and swapped back


def test_a_thesaurus_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"file=.*nothing\.txt: there is no such file"):
        ReplaceSynonyms(file=str(tmp_path / "nothing.txt"))


def test_a_thesaurus_that_is_not_utf_8_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("für wegen".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.txt, byte 1: 0xfc is not UTF-8"):
        Augment(language(20), replace_synonyms=ReplaceSynonyms(file=str(tmp_path / "latin.txt")))


def test_a_thesaurus_without_a_word_of_the_text_is_refused(thesaurus: str) -> None:
    with pytest.raises(ValueError, match="no line has two words that occur in the text"):
        Augment(language(20), replace_synonyms=ReplaceSynonyms(file=thesaurus))


@pytest.mark.parametrize("step", STEPS)
def test_wrong_values_are_refused_by_their_names(step: type[ReplaceTokens]) -> None:
    with pytest.raises(ValueError, match=r"rate=1\.5: must be at least 0 and at most 1"):
        step(rate=1.5)
    with pytest.raises(ValueError, match=r"p=-0\.5: must be at least 0 and at most 1"):
        step(p=-0.5)
