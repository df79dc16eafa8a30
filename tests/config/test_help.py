import pytest

from firstlight.config.compose import CONFIG_DIR
from firstlight.config.help import help_text


@pytest.mark.parametrize("name", ["train", "evaluate", "predict", "preview", "sample"])
def test_every_placeholder_is_filled_in(name: str) -> None:
    assert "$" not in help_text(name)
    assert f"{name}.py" in help_text(name)


@pytest.mark.parametrize("name", ["train", "preview"])
def test_help_to_train_names_every_option_of_every_group(name: str) -> None:
    words = help_text(name).replace(",", " ").split()
    options = [path for path in CONFIG_DIR.glob("*/[!_]*.yaml") if path.parent.name != "hydra"]
    assert len(options) > 15
    for path in options:
        assert path.stem in words
        assert path.parent.name in words


@pytest.mark.parametrize(
    ("name", "keys"),
    [("evaluate", ["run: ???", "split: test"]), ("predict", ["input: ???"]), ("sample", ["temperature: 0.8"])],
)
def test_help_to_a_finished_run_shows_the_keys(name: str, keys: list[str]) -> None:
    assert all(key in help_text(name) for key in keys)
    assert "hydra:" not in help_text(name)
