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


def apply_step(step: TokenStep, windows: Tensor, vocabulary: tuple[str, ...] = WORDS) -> Tensor:
    step.learn(vocabulary)
    before = windows.clone()
    found = step.change(windows)
    assert torch.equal(windows, before)
    assert (found.shape, found.dtype) == (windows.shape, torch.int64)
    assert 0 <= found.min() <= found.max() < len(vocabulary)
    return found


def ascending_windows(num_samples: int, length: int) -> Tensor:
    """Windows of the tokens 0, 1, 2 …, each of which occurs once."""
    return torch.arange(length).expand(num_samples, -1).contiguous()


def names(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


@pytest.fixture
def thesaurus(tmp_path: Path) -> str:
    path = tmp_path / "thesaurus.txt"
    path.write_text("big, large,huge\n\ndog hound unknown\nlarge unknown\nruns\n")
    return str(path)


def test_selected_tokens_are_replaced_by_uniform_tokens_of_the_vocabulary() -> None:
    windows = torch.zeros(200, 100, dtype=torch.int64)
    found = apply_step(ReplaceTokens(rate=0.2), windows)
    counts = found.flatten().bincount(minlength=len(WORDS)) / 20_000
    torch.testing.assert_close(counts[1:], torch.full((7,), 0.2 / 8), atol=0.005, rtol=0)


def test_synonyms_come_from_the_same_line_of_the_file(thesaurus: str) -> None:
    windows = torch.arange(len(WORDS)).repeat(2000, 1)
    found = apply_step(ReplaceSynonyms(file=thesaurus, rate=1), windows)
    replacements = [{WORDS[token] for token in column.unique()} for column in found.T]
    big, large, huge, dog, hound = {"big"}, {"large"}, {"huge"}, {"dog"}, {"hound"}
    assert replacements == [{"a"}, large | huge, big | huge, big | large, hound, dog, {"runs"}, {"sleeps"}]
    assert (found[:, 1] == WORDS.index("huge")).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_a_synonym_has_a_space_before_it_if_the_word_has_one(thesaurus: str) -> None:
    vocabulary = (" big", "big", " large", "large", " dog", " hound", "hound")
    windows = torch.arange(len(vocabulary)).repeat(200, 1)
    found = apply_step(ReplaceSynonyms(file=thesaurus, rate=1), windows, vocabulary)
    assert [vocabulary[token] for token in found[0]] == [" large", "large", " big", "big", " hound", " dog", "hound"]
    assert (found == found[0]).all()


def test_the_words_of_a_text_file_have_synonyms(thesaurus: str, tmp_path: Path) -> None:
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


def test_a_fraction_of_the_tokens_with_synonyms_is_replaced(thesaurus: str) -> None:
    windows = torch.full((200, 100), WORDS.index("dog"))
    found = apply_step(ReplaceSynonyms(file=thesaurus, rate=0.3), windows)
    assert (found == WORDS.index("hound")).float().mean().item() == pytest.approx(0.3, abs=0.015)


def test_inserted_tokens_keep_the_order_of_the_others() -> None:
    windows = ascending_windows(500, 40)
    found = apply_step(InsertTokens(rate=0.25), windows, names(1_000_000))
    num_inserted = 0
    for window in found:
        is_own = window < 40  # random tokens of a million are practically never below 40
        own = window[is_own]
        assert torch.equal(own, torch.arange(len(own)))
        num_inserted += int((~is_own).sum())
    # One insertion per four tokens, so that a fifth of the tokens is new.
    assert num_inserted / found.numel() == pytest.approx(0.2, abs=0.015)


def test_inserted_tokens_are_uniform() -> None:
    found = apply_step(InsertTokens(rate=1), torch.zeros(2000, 10, dtype=torch.int64))[:, ::2]
    counts = found.flatten().bincount(minlength=len(WORDS)) / found.numel()
    torch.testing.assert_close(counts, torch.full((8,), 1 / 8), atol=0.02, rtol=0)


def test_deleting_tokens_keeps_the_order_of_the_others() -> None:
    found = apply_step(DeleteTokens(rate=0.25), ascending_windows(500, 40), names(40))
    num_kept = 0
    for window in found:
        kept = window.unique()
        num_kept += len(kept) - 1
        assert window[len(kept) - 1] == 39
        assert torch.equal(window[: len(kept)], kept)
        assert (window[len(kept) :] == 39).all()
    assert num_kept / (500 * 39) == pytest.approx(0.75, abs=0.015)


def test_swapping_exchanges_neighbours_and_loses_no_token() -> None:
    found = apply_step(SwapTokens(rate=0.5), ascending_windows(500, 40), names(40))
    assert torch.equal(found.sort(1).values, ascending_windows(500, 40))
    moves = found - torch.arange(40)
    assert moves.abs().max() == 1
    right = moves == 1
    assert torch.equal(right.roll(1, 1), moves == -1)  # a token that moved to the left is followed by its neighbour


@pytest.mark.parametrize(("rate", "fraction"), [(0.02, 0.02), (1.0, 0.5)])
def test_a_fraction_of_the_tokens_is_swapped_with_the_next(rate: float, fraction: float) -> None:
    found = apply_step(SwapTokens(rate=rate), ascending_windows(500, 40), names(40))
    assert (found == torch.arange(40) + 1).float().mean().item() == pytest.approx(fraction, abs=0.005)


@pytest.mark.parametrize("step", STEPS)
def test_a_fraction_p_of_the_windows_is_changed(step: type[ReplaceTokens]) -> None:
    windows = ascending_windows(4000, 30)
    found = apply_step(step(rate=0.5, p=0.3), windows, names(1000))
    assert (found != windows).any(1).float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert torch.equal(apply_step(step(rate=0.5, p=0), windows, names(1000)), windows)
    assert torch.equal(apply_step(step(rate=0), windows, names(1000)), windows)


@pytest.mark.parametrize("step", STEPS)
def test_every_window_has_its_own_random_numbers(step: type[ReplaceTokens]) -> None:
    found = apply_step(step(rate=0.3), ascending_windows(100, 40), names(40))
    assert len(found.unique(dim=0)) == 100


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("length", [1, 2])
def test_the_shortest_windows_keep_their_length(step: type[ReplaceTokens], length: int) -> None:
    apply_step(step(rate=1), ascending_windows(5, length), names(10))


def language(length: int) -> DataSpec:
    return DataSpec((length,), 1000, names(1000), (), ())


@pytest.mark.parametrize("step", STEPS)
def test_the_targets_are_still_the_next_tokens(step: type[ReplaceTokens]) -> None:
    text = torch.arange(8 * 21, dtype=torch.int32).reshape(8, 21)
    inputs, targets = Augment(language(20), step=step(rate=0.3))(text[:, :-1], text[:, 1:])
    assert torch.equal(inputs[:, 1:], targets[:, :-1])
    assert (inputs.dtype, inputs.shape, targets.shape) == (torch.int64, (8, 20), (8, 20))
    assert (inputs != text[:, :-1]).any()


def test_without_steps_tokens_are_unchanged() -> None:
    text = torch.arange(8 * 21, dtype=torch.int32).reshape(8, 21)
    inputs, targets = Augment(language(20))(text[:, :-1], text[:, 1:])
    assert torch.equal(inputs, text[:, :-1].long())
    assert torch.equal(targets, text[:, 1:])


def test_steps_are_applied_in_the_order_of_the_arguments() -> None:
    text = torch.zeros(50, 21, dtype=torch.int32)
    text[:, 10] = 1
    swap, delete = SwapTokens(rate=1), DeleteTokens(rate=0)
    inputs, _ = Augment(language(20), first=swap, second=delete, third=swap)(text[:, :-1], text[:, 1:])
    assert torch.equal(inputs, text[:, :-1].long())  # swapped and swapped back


def test_a_missing_thesaurus_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"file=.*nothing\.txt: must be an existing file"):
        ReplaceSynonyms(file=str(tmp_path / "nothing.txt"))


def test_a_damaged_thesaurus_raises_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("für wegen".encode("latin-1") + " über".encode())
    with pytest.raises(ValueError, match=r"latin\.txt.*byte 1 .*UTF-8"):
        Augment(language(20), replace_synonyms=ReplaceSynonyms(file=str(tmp_path / "latin.txt")))


def test_a_thesaurus_without_words_of_the_text_raises_an_error(thesaurus: str) -> None:
    with pytest.raises(ValueError, match="must have a line with two words that occur in the text"):
        Augment(language(20), replace_synonyms=ReplaceSynonyms(file=thesaurus))


@pytest.mark.parametrize("step", STEPS)
def test_invalid_options_raise_an_error_with_their_names(step: type[ReplaceTokens]) -> None:
    with pytest.raises(ValueError, match=r"rate=1\.5: must be at least 0 and at most 1"):
        step(rate=1.5)
    with pytest.raises(ValueError, match=r"p=-0\.5: must be at least 0 and at most 1"):
        step(p=-0.5)
