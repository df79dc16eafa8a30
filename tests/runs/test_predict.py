import csv
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from timm.data import create_transform

from firstlight.config import RunConfig
from firstlight.config.compose import compose, to_plain
from firstlight.data import Digits
from firstlight.data.images.reading import read_image
from firstlight.runs.load import load_pretrained, load_task
from firstlight.runs.predict import predict
from firstlight.runs.run_folder import RunFolder
from firstlight.training.run import train
from helpers.generate import png_header, write_classes

CHINA, FLOWER = (Path(name) for name in load_sample_images().filenames)


@pytest.fixture
def digits_folder(tmp_path: Path) -> Path:
    """The test digits as 8x8 PNG files, named by number and class."""
    split = Digits(str(tmp_path)).store().splits["test"]
    folder = tmp_path / "images"
    folder.mkdir()
    for number, (image, target) in enumerate(zip(*split.take(torch.arange(40)), strict=True)):
        Image.fromarray(image[0].numpy()).save(folder / f"{number:03}_{target}.png")
    return folder


def test_image_files_get_the_labels_of_the_same_samples_in_the_store(trained_run: Path, digits_folder: Path) -> None:
    rows = predict(trained_run, digits_folder, digits_folder / "labels.csv", accelerator="cpu")
    task = load_task(trained_run)
    split = Digits(str(digits_folder.parent)).store().splits["test"]
    raw, _ = split.take(torch.arange(40))
    expected = task.network(task.preprocess(raw)).argmax(1).tolist()
    assert [row["label"] for row in rows] == [task.spec.labels[index] for index in expected]


def test_the_csv_file_lies_in_the_run_folder_and_has_a_row_for_each_image(
    trained_run: Path, digits_folder: Path
) -> None:
    run = digits_folder.parent / "run"
    shutil.copytree(trained_run, run)
    predict(run, digits_folder, accelerator="cpu")
    with (run / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "label", "probability", *(f"top_{place}" for place in range(1, 6)), "warning"]
    assert len(rows) == 40
    assert rows[0]["top_1"] == f"{rows[0]['label']}={float(rows[0]['probability']):.6f}"


def test_the_labels_do_not_depend_on_the_batch_size(trained_run: Path, digits_folder: Path) -> None:
    output = digits_folder / "labels.csv"
    one_batch = predict(trained_run, digits_folder, output, accelerator="cpu")
    small_batches = predict(trained_run, digits_folder, output, accelerator="cpu", batch_size=7)
    assert [row["label"] for row in one_batch] == [row["label"] for row in small_batches]


