"""A LightningModule on data of firstlight, a network of firstlight on a LightningDataModule, and their limits."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from firstlight.config import RunConfig
from firstlight.config.checking.targets import check_targets
from firstlight.config.compose import compose
from firstlight.runs import RunFolder
from firstlight.runs.load import load_task
from firstlight.runs.predict import predict
from firstlight.runs.preview import preview
from firstlight.runs.sweeps import SequentialSweep
from firstlight.training.run import resume, train
from firstlight.training.trainees.evaluate import evaluate
from helpers.lightning_modules import Plain
from helpers.runs import REPOSITORY, history
from helpers.template import data_node, task_node
from helpers.template_runs import config_of

PLAIN = {"_target_": "helpers.lightning_modules.Plain"}
POINTS = {"_target_": "helpers.lightning_modules.Points"}
AUROC = {"_target_": "torchmetrics.AUROC", "task": "multiclass"}
VAL_ACC = ("monitor=val_acc", "monitor_mode=max")


def metrics_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def plain_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a LightningModule on the digits of firstlight."""
    folder = tmp_path_factory.mktemp("plain") / "run"
    Plain.seen.clear()
    train(config_of(*VAL_ACC, "trainer.max_epochs=2", task=PLAIN), run_dir=folder)
    return folder


def test_a_module_gets_the_inputs_of_a_network_and_its_names_are_kept(plain_run: Path) -> None:
    rows, metrics = history(plain_run), metrics_of(plain_run)
    assert sorted(rows[0]) == ["epoch", "lr", "step", "train_loss", "val_acc", "val_loss"]
    assert metrics["val_acc"] == max(float(row["val_acc"]) for row in rows)
    assert 0.1 < metrics["test_acc"] < 1
    assert {(dtype, shape) for dtype, shape, _ in Plain.seen} == {(torch.float32, (1, 8, 8))}
    assert max(abs(mean) for _, _, mean in Plain.seen) < 0.5  # normalised
    assert float(rows[1]["lr"]) < float(rows[0]["lr"]) < 0.01  # its own scheduler, at each step
    assert RunFolder(plain_run).spec().num_outputs == 10


