"""The figures and tables that training and evaluation leave in folders, and what evaluation decides."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from firstlight.config import RunConfig
from firstlight.runs.evaluate import evaluate
from firstlight.runs.findings import decide, temperature, write
from firstlight.runs.load import load_task
from firstlight.runs.predict.predictor import predict
from firstlight.training.run import resume, train
from helpers.runs import TINY

CLASSES = {"confusion.png", "calibration.png", "precision_recall.png", "mistakes.png", "per_class.csv"}


def run(tmp_path: Path, *words: str) -> dict[str, Any]:
    return train(RunConfig.from_overrides(*TINY, "trainer.max_epochs=1", *words), run_dir=tmp_path / "run")


def drawn(folder: Path) -> set[str]:
    """Return the names of the figures and tables of classes, after a look at each; those of layers are left out."""
    figures = [path for path in folder.glob("*.png") if path.stem not in ("filters", "channels", "samples")]
    for path in figures:
        with Image.open(path) as image:
            assert min(image.size) > 150
            assert np.asarray(image.convert("L")).std() > 5
    return {path.name for path in [*figures, *folder.glob("per_class.csv")]}


@pytest.mark.figures
def test_a_run_of_classes_and_its_evaluation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = run(tmp_path)
    folder = tmp_path / "run"
    assert drawn(folder) == CLASSES | {"curves.png"}
    with (folder / "per_class.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == list("0123456789")
    assert sum(int(row["support"]) for row in rows) == 355
    assert sum(float(row["f1"]) for row in rows) / 10 == pytest.approx(metrics["test/f1"], abs=1e-6)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found = evaluate(folder, accelerator="cpu")
    assert found == {name: value for name, value in metrics.items() if name.startswith("test/")}
    assert 0 < found["test/ece"] < 1
    assert {path: path.read_bytes() for path in before} == before
    assert drawn(folder / "evaluate" / "test") == CLASSES
    for name in CLASSES:
        assert (folder / "evaluate" / "test" / name).read_bytes() == (folder / name).read_bytes()
    printed = capsys.readouterr().out
    assert "average_precision  support" in printed
    assert "confusion matrix" in printed
    assert "mistakes.png, per_class.csv in " in printed


@pytest.mark.figures
def test_a_regression_and_a_task_without_samples_of_its_own(tmp_path: Path) -> None:
    run(tmp_path, "data=diabetes", "figures=true")
    assert drawn(tmp_path / "run") == {"curves.png", "predicted_true.png"}
    evaluate(tmp_path / "run", split="val", accelerator="cpu", output=tmp_path / "out")
    assert drawn(tmp_path / "out") == {"predicted_true.png"}
    run(tmp_path / "other", "model=autoencoder", "model.hidden_sizes=[4]")
    assert drawn(tmp_path / "other" / "run") == {"curves.png"}


@pytest.mark.figures
def test_without_figures_nothing_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "draw", lambda *arguments: pytest.fail("a figure was drawn"))
    metrics = run(tmp_path, "figures=false")
    assert drawn(tmp_path / "run") == set()
    assert "test/ece" in metrics
    evaluate(tmp_path / "run", accelerator="cpu", figures=False)
    assert not (tmp_path / "run" / "evaluate").exists()


@pytest.mark.figures
def test_other_images_show_their_mistakes_although_some_cannot_be_read(
    tmp_path: Path, trained_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    for index in range(6):
        folder = tmp_path / "photos" / str(index % 2)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), 40 * index, np.uint8)).save(folder / f"{index}.png")
    (tmp_path / "photos" / "0" / "1.png").write_text("no image")
    draw = write.mistakes

    def seen(images: Any, *rest: Any) -> Any:
        shown.append(images)
        return draw(images, *rest)

    monkeypatch.setattr(write, "mistakes", seen)
    found = evaluate(trained_run, accelerator="cpu", input=tmp_path / "photos", output=tmp_path / "out")
    assert drawn(tmp_path / "out") == CLASSES
    (images,) = shown
    assert len(images) == round(6 * (1 - found["other/accuracy"]))
    assert {round(float(image.mean()) * 255) for image in images} <= {40 * index for index in range(6)}
    assert len({float(image.mean()) for image in images}) == len(images)


def test_a_folder_that_cannot_be_written_is_an_error_only_if_it_is_named(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*arguments: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(write, "write_findings", refuse)
    assert evaluate(trained_run, accelerator="cpu")
    assert "To fix: name another folder with output=" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"^output=.*out: must be a folder that can be written to"):
        evaluate(trained_run, accelerator="cpu", output=tmp_path / "out")


def test_calibration_changes_the_probabilities_of_predictions_but_not_their_order(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained_run, folder)
    Image.fromarray(np.tile(np.arange(0, 256, 32, dtype=np.uint8), (8, 1))).save(tmp_path / "a.png")
    (before,) = predict(folder, tmp_path / "a.png", tmp_path / "a.csv", accelerator="cpu")
    metrics = evaluate(folder, accelerator="cpu", calibrate=True)
    assert metrics["test/calibrated_loss"] < metrics["test/loss"]
    assert metrics["test/calibrated_ece"] < metrics["test/ece"]
    written = json.loads((folder / "calibration.json").read_text())
    assert written["temperature"] == metrics["temperature"] == load_task(folder).temperature != 1
    assert written["val/loss_after"] < written["val/loss_before"]
    capsys.readouterr()
    (after,) = predict(folder, tmp_path / "a.png", tmp_path / "a.csv", accelerator="cpu")
    assert "calibrated with the temperature" in capsys.readouterr().out
    assert after["label"] == before["label"]
    assert after["probability"] != before["probability"]
    again = evaluate(folder, accelerator="cpu")
    assert again == {name: metrics[name] for name in again}


@pytest.mark.parametrize("at_limit", [False, True])
def test_a_temperature_that_does_not_help_is_not_used(
    at_limit: bool,
    trained_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained_run, folder)
    if at_limit:
        monkeypatch.setattr(temperature, "_LIMITS", (0.5, 20.0))  # the best one is 0.25
    else:
        monkeypatch.setattr(decide, "fit_temperature", lambda *_: 8.0)
    found = evaluate(folder, accelerator="cpu", calibrate=True)
    assert not (folder / "calibration.json").exists()
    assert load_task(folder).temperature == 1
    why = "the lowest loss is beyond" if at_limit else "the loss on test is higher than before"
    assert f"it is not used, because {why}" in capsys.readouterr().out
    assert (found["test/calibrated_loss"] > found["test/loss"]) != at_limit


def test_a_threshold_for_two_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for index in range(60):
        folder = tmp_path / "data" / ("no" if index % 3 else "yes")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(index).integers(0, 200, (8, 8)) + 20 * (index % 3 == 0)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
    run(tmp_path, "data=folder", f"data.dir={tmp_path / 'data'}", "data.image_size=8")
    found = evaluate(tmp_path / "run", accelerator="cpu", threshold="f1", calibrate=True)
    assert 0 < found["threshold"] < 1
    assert {"test/threshold_f1", "test/threshold_recall", "temperature"} <= set(found)
    printed = capsys.readouterr().out
    assert "threshold for yes, with the best f1 on the validation split" in printed
    assert f" run={tmp_path / 'run'} input=... predict.threshold={found['threshold']:.4g}\n" in printed
    rows = predict(tmp_path / "run", tmp_path / "data" / "no", threshold=1e-6)
    assert {row["label"] for row in rows} == {"yes"}
    on_val = evaluate(tmp_path / "run", "val", accelerator="cpu", threshold="f1")
    assert on_val["threshold"] == found["threshold"]
    assert on_val["val/threshold_f1"] >= on_val["val/f1"] - 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": "f2"}, r"^threshold=f2: unknown criterion; known: accuracy, f1, youden\.$"),
        ({"threshold": "f1"}, r"^threshold=f1: must be null, because the run has 10 classes, not 2\.$"),
        ({"calibrate": True, "input": "."}, r"^input=\.: must be null with calibrate or threshold"),
    ],
)
def test_an_option_that_does_not_fit_raises_an_error(options: Any, message: str, trained_run: Path) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(trained_run, accelerator="cpu", **options)


def test_a_regression_is_not_calibrated(tmp_path: Path) -> None:
    run(tmp_path, "data=diabetes")
    cases: list[tuple[Any, str]] = [
        ({"calibrate": True}, r"^calibrate=true: must be false with task=regression, which predicts no classes\.$"),
        ({"threshold": "f1"}, r"^threshold=f1: must be null, because the run has no classes, not 2\.$"),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            evaluate(tmp_path / "run", accelerator="cpu", **options)


def test_a_resumed_run_is_no_longer_calibrated(trained_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained_run, folder)
    (folder / "calibration.json").write_text('{"temperature": 2.0, "checkpoint": "best"}')
    assert load_task(folder).temperature == 2
    assert load_task(folder, "last").temperature == 1
    resume(folder, max_epochs=3)
    assert load_task(folder).temperature == 1
