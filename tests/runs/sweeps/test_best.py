from pathlib import Path

import pytest
from omegaconf import OmegaConf

from firstlight.config.compose import compose
from firstlight.runs.sweeps import JobRecord
from firstlight.runs.sweeps.best import experiment, winner

SGD = "{_target_: torch.optim.SGD, lr: 0.1, momentum: 0.9}"


@pytest.mark.parametrize(
    "given",
    [
        ["model=mlp", "model.hidden_sizes=[3,4]", "optimizer.lr=1e-5", "seed=2", "+trainer.min_epochs=1"],
        ["data=mnist", "data.dir='/a b/é, c'", "notes='a, b: c'", "tags=[x,'1e-3']", "augment=light"],
        ["experiment=asl", "model=lenet", "task.label_smoothing=0.2", "experiment=mnist_mlp"],
        ["experiment=[asl,regularised]", "logger=[tensorboard,csv]", "debug=overfit", "model.filters=[8,16,16,16]"],
        [f"optimizer={SGD}", "scheduler={_target_: torch.optim.lr_scheduler.StepLR, step_size: 3}", "seed=3"],
        ["~scheduler", "monitor_mode=null", "trainer.precision='16'", "name=x", "hydra.sweep.dir=/tmp/x"],
        ["seed=1"],
        [],
    ],
)
def test_the_experiment_composes_the_config_of_its_words(given: list[str], tmp_path: Path) -> None:
    path = tmp_path / "my sweep" / "best.yaml"
    path.parent.mkdir()
    path.write_text(experiment(given, "job 0\nof a sweep"))
    assert path.read_text().startswith("# @package _global_\n# job 0\\nof a sweep\n")
    own = [word for word in given if not word.startswith("hydra.")]
    assert compose(f"experiment={path}") == compose(*own)
    assert compose(f"experiment={path}", "seed=7") == compose(*own, "seed=7")


def test_a_relative_path_names_an_experiment_and_words_on_the_command_line_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "configs" / "experiment").mkdir(parents=True)
    text = experiment(["model=mlp", "model.dropout=0.25", "~model.activation"])
    for place in ("best.yaml", "configs/experiment/best.yaml"):
        (tmp_path / place).write_text(text)
    monkeypatch.chdir(tmp_path)
    expected = compose("model=mlp", "model.dropout=0.25")
    for name in ("./best.yaml", "best"):  # in a project too
        assert compose(f"experiment={name}") == expected
    assert "# not part of an experiment: ~model.activation\n" in text
    assert compose("experiment=./best.yaml", "model=linear")["model"]["_target_"].endswith("Linear")
    again = experiment(["experiment=./best.yaml", "seed=3"])
    (tmp_path / "again.yaml").write_text(again)
    assert compose("experiment=./again.yaml") == OmegaConf.merge(expected, {"seed": 3})


def record(number: int, words: str, value: float | None, monitor: str = "val/loss") -> JobRecord:
    metrics = {"monitor": monitor, "monitor_mode": "min", monitor: value}
    return JobRecord(number, tuple(words.split()), Path(str(number)), "completed", metrics=metrics)


def test_the_winner_is_the_first_seed_of_the_best_mean() -> None:
    jobs = [
        *(record(0, "model=mlp seed=1", 0.5), record(1, "model=mlp seed=2", 0.1)),
        *(record(2, "model=cnn seed=1", 0.25), record(3, "model=cnn seed=2", 0.2)),
    ]
    best = winner(jobs)
    assert best is not None
    assert best.first.number == 2
    assert winner([record(0, "seed=1", None)]) is None
    assert winner([]) is None
    assert winner([record(0, "model=mlp", 0.1), record(1, "model=cnn", 0.1, "val/accuracy")]) is None
