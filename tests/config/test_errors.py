import sys
from collections.abc import Callable

import pytest
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from firstlight.config.compose import compose
from firstlight.config.errors import MAX_LINES, explain

Told = Callable[..., str]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What the user of a command line reads of its mistake."""

    def run(*words: str, config_name: str = "train") -> str:
        monkeypatch.setattr(sys, "argv", [f"{config_name}.py", *words])
        first_job = [word.split(",")[0] for word in words if word != "-m"]
        with pytest.raises((HydraException, OmegaConfBaseException)) as caught:
            compose(*first_job, config_name=config_name)
        return explain(caught.value, config_name)

    return run


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["model=lenett"], "model=lenett: unknown model, did you mean 'lenet'?"),
        (["trainer=xyz"], "trainer=xyz: unknown trainer; known: default, full_batch."),
        (["modle=mlp"], "modle: unknown key, did you mean 'model'?"),
        (["data=text", "task.binary=true"], "There is no 'task.binary' in the config. This task has no options."),
        (["sede=3"], "sede: unknown key, did you mean 'seed'?"),
        (["lr=1"], "lr: unknown key, did you mean 'optimizer.lr'?"),
        (
            ["optimizer.lerning_rate=1"],
            "optimizer.lerning_rate: unknown key, did you mean 'optimizer.lr'?",
        ),
        (["optimzer.lr=1"], "optimzer: unknown key, did you mean 'optimizer'?"),
        (
            ["model=mlp", "model.hiden_sizes=[3]"],
            "model.hiden_sizes: unknown key, did you mean 'model.hidden_sizes'?",
        ),
    ],
)
def test_a_misspelled_word_is_told_with_the_nearest(told: Told, words: list[str], answer: str) -> None:
    assert told(*words) == answer


def test_an_argument_that_no_yaml_names_is_told_with_a_plus(told: Told) -> None:
    assert told("trainer.min_epochs=3").endswith("+trainer.min_epochs=...")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["augment.rotate.degrees=9"], "put a plus before it: +augment.rotate.degrees=..."),
        (["augment=light", "augment.rotate.p=0.5"], "put a plus before it: +augment.rotate.p=..."),
        (["augment.flip.p=0.5"], "put a plus before it: +augment.flip.p=..."),
        (["augment.rotat.degrees=9"], "did you mean 'augment.rotate'?"),
        (["augment=flip_crop", "augment.flip.pp=0.5"], "did you mean 'augment.flip.p'?"),
        (["augment.pading=zero"], "did you mean 'augment.padding'?"),
    ],
)
def test_a_step_of_the_augmentation_is_told_like_any_other_key(told: Told, words: list[str], answer: str) -> None:
    assert told(*words).endswith(answer)


@pytest.mark.parametrize("other", ["augment.flip.p=1", "modle=mlp"])
def test_a_word_beside_resume_is_told_with_what_is_taken(told: Told, other: str) -> None:
    answer = told("resume=outputs/run", "data.dir=data", other)
    assert answer.startswith(f"resume= goes on with the run's own config: {other} needs a new run.")
    assert answer.endswith("only data.dir= is taken, where the files have moved.")


def test_a_value_that_hydra_cannot_read_is_told_with_its_quotes() -> None:
    with pytest.raises(HydraException) as caught:
        compose("data.dir=tom's (1),é")
    assert explain(caught.value).endswith("""for the shell: 'data.dir="tom'"'"'s (1),é"'""")


def test_a_key_that_hydra_cannot_read_is_told_in_its_words(told: Told) -> None:
    assert "é=3" in told("é=3")


def test_a_misspelled_key_of_a_sweep_is_told_with_the_nearest(told: Told) -> None:
    assert "did you mean 'optimizer.lr'?" in told("-m", "model=linear,mlp", "optimizer.lerning_rate=1")


@pytest.mark.parametrize(
    ("config_name", "word", "meant"), [("evaluate", "splt=val", "split"), ("predict", "imput=a", "input")]
)
def test_a_misspelled_key_of_the_other_scripts_is_told_with_the_nearest(
    told: Told, config_name: str, word: str, meant: str
) -> None:
    assert f"did you mean '{meant}'?" in told("run=somewhere", word, config_name=config_name)


def test_a_missing_value_is_told_by_its_key(told: Told) -> None:
    assert told(config_name="evaluate").startswith("run is missing. Give it as run=...")


def test_of_a_mistake_of_the_user_only_the_words_are_told() -> None:
    assert explain(ValueError("data.batch_size=0: too few.")) == "data.batch_size=0: too few."


def test_an_error_without_words_is_told_by_its_type() -> None:
    assert "ValueError" in explain(ValueError())


def failure(message: str) -> RuntimeError:
    try:
        raise RuntimeError(message)
    except RuntimeError as error:
        return error


def test_an_unexpected_error_is_told_with_its_place_and_the_way_to_its_traceback() -> None:
    first, second = explain(failure("shapes differ")).splitlines()
    assert first.startswith(f"RuntimeError ({__file__}:")
    assert first.endswith("): shapes differ")
    assert second == "HYDRA_FULL_ERROR=1 shows the whole traceback."


def test_a_long_unexpected_error_still_tells_the_way_to_its_traceback() -> None:
    lines = explain(failure("\n".join(map(str, range(30))))).splitlines()
    assert lines[0].endswith("): 0")
    assert lines[-1] == "HYDRA_FULL_ERROR=1 shows the whole traceback."
    assert len(lines) <= MAX_LINES


def test_at_most_ten_lines_are_told() -> None:
    assert len(explain(ValueError("line\n" * 30)).splitlines()) == MAX_LINES == 10