def test_a_module_on_our_data_is_evaluated_and_predicts_images(plain_run: Path, tmp_path: Path) -> None:
    assert evaluate(plain_run, accelerator="cpu")["test_acc"] == pytest.approx(metrics_of(plain_run)["test_acc"])
    task = load_task(plain_run)
    raw = torch.randint(0, 256, (3, 1, 8, 8), dtype=torch.uint8)
    module = task.network.module
    assert torch.allclose(task.network(task.preprocess(raw)).softmax(1), module(task.preprocess(raw)), atol=1e-5)
    for number, image in enumerate(raw):
        Image.fromarray(image[0].numpy()).save(tmp_path / f"{number}.png")
    rows = predict(plain_run, tmp_path, tmp_path / "found.csv", accelerator="cpu", invert=False)
    assert [row["label"] for row in rows] == [str(label) for label in module(task.preprocess(raw)).argmax(1).tolist()]
    with (tmp_path / "found.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 3


def test_a_module_on_our_data_gets_augmented_batches_and_resumes_exactly(tmp_path: Path) -> None:
    words = ("monitor=val_loss", "augment=light", "+trainer.limit_train_batches=3", "data.batch_size=16")
    train(config_of(*words, "trainer.max_epochs=3", task=PLAIN), run_dir=tmp_path / "whole")
    train(config_of(*words, "trainer.max_epochs=1", task=PLAIN), run_dir=tmp_path / "parts")
    resume(tmp_path / "parts", max_epochs=3)
    same = history(tmp_path / "parts"), history(tmp_path / "whole")
    assert same[0] == same[1]
    assert RunFolder(tmp_path / "whole").config().monitor_mode == "min"


@pytest.mark.filterwarnings("ignore:You passed in a `val_dataloader`")
def test_manual_optimization_with_two_optimizers(tmp_path: Path) -> None:
    gan = {"_target_": "helpers.lightning_modules.Gan"}
    words = ("monitor=g_loss", "monitor_mode=max", "trainer.max_epochs=2")
    train(config_of(*words, task=gan, data=POINTS), run_dir=tmp_path / "run")
    rows, metrics = history(tmp_path / "run"), metrics_of(tmp_path / "run")
    assert [set(row) for row in rows] == [{"epoch", "step", "g_loss", "d_loss", "lr"}] * 2
    assert metrics["g_loss"] == max(float(row["g_loss"]) for row in rows)
    assert not any(name.startswith("test") for name in metrics)
    assert "has no test_step" in (tmp_path / "run" / "train.log").read_text()
    with pytest.raises(ValueError, match="split=test: must be a split that the LightningModule and the data evaluate"):
        evaluate(tmp_path / "run", accelerator="cpu")


@pytest.mark.parametrize(
    ("node", "words", "expected"),
    [
        (POINTS, ("model=mlp", "task=classification"), ((3,), 3, "classes")),
        (POINTS | {"numbers": True}, ("model=mlp", "task=regression"), ((3,), 1, "numbers")),
        (POINTS | {"shape": [3, 12, 12]}, ("model=cnn",), ((3, 12, 12), 3, "classes")),
    ],
)
def test_a_network_of_firstlight_learns_from_a_data_module(
    tmp_path: Path, node: dict[str, Any], words: tuple[str, ...], expected: Any
) -> None:
    config = config_of(*words, "scheduler=constant", "trainer.max_epochs=2", data=node)
    train(config, run_dir=tmp_path / "run")
    spec = RunFolder(tmp_path / "run").spec()
    assert (spec.input_shape, spec.num_outputs, spec.targets) == expected
    assert float(history(tmp_path / "run")[-1]["val/loss"]) < float(history(tmp_path / "run")[0]["train/loss"])
    found = evaluate(tmp_path / "run", split="val", accelerator="cpu")
    assert found["val/loss"] == pytest.approx(metrics_of(tmp_path / "run")["val/loss"], rel=1e-5)
    train(config | {"trainer": config["trainer"] | {"max_epochs": 1}}, run_dir=tmp_path / "parts")
    resume(tmp_path / "parts", max_epochs=2)
    assert history(tmp_path / "parts") == history(tmp_path / "run")


def test_added_metrics_of_a_network_on_a_data_module(tmp_path: Path) -> None:
    metrics = "task.metrics={auroc:{_target_:torchmetrics.AUROC,task:multiclass}}"
    words = ("model=mlp", metrics, "monitor=val/auroc", "trainer.max_epochs=2")
    train(config_of(*words, data=POINTS), run_dir=tmp_path / "run")
    rows, found = history(tmp_path / "run"), metrics_of(tmp_path / "run")
    assert found["val/auroc"] == max(float(row["val/auroc"]) for row in rows)
    assert found["monitor_mode"] == "max"
    assert evaluate(tmp_path / "run", split="val", accelerator="cpu")["val/auroc"] == pytest.approx(found["val/auroc"])


def test_inputs_of_a_data_module_are_taken_as_they_are() -> None:
    from firstlight.tasks.build import build_task
    from firstlight.training.trainees.batch_spec import spec_of_batches

    for shape in ((3, 12, 12), (3,)):
        inputs = torch.randn(5, *shape)
        spec = spec_of_batches(object(), [(inputs, torch.tensor([0, 3, 1, 2, 0]))])
        task = build_task(RunConfig.from_overrides("model=mlp"), spec)
        assert torch.equal(task.prepared((inputs, torch.zeros(5)))[0], inputs)
        assert spec.num_outputs == 4


@pytest.mark.parametrize(("monitor", "mode", "best"), [("val_err", "min", "1,0,"), ("val/loss_gain", "max", "1,1,")])
def test_a_sweep_ranks_by_the_mode_of_the_run(tmp_path: Path, monitor: str, mode: str, best: str) -> None:
    sweep = SequentialSweep(tmp_path)
    for number, value in enumerate((0.1, 0.9)):
        sweep.begin(number, [f"seed={number}"])
        sweep.finished({"monitor": monitor, "monitor_mode": mode, monitor: value, "status": "completed"})
    assert (tmp_path / "summary.csv").read_text().splitlines()[1].startswith(best)


@pytest.mark.parametrize(
    ("words", "nodes", "message"),
    [
        (("monitor=val_acc",), {"task": PLAIN}, "monitor_mode=null: must be min or max with monitor=val_acc"),
        (("monitor_mode=up",), {}, "monitor_mode=up: must be min or max or null"),
        (("monitor_mode=max",), {}, "monitor_mode=max: must be min or null with monitor=val/loss."),
        ((), {"task": PLAIN | {"metrics": {"auroc": AUROC}}}, "task.metrics: must be null with a LightningModule"),
        ((), {"task": PLAIN | {"lrr": 1}}, "task.lrr: unknown option of Plain, did you mean 'task.lr'"),
        ((), {"task": PLAIN | {"lr": "fast"}}, "task.lr=fast: must be a number (Plain)"),
        (
            (),
            {"task": task_node(optimizer={"_target_": "torch.optim.Adam", "_partial_": True, "lrr": 1})},
            "optimizer.lr",
        ),
        ((), {"data": data_node(Path(), batch_sise=3)}, "data.batch_sise: unknown option of MNISTDataModule, did you"),
        (("augment=light",), {"data": POINTS}, "augment.rotate: must be left out, because the LightningDataModule"),
        ((), {"data": {"_target_": "helpers.lightning_modules.Dicts"}}, "data: must yield batches of two tensors"),
        (("task.balance=weights",), {"data": POINTS}, "task.balance=weights: must be null with a LightningDataModule"),
        (
            ("monitor=val_loss",),
            {"task": PLAIN | {"_target_": "helpers.lightning_modules.Keeper"}},
            "task: must add only",
        ),
        ((*VAL_ACC[1:], "monitor=val_ac"), {"task": PLAIN}, "monitor=val_ac: unknown metric, did you mean 'val_acc'"),
    ],
)
def test_what_is_not_possible_is_one_sentence(
    tmp_path: Path, words: tuple[str, ...], nodes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r"must|unknown") as caught:
        train(
            config_of("trainer.max_epochs=1", "+trainer.limit_train_batches=1", *words, **nodes),
            run_dir=tmp_path / "run",
        )
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "word", ["model=mlp", "model.weights=x", "optimizer.lr=1", "scheduler=cosine", "+model.head=mlp"]
)
def test_words_without_effect_are_refused(word: str) -> None:
    from firstlight.config.checking.lightning_classes import check_words

    with pytest.raises(ValueError, match="must be left out, because the LightningModule Plain is trained with its own"):
        check_words({"task": PLAIN, "data": {"_target_": "firstlight.data.MNIST"}}, ["seed=2", "data=mnist", word])
    check_words({"task": PLAIN, "data": {"_target_": "firstlight.data.MNIST"}}, ["augment=light"])
    with pytest.raises(ValueError, match="its own data and transforms"):
        check_words({"task": PLAIN, "data": POINTS}, ["augment=light"])


