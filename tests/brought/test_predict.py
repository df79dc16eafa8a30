"""What people predict: inverted images, photos, noise, tables, texts, reconstructions, and files that fail."""

import csv
import io
import json
import math
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch.nn import functional as F

from firstlight.config.compose import compose
from firstlight.data import Digits
from firstlight.data.images.reading import read_image
from firstlight.data.tokens import encode
from firstlight.runs.load import load_task
from firstlight.runs.predict import predict
from firstlight.runs.predict.predictor import ImageInputs
from firstlight.runs.run_folder import RunFolder
from firstlight.training.run import train

CPU: dict[str, Any] = {"accelerator": "cpu"}
Runs = Callable[..., Path]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Return a function that trains once for each list of words, and returns the run folder."""
    found: dict[tuple[str, ...], Path] = {}

    def run(*words: str) -> Path:
        if words not in found:
            found[words] = tmp_path_factory.mktemp("runs") / "run"
            train(compose("trainer.max_epochs=1", "trainer.accelerator=cpu", *words), run_dir=found[words])
        return found[words]

    return run


@pytest.fixture
def digits_run(runs: Runs) -> Path:
    return runs("model=mlp", "model.hidden_sizes=[64]", "trainer.max_epochs=6")


def digits() -> np.ndarray:
    return Digits(os.environ["FIRSTLIGHT_DATA"]).store().splits["test"].inputs.numpy().copy()


def write(folder: Path, images: np.ndarray) -> Path:
    """Write images (images, channels, height, width), uint8, as PNG files."""
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).save(folder / f"{number:03}.png")
    return folder


def photos(number: int, side: int = 120) -> np.ndarray:
    """Return random parts of two photographs: (number, 3, side, side)."""
    random = np.random.default_rng(0)
    originals = [np.asarray(image) for image in load_sample_images().images]
    parts = []
    for index in range(number):
        photo = originals[index % 2]
        top, left = random.integers(0, photo.shape[0] - side), random.integers(0, photo.shape[1] - side)
        parts.append(photo[top : top + side, left : left + side].transpose(2, 0, 1))
    return np.stack(parts)


def noise(number: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (number, 1, 8, 8), dtype=np.uint8)


def labels(rows: list[dict[str, Any]]) -> list[str]:
    return [row["label"] for row in rows]


def fraction_warned(rows: list[dict[str, Any]]) -> float:
    return sum(bool(row["warning"]) for row in rows) / len(rows)


def test_images_of_the_training_kind_are_not_warned_about_and_others_are(digits_run: Path, tmp_path: Path) -> None:
    usual = predict(digits_run, write(tmp_path / "usual", digits()), tmp_path / "usual.csv", **CPU)
    assert len(usual) == 355
    assert fraction_warned(usual) < 0.02
    for name, images in {"photos": photos(60), "noise": noise(60), "inverted": 255 - digits()[:60]}.items():
        folder = write(tmp_path / name, images)
        for invert in ("auto", False):
            rows = predict(digits_run, folder, tmp_path / f"{name}.csv", invert=invert, **CPU)
            assert fraction_warned(rows) > 0.9, (name, invert)


def test_dark_digits_on_a_light_ground_are_inverted_and_get_the_same_labels(
    digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = predict(digits_run, write(tmp_path / "a", digits()[:50]), tmp_path / "a.csv", **CPU)
    dark = write(tmp_path / "b", 255 - digits()[:50])
    capsys.readouterr()
    assert labels(predict(digits_run, dark, tmp_path / "b.csv", **CPU)) == labels(original)
    assert "warning: 50 of 50 inverted: light ground (" in capsys.readouterr().out
    assert labels(predict(digits_run, dark, tmp_path / "b.csv", invert=True, **CPU)) == labels(original)
    plain = predict(digits_run, dark, tmp_path / "b.csv", invert=False, **CPU)
    assert sum(a != b for a, b in zip(labels(plain), labels(original), strict=True)) > 25
    assert all(row["warning"].startswith("unlike training: ") for row in plain)


def test_a_network_of_dark_strokes_inverts_light_ones_and_one_of_photos_inverts_nothing(
    runs: Runs, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    strokes = np.full((40, 1, 16, 16), 250, dtype=np.uint8)
    strokes[::2, :, 4:12, 5:8] = random.integers(0, 60, (20, 1, 8, 3))
    strokes[1::2, :, 6:9, 3:13] = random.integers(0, 60, (20, 1, 3, 10))
    for name, images in (("strokes", strokes), ("photos", photos(40, side=16))):
        for split, part in (("train", images[:32]), ("test", images[32:])):
            (tmp_path / name / split).mkdir(parents=True)
            write(tmp_path / name / split / "one", part[::2])
            write(tmp_path / name / split / "two", part[1::2])
    light = write(tmp_path / "light", 255 - strokes[32:])
    for name, expected in (("strokes", "inverted: dark ground"), ("photos", "")):
        run = runs("data=folder", f"data.dir={tmp_path / name}", "model=linear")
        rows = predict(run, light, tmp_path / "found.csv", **CPU)
        assert {row["warning"].partition(";")[0] for row in rows if "inverted" in row["warning"] or expected} <= {
            expected
        }


def test_rows_of_a_table_get_numbers_in_the_units_of_the_target(runs: Runs, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(5, 2, (200, 2)).astype(np.float32)
    lines = [f"{a},{b},{1000 + 10 * a - 20 * b}" for a, b in inputs.tolist()]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["a,b,price", *lines]) + "\n")
    run = runs(
        "data=table",
        f"data.file={table}",
        "model=linear",
        "trainer.max_epochs=20",
        "optimizer.lr=0.1",
        "data.batch_size=16",
    )
    rows = predict(run, table, tmp_path / "prices.csv", **CPU)
    assert list(rows[0]) == ["row", "price", "warning"]
    assert [row["row"] for row in rows] == list(range(1, 201))
    assert [row["price"] for row in rows] == pytest.approx((1000 + inputs @ [10, -20]).tolist(), abs=2)
    with (tmp_path / "prices.csv").open(newline="") as file:
        assert [float(row["price"]) for row in csv.DictReader(file)] == [row["price"] for row in rows]
    table.write_text("a,b,price\n5,5,0\n5,900,0\n")
    near, far = predict(run, table, tmp_path / "prices.csv", **CPU)
    assert near["warning"] == ""
    assert re.fullmatch(r"unlike training: b is 4\d\d standard deviations from its mean", far["warning"])


def test_rows_of_a_table_get_classes(runs: Runs, tmp_path: Path) -> None:
    lines = [f"{x},{'high' if x > 0 else 'low'}" for x in np.linspace(-3, 3, 120).round(3).tolist()]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["x,level", *lines]) + "\n")
    words = ("data=table", f"data.file={table}", "data.classes=true", "task=classification")
    run = runs(*words, "model=linear", "trainer.max_epochs=15", "optimizer.lr=0.1", "data.batch_size=16")
    table.write_text("x,level\n-2.5,low\n2.5,low\n")
    rows = predict(run, table, tmp_path / "levels.csv", **CPU)
    assert labels(rows) == ["low", "high"]
    assert rows[0]["top_1"] == f"low={rows[0]['probability']:.6f}"
    assert sum(float(rows[0][f"top_{place}"].split("=")[1]) for place in (1, 2)) == pytest.approx(1, abs=1e-5)


TEXT = "the cat sat on the mat.\nthe dog sat on the log.\n"


@pytest.mark.parametrize(
    ("model", "unit"),
    [("lstm", "characters"), ("gru", "words"), ("transformer", "characters")],
)
def test_lines_of_a_text_get_their_loss_and_the_next_tokens(
    model: str, unit: str, runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text(TEXT * 100)
    words = (f"data.file={tmp_path / 'text.txt'}", "data.length=8", f"data.unit={unit}", "data.batch_size=4")
    size = "model.embedding_dim=16" if model == "transformer" else "model.hidden_size=16"
    run = runs("data=text", f"model={model}", *words, size, "+trainer.limit_train_batches=30", "optimizer.lr=0.02")
    lines = ["the cat sat on the mat.", "", "the dog sat on the log on the mat.", "the zebra"]
    (tmp_path / "lines.txt").write_bytes("\r\n".join([*lines, ""]).encode())
    rows = predict(run, tmp_path / "lines.txt", tmp_path / "lines.csv", batch_size=3, **CPU)
    assert [(row["line"], row["text"]) for row in rows] == list(enumerate(lines, 1))
    assert rows[3]["warning"].startswith("unknown: ")
    assert not any(row["warning"] for row in rows[:3])
    task = load_task(run)
    for row, line in zip(rows, lines, strict=True):
        tokens = ["\n", *(line if unit == "characters" else re.findall(r" ?\w+| ?[^\w\s]|\s+", line))]
        ids = torch.tensor(encode(tokens, task.spec.labels)).long()
        assert row["tokens"] == len(ids) - 1
        if model != "transformer" or len(ids) <= 8:
            with torch.inference_mode():
                logits = task.network(ids[None])[0]
            if len(ids) > 1:
                loss = F.cross_entropy(logits[:-1], ids[1:]).item()
                assert row["loss"] == pytest.approx(loss, abs=1e-4)
                assert row["perplexity"] == pytest.approx(math.exp(loss), rel=1e-3)
            best = logits[-1, 1:].argmax().item() + 1  # the first is <unk>, which stands for no text
            assert row["next_1"].rpartition("=")[0] == repr(task.spec.labels[best])
    assert rows[0]["loss"] < rows[3]["loss"]
    capsys.readouterr()
    (only,) = predict(run, "the cat sat on the mat.", tmp_path / "one.csv", **CPU)
    assert only == rows[0] | {"loss": pytest.approx(rows[0]["loss"], abs=1e-5)} | {
        key: only[key] for key in only if key.startswith(("next", "perp"))
    }
    assert "perplexity" in capsys.readouterr().out


def test_images_get_their_reconstruction_error_and_latent(runs: Runs, tmp_path: Path) -> None:
    for model in ("autoencoder", "vae"):
        run = runs(f"model={model}", "model.latent_dim=3", "model.hidden_sizes=[4]")
        folder = write(tmp_path / model, digits()[:5])
        rows = predict(run, folder, tmp_path / f"{model}.csv", **CPU)
        assert list(rows[0]) == ["path", "mse", "latent_1", "latent_2", "latent_3", "warning"]
        task = load_task(run)
        raw = torch.tensor(digits()[:5])
        with torch.inference_mode():
            inputs = task.preprocess(raw)
            outputs, latents, _ = task.network.reconstruct(inputs)
        errors = (task.as_pixels(outputs) - raw / 255).square().mean((1, 2, 3))  # type: ignore[operator]
        assert [row["mse"] for row in rows] == pytest.approx(errors.tolist(), abs=1e-6)
        assert [row["latent_2"] for row in rows] == pytest.approx(latents[:, 1].tolist(), abs=1e-5)
        with Image.open(tmp_path / f"{model}.png") as sheet:
            pixels = np.asarray(sheet)
        assert np.array_equal(pixels[4:68:8, 4:68:8, 0], digits()[0, 0])  # each image before its reconstruction
        shown = np.asarray(outputs[0, 0].sigmoid() if task.loss == "bce" else outputs[0, 0].clamp(0, 1))
        left = next(left for left in range(70, 200) if (pixels[4:68, left, 0] != 255).any())
        assert np.abs(pixels[4:68:8, left : left + 64 : 8, 0] / 255 - shown).max() < 0.02


@pytest.mark.parametrize(
    ("words", "name", "message"),
    [
        (
            ("model=gan", "model.base_channels=4"),
            "digit.png",
            "must be a run of another task than adversarial, .*sample",
        ),
        (
            ("model=linear",),
            "rows.csv",
            "must be an image, or a folder of images, because the network was trained on im",
        ),
        (("data=iris", "model=linear"), "digit.png", "must be a table, such as a CSV file, because .* numbers"),
        (("data=iris", "model=linear"), "", "must be a table, such as a CSV file, because .* numbers"),
        (("data=iris", "model=linear"), "nothing.csv", "must be an existing file"),
        (("data=text", "data.length=16", "model=rnn", "+trainer.limit_train_batches=1"), "digit.png", "must be a text"),
        (("data=text", "data.length=16", "model=rnn", "+trainer.limit_train_batches=1"), "", "must be a text"),
        (
            ("data=text", "data.length=16", "model=rnn", "+trainer.limit_train_batches=1"),
            "n.txt",
            "must be an existing",
        ),
    ],
)
def test_an_input_of_another_kind_is_refused(
    words: tuple[str, ...], name: str, message: str, runs: Runs, tmp_path: Path
) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "digit.png")
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    run = runs(*words, "+trainer.limit_val_batches=1", "+trainer.limit_test_batches=1")
    with pytest.raises(ValueError, match=message):
        predict(run, tmp_path / name, tmp_path / "found.csv", **CPU)
    assert {path.name for path in tmp_path.iterdir()} == {"digit.png", "rows.csv"}


def test_a_task_without_a_threshold_takes_none(runs: Runs, tmp_path: Path) -> None:
    run, limits = "data=diabetes", ("+trainer.limit_val_batches=1", "+trainer.limit_test_batches=1")
    message = r"predict\.threshold=0\.5: must be null with task=regression, which has no threshold"
    with pytest.raises(ValueError, match=message):
        predict(runs(run, *limits), tmp_path / "rows.csv", tmp_path / "found.csv", threshold=0.5, **CPU)


def test_names_that_are_not_utf8_are_predicted_and_written(digits_run: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "images", digits()[:3])
    for number, name in enumerate((b"caf\xe9.png", b"new\nline.png", b"esc\x1b[2J.png")):
        (folder / f"{number:03}.png").rename(folder / os.fsdecode(name))
    rows = predict(digits_run, folder, tmp_path / "found.csv", **CPU)
    assert len(rows) == 3
    content = (tmp_path / "found.csv").read_bytes()
    assert b"caf\xe9.png" in content
    read = list(csv.DictReader(io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")))
    assert [os.fsencode(row["path"]) for row in read] == [os.fsencode(row["path"]) for row in rows]


def test_any_terminal_shows_names_without_their_control_characters(
    digits_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "images", digits()[:3])
    for number, name in enumerate((b"caf\xe9.png", "größe.png".encode(), b"esc\x1b[2J.png")):
        (folder / f"{number:03}.png").rename(folder / os.fsdecode(name))
    for encoding in ("utf-8", "ascii"):
        screen = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", screen)
        predict(digits_run, folder, tmp_path / "found.csv", **CPU)
        screen.flush()
        shown = screen.buffer.getvalue()
        assert b"caf\\udce9.png" in shown
        assert b"esc\\x1b[2J.png" in shown
        assert ("größe" if encoding == "utf-8" else "gr\\xf6\\xdfe").encode(encoding) in shown


def test_files_that_vanish_or_are_damaged_are_reported_and_the_others_predicted(
    digits_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "images", digits()[:30])
    for number in range(12):
        (folder / f"bad{number:02}.png").write_bytes(b"no image")
    found = ImageInputs.batches

    def batches(self: ImageInputs, batch_size: int) -> Any:
        (folder / "029.png").unlink()
        return found(self, batch_size)

    monkeypatch.setattr(ImageInputs, "batches", batches)
    assert len(predict(digits_run, folder, tmp_path / "found.csv", batch_size=4, **CPU)) == 29
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("left out: ")]
    assert len(lines) == 11
    assert "029.png: cannot read" in lines[0]
    assert lines[-1] == "left out: 3 more, which have no row in the file"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("out of memory"), OSError(28, "disk full")])
def test_predictions_before_an_interrupt_or_an_error_are_kept(
    error: BaseException,
    digits_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, target = write(tmp_path / "images", digits()[:30]), tmp_path / "found.csv"
    complete = predict(digits_run, folder, target, **CPU)
    before = target.read_bytes()
    found = ImageInputs.batches

    def batches(self: ImageInputs, batch_size: int) -> Any:
        for number, batch in enumerate(found(self, batch_size)):
            if number == 3:
                raise error
            yield batch

    monkeypatch.setattr(ImageInputs, "batches", batches)
    with pytest.raises(type(error)):
        predict(digits_run, folder, target, batch_size=4, **CPU)
    (part,) = tmp_path.glob("found.csv.*.part")
    assert f"not complete: the first 12 predictions are in {part}" in capsys.readouterr().err
    with part.open(newline="") as file:
        assert labels(list(csv.DictReader(file))) == labels(complete[:12])
    assert target.read_bytes() == before  # of the earlier predictions


def test_a_network_that_hesitates_between_most_classes_is_warned_about(runs: Runs, tmp_path: Path) -> None:
    run = runs("model=linear", "optimizer.lr=1e-6", "+trainer.limit_train_batches=1")
    row, *_ = predict(run, write(tmp_path / "a", digits()[:2]), tmp_path / "a.csv", **CPU)
    assert row["warning"].startswith("undecided: between ")
    assert row["warning"].endswith(" of 10 classes")


def test_runs_of_earlier_versions_predict_without_warnings(digits_run: Path, tmp_path: Path) -> None:
    shutil.copytree(digits_run, tmp_path / "run")
    values = RunFolder(tmp_path / "run").spec().to_dict()
    kept = {key: value for key, value in values.items() if key != "ground"}
    RunFolder(tmp_path / "run").images_path.unlink()
    RunFolder(tmp_path / "run").spec_path.write_text(json.dumps(kept))
    rows = predict(tmp_path / "run", write(tmp_path / "a", noise(5)), tmp_path / "a.csv", **CPU)
    assert not any("unlike" in row["warning"] for row in rows)
    image = read_image(tmp_path / "a" / "000.png", (1, 8, 8))
    assert np.array_equal(image, noise(5)[0])


@pytest.fixture(scope="module")
def table_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a table of a number and a truth value."""
    folder = tmp_path_factory.mktemp("table")
    lines = [f"{x},{x > 0},{'high' if x > 0 else 'low'}" for x in np.linspace(-3, 3, 60).round(3).tolist()]
    (folder / "table.csv").write_text("\n".join(["x,up,level", *lines]) + "\n")
    words = (
        "data=table",
        f"data.file={folder / 'table.csv'}",
        "model=linear",
        "optimizer.lr=0.1",
        "data.batch_size=16",
    )
    train(compose("trainer.max_epochs=15", "trainer.accelerator=cpu", *words), run_dir=folder / "run")
    return folder / "run"


