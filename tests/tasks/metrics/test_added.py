"""Metrics of torchmetrics that a config adds: `task.metrics`."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.runs import RunFolder
from firstlight.runs.evaluate import evaluate
from firstlight.runs.load import load_task
from firstlight.spec import DataSpec
from firstlight.tasks import Task
from firstlight.tasks.build import build_task
from firstlight.training.run import train
from helpers.runs import TINY, history
from helpers.small import IMAGES, NUMBERS, TOKENS, images, metrics_of, text

TWO = DataSpec((1, 8, 8), 2, ("no", "yes"), (0.5,), (0.25,))
PAIRS = DataSpec((2,), 2, ("y", "z"), (1.0, -2.0), (2.0, 0.5), target_mean=(10.0, 1.0), target_std=(3.0, 2.0))
AUROC = "auroc:{_target_:torchmetrics.AUROC}"
OWN_METRIC = """
import torch
import torchmetrics


class Doubt(torchmetrics.Metric):
    \"\"\"The mean probability of all classes but the true one.\"\"\"

    higher_is_better = False

    def __init__(self, scale: float = 1.0, **kwargs) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, probabilities, classes):
        self.total += (1 - probabilities.gather(1, classes[:, None])).sum()
        self.count += len(classes)

    def compute(self):
        return self.scale * self.total / self.count