def test_a_damaged_image_is_reported_and_the_others_are_predicted(
    trained_run: Path, digits_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (digits_folder / "broken.jpg").write_bytes(b"<html>not an image</html>")
    rows = predict(trained_run, digits_folder, digits_folder / "labels.csv", accelerator="cpu")
    assert len(rows) == 40
    assert re.search(r"^left out: .*broken\.jpg: ", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.filterwarnings("default")  # as outside of tests
def test_an_image_so_large_that_it_may_be_an_attack_is_left_out(
    trained_run: Path, digits_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (digits_folder / "large.png").write_bytes(png_header(60_000, 60_000, 0))
    rows = predict(trained_run, digits_folder, digits_folder / "labels.csv", accelerator="cpu")
    assert len(rows) == 40
    assert re.search(
        r"^left out: .*large\.png: .*\(Image size \(3600000000 pixels\)", capsys.readouterr().out, re.MULTILINE
    )


def test_the_input_must_contain_a_readable_image(trained_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^input=.*nowhere"):
        predict(trained_run, tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"^input=.*images"):
        predict(trained_run, tmp_path)
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match=r"^input=.*: must contain an image that can be read; none of its 1 can\.$"):
        predict(trained_run, tmp_path, accelerator="cpu")


def test_a_run_that_has_not_trained_cannot_predict(tmp_path: Path) -> None:
    RunFolder.create(RunConfig.from_overrides(), tmp_path)
    Image.new("L", (8, 8)).save(tmp_path / "image.png")
    with pytest.raises(ValueError, match=r": must be a run that has trained, and this one ended before"):
        predict(tmp_path, tmp_path / "image.png", accelerator="cpu")


def test_one_logit_for_two_classes_gives_both_probabilities(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", 8)
    write_classes(tmp_path / "test", 2)
    words = ("data=folder", f"data.dir={tmp_path}", "model=linear", "task.binary=true", "optimizer.lr=1e-6")
    train(RunConfig.from_overrides(*words, "trainer.max_epochs=1", "trainer.accelerator=cpu"), run_dir=tmp_path / "run")
    rows = predict(tmp_path / "run", tmp_path / "test", accelerator="cpu")
    task = load_task(tmp_path / "run")
    for row in rows:
        image = torch.tensor(read_image(Path(row["path"]), task.spec.stored_shape))
        (logit,) = task.network(task.preprocess(image[None])).flatten().tolist()
        found = dict(row[f"top_{place}"].split("=") for place in (1, 2))
        is_dog = 1 / (1 + math.exp(-logit))
        assert 0.01 < is_dog < 0.99
        assert {label: float(probability) for label, probability in found.items()} == pytest.approx(
            {"dog": is_dog, "cat": 1 - is_dog}, abs=1e-5
        )


def network(*words: str) -> dict[str, Any]:
    """Return the node of a network as the command `predict` composes it."""
    return to_plain(compose(*words, "input=photo.jpg", config_name="predict"))["model"]


LITE = network("model=efficientnet_lite0")


def test_the_contact_sheet_of_a_folder_lies_beside_the_csv_file(trained_run: Path, digits_folder: Path) -> None:
    predict(trained_run, digits_folder, digits_folder / "labels.csv", accelerator="cpu", batch_size=15)
    with Image.open(digits_folder / "labels.png") as sheet:
        pixels = np.asarray(sheet)
    first = np.asarray(Image.open(min(digits_folder.glob("000_*.png"))))
    assert np.array_equal(pixels[4:68:8, 4:68:8, 0], first)
    assert pixels.shape[0] // 5 in range(68, 100)  # 40 images, eight in a row
    predict(trained_run, min(digits_folder.glob("000_*.png")), digits_folder / "one.csv", accelerator="cpu")
    assert not (digits_folder / "one.png").exists()


def test_the_contact_sheet_of_earlier_predictions_is_not_predicted(trained_run: Path, digits_folder: Path) -> None:
    output = digits_folder / "labels.csv"
    rows = predict(trained_run, digits_folder, output, accelerator="cpu")
    assert predict(trained_run, digits_folder, output, accelerator="cpu") == rows  # without a row for the contact sheet
    for path in digits_folder.glob("*_*.png"):
        path.unlink()
    with pytest.raises(ValueError, match="must contain images other than the contact sheet of earlier predictions"):
        predict(trained_run, digits_folder, output, accelerator="cpu")


def test_pretrained_weights_recognize_photographs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for photograph in (CHINA, FLOWER):
        shutil.copy(photograph, tmp_path)
    monkeypatch.chdir(tmp_path)
    rows = predict(None, tmp_path, accelerator="cpu", model=LITE, output="found/labels.csv")
    assert [row["label"] for row in rows] == ["palace", "daisy"]
    assert {path.name for path in (tmp_path / "found").iterdir()} == {"labels.csv", "labels.png"}
    assert "china.jpg  palace" in capsys.readouterr().out


def test_photographs_are_preprocessed_as_in_the_training_of_the_weights(tmp_path: Path) -> None:
    with Image.open(FLOWER) as photograph:
        square = photograph.crop((100, 0, 500, 400))
    square.save(tmp_path / "square.png")
    task = load_pretrained(LITE)
    timm_config = timm.get_pretrained_cfg("tf_efficientnet_lite0")
    assert timm_config is not None
    transform = create_transform(
        timm_config.input_size,
        interpolation="bicubic",
        mean=timm_config.mean,
        std=timm_config.std,
        crop_pct=timm_config.crop_pct,
    )
    image = read_image(tmp_path / "square.png", task.spec.stored_shape, interpolation=task.spec.interpolation)
    found = task.preprocess(torch.tensor(image)[None])
    torch.testing.assert_close(found[0], transform(square), atol=1.01 / 127.5, rtol=0)  # one grey level, by rounding


def test_a_checkpoint_predicts_the_same_as_its_run(trained_run: Path, digits_folder: Path) -> None:
    weights = f"model.weights={trained_run / 'checkpoints' / 'best.ckpt'}"
    by_run = predict(trained_run, digits_folder, digits_folder / "a.csv", accelerator="cpu")
    (digits_folder / "a.png").unlink()
    model = network("model=linear", weights)
    assert predict(None, digits_folder, digits_folder / "b.csv", accelerator="cpu", model=model) == by_run


def test_a_group_needs_a_network_that_predicts_the_classes_of_imagenet(trained_run: Path, digits_folder: Path) -> None:
    with pytest.raises(ValueError, match="the 1000 classes of ImageNet"):
        predict(trained_run, digits_folder, digits_folder / "labels.csv", accelerator="cpu", group="dog_cat")


def test_an_output_file_never_replaces_an_image(trained_run: Path, digits_folder: Path) -> None:
    (first, *_) = sorted(digits_folder.glob("*.png"))
    before = first.read_bytes()
    for output in (first, first.with_suffix(".csv")):
        message = rf"^output={output}: must be another file, because it would replace the image {first}\.$"
        with pytest.raises(ValueError, match=message):
            predict(trained_run, digits_folder, output, accelerator="cpu")
    with pytest.raises(ValueError, match=r"must be a \.csv file\. The contact sheet is written beside it as \.png\.$"):
        predict(trained_run, digits_folder, digits_folder.parent / "labels.png", accelerator="cpu")
    assert first.read_bytes() == before
    assert not list(digits_folder.parent.glob("labels*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": LITE}, r"^run: must be set if model is None, and None otherwise\.$"),
        ({"run": None}, r"^run: must be set if model is None, and None otherwise\.$"),
        ({"batch_size": 0}, r"^batch_size=0: must be at least 1\.$"),
        ({"group": "dogcat"}, r"^predict\.group=dogcat: unknown group, did you mean 'dog_cat'\?$"),
        ({"checkpoint": "bset"}, r"^checkpoint=bset: unknown checkpoint of .*, did you mean 'best'\?$"),
        ({"accelerator": "cuba"}, r"^accelerator=cuba: unknown accelerator"),
    ],
)
def test_a_wrong_option_raises_an_error(options: dict[str, Any], message: str, trained_run: Path) -> None:
    with pytest.raises(ValueError, match=message):
        predict(**{"run": trained_run, "input": FLOWER} | options)


def test_the_way_of_an_image_is_printed_step_by_step(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = predict(trained_run, CHINA, tmp_path / "china.csv", accelerator="cpu", steps=True)
    text = capsys.readouterr().out.partition("step by step\n")[2]
    table = dict(re.split(r"  +", line, maxsplit=1) for line in text.strip().splitlines())
    assert table["decoded"].startswith("427x640, RGB ")
    assert table["resized, grey"].startswith("1x8x8  ")
    assert "uint8 from" in table["resized, grey"]
    assert next(value for name, value in table.items() if name.startswith("batch of one")).startswith("1x1x8x8 ")
    assert "float32 from -" in table["normalised"]
    assert table["logits"].startswith("1x10 ")
    assert re.split(" +", table["answer"]) == [row["label"], f"{row['probability']:.1%}"]


def test_the_steps_of_rows_of_a_table_are_refused(tmp_path: Path) -> None:
    train(compose("data=iris", "model=mlp", "trainer.max_epochs=1", "logger=none", "figures=false"), run_dir=tmp_path)
    with pytest.raises(ValueError, match=r"^predict\.steps=true: must be false with a run that does not classify"):
        predict(tmp_path, "rows.csv", steps=True)
