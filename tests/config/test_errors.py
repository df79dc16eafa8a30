import pytest
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from firstlight.config.compose import compose
from firstlight.config.errors import MAX_LINES, conflict_with_resume, explain


def message_for(*overrides: str, config_name: str = "train") -> str:
    """Return the message for a mistake on the command line."""
    first_job = [override.split(",")[0] for override in overrides[1:]] if overrides[:1] == ("-m",) else overrides
    with pytest.raises((HydraException, OmegaConfBaseException)) as caught:
        compose(*first_job, config_name=config_name)
    return explain(caught.value, overrides, config_name)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=lenett"], "model=lenett: unknown model, did you mean 'lenet'?"),
        (["trainer=xyz"], "trainer=xyz: unknown trainer; known: default, full_batch."),
        (["modle=mlp"], "modle: unknown key, did you mean 'model'?"),
        (["data=text", "task.binary=true"], "task.binary: must be used with task=classification."),
        (["sede=3"], "sede: unknown key, did you mean 'seed'?"),
        (["lr=1"], "lr: unknown key, did you mean 'optimizer.lr'?"),
        (["optimizer.lerning_rate=1"], "optimizer.lerning_rate: unknown key, did you mean 'optimizer.lr'?"),
        (["optimzer.lr=1"], "optimzer: unknown key, did you mean 'optimizer'?"),
        (
            ["model=mlp", "model.hiden_sizes=[3]"],
            "model.hiden_sizes: unknown key, did you mean 'model.hidden_sizes'?",
        ),
        (
            ["-m", "model=mlp,linear", "model.hiden_sizes=[3]"],
            "model.hiden_sizes: unknown key, did you mean 'model.hidden_sizes'?",
        ),
        (["augment.rotat.degrees=9"], "augment.rotat: unknown key, did you mean 'augment.rotate'?"),
        (["augment=flip_crop", "augment.flip.pp=1"], "augment.flip.pp: unknown key, did you mean 'augment.flip.p'?"),
        (["augment.pading=zero"], "augment.pading: unknown key, did you mean 'augment.padding'?"),
    ],
)
def test_a_misspelled_word_gets_a_suggestion(words: list[str], message: str) -> None:
    assert message_for(*words) == message


def test_a_key_without_a_similar_one_gets_the_keys_beside_it() -> None:
    message = message_for("foo.bar=1")
    assert message.startswith("foo: unknown key; known: augment, averaging, channels_last, compile, data, ")
    assert "." not in message.partition("known: ")[2].removesuffix(".")


@pytest.mark.parametrize(
    ("word", "key", "fix"),
    [
        ("trainer.min_epochs=3", "trainer.min_epochs", "+trainer.min_epochs=..."),
        ("augment.rotate.degrees=9", "augment.rotate", "+augment.rotate.degrees=..."),
        ("augment.flip.p=0.5", "augment.flip", "+augment.flip.p=..."),
        ("task.metrics.f1={_target_: torchmetrics.F1Score}", "task.metrics.f1", "+task.metrics.f1=..."),
    ],
)
def test_an_argument_that_no_yaml_file_contains_needs_a_plus(word: str, key: str, fix: str) -> None:
    message = message_for(word)
    assert message == f"{key}: must have a plus before it, because no YAML file contains it. To fix: {fix}"


def test_an_option_that_the_steps_of_the_yaml_file_do_not_have_needs_a_plus() -> None:
    assert message_for("augment=light", "augment.rotate.p=0.5").endswith("To fix: +augment.rotate.p=...")


@pytest.mark.parametrize("other", ["augment.flip.p=1", "modle=mlp"])
def test_resume_permits_no_other_word_than_the_folder_of_the_data(other: str) -> None:
    words = ["resume=outputs/run", "data.dir=data", "hydra.verbose=true", other]
    message = f"{other}: must be left out, because resume= continues a run with its own config."
    assert message_for(*words).startswith(message)
    assert str(conflict_with_resume(words)).startswith(message)
    assert conflict_with_resume(words[:-1]) is None
    assert conflict_with_resume([other]) is None


def test_a_value_that_hydra_cannot_read_is_shown_with_quotes() -> None:
    assert message_for("data.dir=tom's (1),é").endswith("""for the shell: 'data.dir="tom'"'"'s (1),é"'""")


def test_a_key_that_hydra_cannot_read_gets_the_message_of_hydra() -> None:
    assert "é=3" in message_for("é=3")


@pytest.mark.parametrize(
    ("config_name", "word", "suggestion"),
    [
        ("evaluate", "splt=val", "split"),
        ("predict", "imput=a", "input"),
        ("sample", "lenght=3", "length"),
        ("preview", "preview.sampels=3", "preview.samples"),
    ],
)
def test_a_misspelled_key_of_another_command_gets_a_suggestion(config_name: str, word: str, suggestion: str) -> None:
    message = message_for(word, config_name=config_name)
    assert message == f"{word.partition('=')[0]}: unknown key, did you mean '{suggestion}'?"


def test_a_missing_value_is_reported_by_its_key() -> None:
    assert message_for(config_name="evaluate") == "run: must be set, as in run=... (--help shows examples)."


def test_the_message_depends_on_the_arguments_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["evaluate.py", "resume=somewhere", "seed=3"])
    words = ("model=mlp", "model.hiden_sizes=[3]")
    assert message_for(*words) == "model.hiden_sizes: unknown key, did you mean 'model.hidden_sizes'?"
    with pytest.raises(HydraException) as caught:
        compose(*words)
    assert "hidden_sizes" not in explain(caught.value)  # the words are unknown here, so the model is the default one


def failure(message: str) -> RuntimeError:
    """Return an error that has been raised."""
    try:
        raise RuntimeError(message)
    except RuntimeError as error:
        return error


def test_a_value_error_is_shown_by_its_message_alone() -> None:
    assert explain(ValueError("data.batch_size=0: must be above 0.")) == "data.batch_size=0: must be above 0."
    assert "ValueError" in explain(ValueError())


@pytest.mark.parametrize("number_of_lines", [1, 30])
def test_an_unexpected_error_is_shown_with_its_place_and_with_the_way_to_the_traceback(number_of_lines: int) -> None:
    lines = explain(failure("\n".join(f"line {number}" for number in range(number_of_lines)))).splitlines()
    assert lines[0].startswith(f"RuntimeError ({__file__}:")
    assert lines[0].endswith("): line 0")
    assert lines[-1] == "HYDRA_FULL_ERROR=1 shows the whole traceback."
    assert len(lines) <= MAX_LINES


def test_a_message_has_at_most_ten_lines() -> None:
    assert len(explain(ValueError("line\n" * 30)).splitlines()) == MAX_LINES == 10
