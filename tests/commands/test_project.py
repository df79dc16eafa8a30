"""Commands in the folder of a project, in one process: a run that is trained there."""

import csv
import json
import sys
from pathlib import Path

import pytest

import firstlight as fl
from firstlight.commands.jobs import _overrides_first
from firstlight.commands.train import main
from firstlight.config.compose import compose
from firstlight.runs import RunFolder
from helpers.projects import enter_project

TAGS = ["tags=[baseline,two words]", 'notes="Lower lr, as in (1): \\"wide\\""']


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of a project, and a run that was trained in it. No test changes them."""
    with pytest.MonkeyPatch.context() as patch:
        project = enter_project(tmp_path_factory.mktemp("projects") / "stripy", patch)
        words = ["trainer.max_epochs=1", "trainer.accelerator=cpu", "data.dir=data", *TAGS]
        return project, fl.train(compose(*words)).path


def test_a_run_evaluates_and_predicts_in_the_folder_of_its_project(
    made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, run = made
    monkeypatch.chdir(project)
    assert run.parent == project / "outputs" / "stripes-two_layers"
    recorded = json.loads((run / "metrics.json").read_text())
    assert fl.load_run(run).evaluate()["test/accuracy"] == pytest.approx(recorded["test/accuracy"])
    assert type(fl.load_run(run).network).__module__ == "stripy.network"


def test_elsewhere_the_message_names_the_folder_of_the_project(
    made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, run = made
    monkeypatch.chdir(tmp_path)
    for trust, start in ((False, "must be a subclass of"), (True, "the module 'stripy' must be installed")):
        with pytest.raises(ValueError, match=start) as caught:
            RunFolder.open(run).config(trust)
        assert str(caught.value).endswith(f"\nTo fix: run this command in the folder of the run's project, {project}")


def test_a_project_that_has_moved_keeps_its_runs(
    made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = enter_project(tmp_path / "moved" / "stripy", monkeypatch)
    config = RunFolder.open(made[1]).config()
    assert config.project == str(made[0])
    assert config.with_absolute_paths().project == str(moved)


def test_tags_and_notes_are_kept_with_the_run(made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    project, run = made
    monkeypatch.chdir(project)
    config = RunFolder.open(run).config()
    assert (config.tags, config.notes) == (["baseline", "two words"], 'Lower lr, as in (1): "wide"')
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["tags"], metrics["notes"]) == ("baseline, two words", config.notes)


def test_tags_may_be_one_word_and_are_no_numbers() -> None:
    assert fl.RunConfig.from_overrides("tags=baseline").tags == ["baseline"]
    assert fl.RunConfig.from_overrides().annotations == {}
    with pytest.raises(ValueError, match=r"^tags=\[1\]: must be a list of texts or text\.$"):
        fl.RunConfig.from_overrides("tags=[1]")
    assert fl.RunConfig.from_overrides('notes=a, "b" = (c) d\'s').notes == 'a, "b" = (c) d\'s'
    with pytest.raises(ValueError, match=r"^notes: must have at most 10,000 characters\.$"):
        fl.RunConfig.from_overrides(f"notes={'x' * 10_001}")


@pytest.mark.parametrize(
    ("words", "ordered"),
    [
        (["model=mlp", "-m", "seed=1,2"], ["model=mlp", "seed=1,2", "-m"]),
        (["a=1", "--cfg", "job", "b=2", "-p", "model", "~c"], ["a=1", "b=2", "~c", "--cfg", "job", "-p", "model"]),
        (["--multirun", "a=1,2"], ["a=1,2", "--multirun"]),
        (["a=1", "a=1", "--resolve", "a=1"], ["a=1", "a=1", "a=1", "--resolve"]),
    ],
)
def test_the_options_of_hydra_may_stand_anywhere(words: list[str], ordered: list[str]) -> None:
    assert _overrides_first(words) == ordered


@pytest.mark.slow
def test_a_sweep_in_a_project_has_words_on_both_sides_and_notes_with_commas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = enter_project(tmp_path / "stripy", monkeypatch)
    words = ["model.width=2,64", "-m", "notes=one, two = (3)", "seed=5", "hydra.sweep.dir=sweep"]
    short = ["trainer.max_epochs=1", "trainer.accelerator=cpu", "sweep.launcher=in_process"]
    monkeypatch.setattr(sys, "argv", ["train", *words, *short])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 0
    jobs = [RunFolder.open(project / "sweep" / number).config() for number in "01"]
    assert [(job.model["_target_"], job.seed) for job in jobs] == [("stripy.network.TwoLayers", 5)] * 2
    assert {job.notes for job in jobs} == {"one, two = (3)"}
    with (project / "sweep" / "summary.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["model.width"], second["model.width"]) == ("64", "2")
    assert first["notes"] == second["notes"] == "one, two = (3)"