def test_other_commands_say_what_they_cannot_do(tmp_path: Path) -> None:
    train(config_of("trainer.max_epochs=1", "model=mlp", data=POINTS), run_dir=tmp_path / "run")
    for call in (
        lambda: predict(tmp_path / "run", tmp_path, accelerator="cpu"),
        lambda: load_task(tmp_path / "run"),
        lambda: preview(RunConfig.parse(config_of(data=POINTS)), str(tmp_path / "sheet.png")),
    ):
        with pytest.raises(ValueError, match="data=Points: must be a data set of firstlight here"):
            call()
    with pytest.raises(ValueError, match=r"input=.*: must be null for a run of a LightningModule"):
        evaluate(tmp_path / "run", input=tmp_path)


@pytest.mark.parametrize(
    ("group", "node", "place"),
    [
        ("task", {"_target_": "os.system", "_partial_": True}, "task"),
        ("task", {"_target_": "lightning.pytorch.demos.boring_classes.BoringModel"}, "task"),
        ("task", task_node(net={"_target_": "os.mkdir", "path": "x"}), "task.net"),
        ("task", task_node(optimizer={"_target_": "torch.load", "_partial_": True}), "task.optimizer"),
        ("data", {"_target_": "helpers.lightning_modules.Plain"}, "data"),
        ("data", POINTS | {"shape": {"_target_": "helpers.lightning_modules.Points"}}, "data.shape"),
    ],
)
def test_run_folders_call_the_modules_of_the_project_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str, node: dict[str, Any], place: str
) -> None:
    monkeypatch.chdir(REPOSITORY)
    check_targets({"task": task_node(), "data": data_node(tmp_path)}, tmp_path)
    with pytest.raises(ValueError, match=rf"^{place}\._target_=.*: must be .* trust=true"):
        check_targets({group: node}, tmp_path)


def test_names_of_runs_and_folders_of_data(tmp_path: Path) -> None:
    config = RunConfig.parse(config_of("monitor=val/loss", task=task_node(), data=data_node(Path("here"))))
    assert config.with_absolute_paths().data["data_dir"] == str(Path.cwd() / "here")
    assert config.data_folder_key == "data_dir"
    assert RunConfig.parse(config.to_plain()) == config
    assert compose().name == "digits-lenet"
    own = compose(
        "task={_target_: helpers.lightning_modules.Plain, lr: 0.1}", "data={_target_: helpers.template.MNISTDataModule}"
    )
    assert (own.name, RunConfig.parse(own).task) == ("MNISTDataModule-Plain", PLAIN | {"lr": 0.1})
    with pytest.raises(ValueError, match="model=mlp: must be left out"):
        compose("task={_target_: helpers.lightning_modules.Plain}", "model=mlp")