def test_a_row_that_cannot_be_read_has_no_prediction_and_the_others_have(
    table_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, target = tmp_path / "new.csv", tmp_path / "found.csv"
    table.write_text("x,up\nlarge,0\n-2.5,no\n2.5,1\n2,perhaps\n2\n2,T\n")
    capsys.readouterr()
    rows = predict(table_run, table, target, batch_size=1, **CPU)
    assert [row["label"] for row in rows] == ["", "low", "high", "", "", "high"]
    assert [row["row"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["warning"] for row in rows] == [
        "no prediction: x is 'large', not a finite number",
        *("", "", "no prediction: up is 'perhaps', not true or false", "no prediction: 1 values, not 2", ""),
    ]
    assert {rows[0][key] for key in rows[0].keys() - {"row", "warning"}} == {""}
    with target.open(newline="") as file:
        assert list(csv.DictReader(file)) == [{key: str(value) for key, value in row.items()} for row in rows]
    printed = capsys.readouterr().out
    assert "warning: 3 of 6 no prediction: x is 'large', not a finite number (1)" in printed
    assert f"3 predictions for 6 rows in {target}" in printed
    assert "data." not in printed
    table.write_text("x;up\nlarge;0\nlong;no\n")
    with pytest.raises(ValueError, match=r"new.csv: must contain a row that can be read; none of its 2 can"):
        predict(table_run, table, target, **CPU)
    assert "left out: row 1: x is 'large'" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["images", "numbers", "text"])
def test_a_failed_prediction_says_that_an_earlier_file_is_not_its_result(
    kind: str, table_run: Path, digits_run: Path, runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "found.csv"
    if kind == "images":
        run, good, bad = digits_run, write(tmp_path / "good", digits()[:2]), tmp_path / "bad"
        (bad / "0.png").parent.mkdir()
        (bad / "0.png").write_bytes(b"no image")
    elif kind == "numbers":
        run, good, bad = table_run, tmp_path / "good.csv", tmp_path / "bad.csv"
        good.write_text("x,up\n1,1\n")
        bad.write_text("y\n1\n")
    else:
        (tmp_path / "text.txt").write_text(TEXT * 20)
        words = ("model.hidden_size=8", "data.length=10", "data.batch_size=8")
        run = runs("data=text", "model=lstm", f"data.file={tmp_path / 'text.txt'}", *words)
        good, bad = tmp_path / "text.txt", tmp_path / "bad.txt"
    with pytest.raises(ValueError, match=r"bad"):
        predict(run, bad, target, **CPU)
    assert "earlier" not in capsys.readouterr().err
    predict(run, good, target, **CPU)
    before = target.read_bytes()
    assert "earlier" not in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"bad"):
        predict(run, bad, target, **CPU)
    assert f"{target} is the result of an earlier prediction, not of this one" in capsys.readouterr().err
    assert target.read_bytes() == before


def test_larger_images_than_predict_max_pixels_are_left_out(
    digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "images", digits()[:2])
    Image.new("L", (40, 40)).save(folder / "large.png")
    assert len(predict(digits_run, folder, tmp_path / "a.csv", max_pixels=1599, **CPU)) == 2
    assert "predict.max_pixels" in capsys.readouterr().out
    assert len(predict(digits_run, folder, tmp_path / "a.csv", max_pixels=1600, **CPU)) == 3
    with pytest.raises(ValueError, match=r"^predict.max_pixels=0: must be at least 1"):
        predict(digits_run, folder, tmp_path / "a.csv", max_pixels=0, **CPU)