class Silent(Doubt):
    higher_is_better = None
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a module of the user, in the working directory."""
    name = f"own_metrics_{abs(hash(tmp_path))}"  # another one in each test, as sources are read once in a process
    (tmp_path / f"{name}.py").write_text(OWN_METRIC)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def task_with(spec: DataSpec, metrics: str, *words: str) -> Task:
    config = RunConfig.from_overrides("model=linear", *words, f"task.metrics={{{metrics}}}")
    return build_task(config, spec).eval()


def probabilities_of(task: Any, *batches: tuple[torch.Tensor, torch.Tensor]) -> np.ndarray:
    with torch.no_grad():
        return torch.cat(
            [task.class_logits(task.network(task.preprocess(raw))).softmax(1) for raw, _ in batches]
        ).numpy()


def test_the_area_under_the_curve_over_several_batches_is_that_of_scikit_learn() -> None:
    task = task_with(IMAGES, AUROC)
    batches = [images(20), images(7, seed=1)]
    found = [metrics_of(task, *batches), metrics_of(task, *batches)][1]
    classes = torch.cat([classes for _, classes in batches]).numpy()
    expected = roc_auc_score(classes, probabilities_of(task, *batches), multi_class="ovr", average="macro")
    assert found["auroc"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        (AUROC, ["task.binary=true"]),
        ("auroc:{_target_:torchmetrics.AUROC,task:binary}", []),
        ("auroc:{_target_:torchmetrics.classification.BinaryAUROC}", []),
        (AUROC, []),
    ],
)
def test_two_classes_need_no_further_option(metrics: str, words: list[str]) -> None:
    task, batch = task_with(TWO, metrics, *words), images(30, TWO)
    expected = roc_auc_score(batch[1].numpy(), probabilities_of(task, batch)[:, 1])
    assert metrics_of(task, batch)["auroc"] == pytest.approx(expected, abs=1e-6)


def test_a_regression_is_compared_in_the_units_of_the_data() -> None:
    node = "error:{_target_:torchmetrics.MeanAbsoluteError},r:{_target_:torchmetrics.PearsonCorrCoef}"
    task = task_with(NUMBERS, node, "task=regression")
    raw, targets = torch.randn(9, 2), torch.randn(9, 1)
    found = metrics_of(task, (raw, targets))
    predicted = np.array([row["y"] for row in task.predict_rows(raw)])
    assert found["error"] == pytest.approx(found["mae"], rel=1e-5)
    assert found["r"] == pytest.approx(np.corrcoef(predicted, targets[:, 0])[0, 1], abs=1e-5)


def test_a_regression_of_several_targets_a_text_and_an_image_are_compared_too() -> None:
    pair = task_with(PAIRS, "fit:{_target_:torchmetrics.R2Score}", "task=regression")
    assert math.isfinite(metrics_of(pair, (torch.randn(9, 2), torch.randn(9, 2)))["fit"])
    node = "other:{_target_:torchmetrics.text.Perplexity},right:{_target_:torchmetrics.Accuracy,average:micro}"
    found = metrics_of(task_with(TOKENS, node, "model=rnn", "task=language"), text(4), text(2, seed=1))
    assert found["other"] == pytest.approx(found["perplexity"], rel=1e-5)
    assert found["right"] == pytest.approx(found["accuracy"])
    node = "psnr:{_target_:torchmetrics.image.PeakSignalNoiseRatio}"
    found = metrics_of(task_with(IMAGES, node, "model=autoencoder", "model.hidden_sizes=[4]"), images(6))
    assert found["psnr"] == pytest.approx(-10 * math.log10(found["mse"]), rel=1e-4)


def test_a_metric_is_better_as_its_class_or_its_node_says(own: str) -> None:
    node = f"{AUROC},doubt:{{_target_:{own}.Doubt,scale:2}},silent:{{_target_:{own}.Silent}}"
    task = task_with(IMAGES, f"{node},least:{{_target_:{own}.Silent,direction:min}}")
    assert [metric.direction for metric in task.added_metrics] == ["max", "min", None, "min"]
    assert task.monitored("val/doubt").direction == "min"
    found = metrics_of(task, images(8))
    assert found["doubt"] == pytest.approx(2 * found["least"])


def test_training_batches_are_not_compared() -> None:
    task = task_with(IMAGES, AUROC).train()
    task.batch_loss(images(8), task.new_meter())
    assert task.added is not None
    assert not task.added._added[0].computed.update_called
    assert [metric.name for metric in task.metrics_of("train")] == list(task.metric_names)
    assert task.metrics_of("val")[-1].name == "auroc"
    assert "auroc" in [metric.name for metric in task.metrics_of("test")]


@pytest.mark.parametrize(("metric", "best"), [("auroc", max), ("doubt", min)])
def test_a_run_records_monitors_resumes_and_evaluates_added_metrics(
    own: str, metric: str, best: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = f"task.metrics={{{AUROC},doubt:{{_target_:{own}.Doubt}}}}"
    metrics = train(
        compose(*TINY, "trainer.max_epochs=3", "optimizer.lr=0.3", nodes, f"monitor=val/{metric}"), tmp_path / "run"
    )
    values = [float(row[f"val/{metric}"]) for row in history(tmp_path / "run")]
    assert metrics["epoch"] == 1 + values.index(best(values))
    assert (metrics["monitor"], metrics["monitor_mode"]) == (f"val/{metric}", best.__name__)
    assert metrics[f"val/{metric}"] == best(values)
    assert "train/auroc" not in history(tmp_path / "run")[0]
    assert f"val/auroc {values[0]:.4f}" in capsys.readouterr().out or metric == "doubt"
    found = evaluate(tmp_path / "run")
    assert found["test/auroc"] == pytest.approx(metrics["test/auroc"], abs=1e-6)
    assert found["test/doubt"] == pytest.approx(metrics["test/doubt"], rel=1e-5)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["test/auroc"] == metrics["test/auroc"]
    assert not any("added" in name for name in load_task(tmp_path / "run").state_dict())
    assert RunFolder.open(tmp_path / "run").config().metrics["auroc"] == {"_target_": "torchmetrics.AUROC"}


# What follows `task.metrics=` and what follows `task.metrics.` in the message.
MISTAKES = [
    (
        "auroc:{_target_:torchmetrics.AUROK}",
        "auroc._target_=torchmetrics.AUROK: unknown class, did you mean 'torchmetrics.AUROC'?",
    ),
    (
        "auroc:{_target_:torchmetrics.AUROC,avarage:macro}",
        "auroc.avarage: unknown option of AUROC, did you mean 'task.metrics.auroc.average'?",
    ),
    (
        "auroc:{_target_:torchmetrics.AUROC,average:mean}",
        "auroc.average=mean: must be macro or weighted or none or null (AUROC).",
    ),
    (
        "auroc:{_target_:torchmetrics.AUROC,direction:up}",
        "auroc.direction=up: unknown direction; known: max, min.",
    ),
    (
        "net:{_target_:torch.nn.ReLU}",
        "net._target_=torch.nn.ReLU: must be a subclass of torchmetrics.Metric.",
    ),
    (
        "auroc:3",
        "auroc=3: must have a _target_, such as torchmetrics.AUROC.",
    ),
    (
        "accuracy:{_target_:torchmetrics.Accuracy}",
        "accuracy: must have another name; classification has this metric itself.",
    ),
    (
        "table:{_target_:torchmetrics.ConfusionMatrix}",
        "table=MulticlassConfusionMatrix: must return one number, and it returns 3x3 numbers.",
    ),
    (
        "each:{_target_:torchmetrics.Recall,average:none}",
        "each=MulticlassRecall: must return one number, and it returns 3 numbers.",
    ),
    (
        "mse:{_target_:torchmetrics.MeanSquaredError}",
        "mse=MeanSquaredError: must accept predictions and targets of 8x3 and 8. RuntimeError:",
    ),
    (
        "auroc:{_target_:torchmetrics.AUROC,num_classes:1}",
        "auroc: ",
    ),
    (
        "a.b:{_target_:torchmetrics.AUROC}",
        "a.b: must have a name of letters, digits and underscores.",
    ),
]


@pytest.mark.parametrize(("metrics", "message"), MISTAKES)
def test_a_mistake_is_reported_before_the_training(metrics: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^task\.metrics") as caught:
        task_with(IMAGES, metrics)
    assert str(caught.value).startswith(f"task.metrics.{message}")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["monitor=val/aurok"], "monitor=val/aurok: unknown metric, did you mean 'val/auroc'?"),
        (["monitor=train/auroc"], "monitor=train/auroc: unknown metric, did you mean 'train/accuracy'?"),
        (
            ["monitor=val/silent"],
            "task.metrics.silent.direction: must be min or max with monitor=val/silent, because the metric does not say"
            " which values are better.",
        ),
        (["model=gan"], "task.metrics: must be null with task=adversarial, which compares no outputs with targets."),
    ],
)
def test_what_cannot_be_monitored_or_compared_is_reported(own: str, words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=r"must be|unknown metric") as caught:
        task_with(IMAGES, f"{AUROC},silent:{{_target_:{own}.Silent}}", *words)
    assert str(caught.value) == message
