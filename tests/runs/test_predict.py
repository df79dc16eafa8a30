import csv
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from timm.data import create_transform

from firstlight.config.compose import compose, to_plain
from firstlight.data import Digits
from firstlight.data.images import read_image
from firstlight.runs.load import load_pretrained, load_run
from firstlight.runs.predict import predict
from firstlight.training.run import train
from helpers.generate import write_classes

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


def test_images_of_the_test_split_get_the_labels_that_testing_gave(trained_run: Path, digits_folder: Path) -> None:
    rows = predict(trained_run, digits_folder, digits_folder / "labels.csv", accelerator="cpu")
    right = sum(Path(row["path"]).stem.endswith(row["label"]) for row in rows)
    task = load_run(trained_run)
    split = Digits(str(digits_folder.parent)).store().splits["test"]
    raw, targets = split.take(torch.arange(40))
    assert right == int((task.network(task.preprocess(raw)).argmax(1) == targets).sum())


def test_the_csv_has_the_columns_of_the_contract(trained_run: Path, digits_folder: Path) -> None:
    run = digits_folder.parent / "run"
    shutil.copytree(trained_run, run)
    predict(run, digits_folder, accelerator="cpu")
    with (run / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "label", "probability", "top_1", "top_2", "top_3", "top_4", "top_5"]
    assert len(rows) == 40
    assert rows[0]["top_1"] == f"{rows[0]['label']}={float(rows[0]['probability']):.6f}"


def test_batches_make_no_difference(trained_run: Path, digits_folder: Path) -> None:
    output = digits_folder / "labels.csv"
    whole = predict(trained_run, digits_folder, output, accelerator="cpu")
    pieces = predict(trained_run, digits_folder, output, accelerator="cpu", batch_size=7)
    assert [row["label"] for row in whole] == [row["label"] for row in pieces]


def test_a_damaged_image_is_told_and_the_others_are_predicted(
    trained_run: Path, digits_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (digits_folder / "broken.jpg").write_bytes(b"<html>not an image</html>")
    rows = predict(trained_run, digits_folder, digits_folder / "labels.csv", accelerator="cpu")
    assert len(rows) == 40
    assert "broken.jpg: not an image" in capsys.readouterr().out


@pytest.mark.filterwarnings("default")  # as it is outside of tests
def test_an_image_so_large_that_it_may_be_an_attack_is_left_out(
    trained_run: Path, digits_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (40, 30)).save(digits_folder / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    rows = predict(trained_run, digits_folder, digits_folder / "labels.csv", accelerator="cpu")
    assert len(rows) == 40
    assert "large.png: not an image that can be read (Image size (1200 pixels)" in capsys.readouterr().out


def test_nothing_to_predict_is_refused(trained_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no such file or folder"):
        predict(trained_run, tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no images in this folder"):
        predict(trained_run, tmp_path)
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match="none of the 1 images can be read"):
        predict(trained_run, tmp_path, accelerator="cpu")


def test_a_run_that_never_trained_cannot_predict(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(json.dumps({"seed": 1} | {"model": dict(compose().model)}))
    Image.new("L", (8, 8)).save(tmp_path / "image.png")
    with pytest.raises(ValueError, match="ended before it began to train"):
        predict(tmp_path, tmp_path / "image.png", accelerator="cpu")


def test_one_score_for_two_classes_gives_both_probabilities(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", 8)
    write_classes(tmp_path / "test", 2)
    words = ("data=folder", f"data.dir={tmp_path}", "model=linear", "task.binary=true", "optimizer.lr=1e-6")
    train(compose(*words, "trainer.max_epochs=1", "trainer.accelerator=cpu"), run_dir=tmp_path / "run")
    rows = predict(tmp_path / "run", tmp_path / "test", accelerator="cpu")
    task = load_run(tmp_path / "run")
    for row in rows:
        image = torch.tensor(read_image(Path(row["path"]), task.spec.stored_shape))
        (score,) = task.network(task.preprocess(image[None])).flatten().tolist()
        found = dict(row[f"top_{place}"].split("=") for place in (1, 2))
        is_dog = 1 / (1 + math.exp(-score))
        assert 0.01 < is_dog < 0.99
        assert {label: float(share) for label, share in found.items()} == pytest.approx(
            {"dog": is_dog, "cat": 1 - is_dog}, abs=1e-5
        )


def test_a_run_on_numbers_or_without_classes_is_told_apart(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "image.png")
    for data, told in (("iris", "it was trained on numbers"), ("diabetes", "it does not classify")):
        train(compose(f"data={data}", "trainer.max_epochs=1", "trainer.accelerator=cpu"), run_dir=tmp_path / data)
        with pytest.raises(ValueError, match=told):
            predict(tmp_path / data, tmp_path / "image.png", accelerator="cpu")


def network(*words: str) -> dict[str, Any]:
    return to_plain(compose(*words, "input=photo.jpg", config_name="predict"))["model"]


LITE = network("model=efficientnet_lite0")


def test_a_folder_gets_a_contact_sheet_beside_its_csv(trained_run: Path, digits_folder: Path) -> None:
    predict(trained_run, digits_folder, digits_folder / "labels.csv", accelerator="cpu", batch_size=15)
    with Image.open(digits_folder / "labels.png") as sheet:
        pixels = np.asarray(sheet)
    first = np.asarray(Image.open(min(digits_folder.glob("000_*.png"))))
    assert np.array_equal(pixels[4:68:8, 4:68:8, 0], first)
    assert pixels.shape[0] // 5 in range(68, 100)  # 40 images, eight in a row
    predict(trained_run, min(digits_folder.glob("000_*.png")), digits_folder / "one.csv", accelerator="cpu")
    assert not (digits_folder / "one.png").exists()


def test_predictions_in_the_folder_of_the_images_can_be_made_again(trained_run: Path, digits_folder: Path) -> None:
    output = digits_folder / "labels.csv"
    rows = predict(trained_run, digits_folder, output, accelerator="cpu")
    assert predict(trained_run, digits_folder, output, accelerator="cpu") == rows  # the sheet is not among them
    for path in digits_folder.glob("*_*.png"):
        path.unlink()
    with pytest.raises(ValueError, match="no images in this folder but the contact sheet"):
        predict(trained_run, digits_folder, output, accelerator="cpu")


def test_no_image_is_written_over(trained_run: Path, digits_folder: Path) -> None:
    (first, *_) = sorted(digits_folder.glob("*.png"))
    before = first.read_bytes()
    for output in (first, first.with_suffix(".csv")):
        with pytest.raises(ValueError, match=f"{first} is one of the images, and would be lost"):
            predict(trained_run, digits_folder, output, accelerator="cpu")
    with pytest.raises(ValueError, match="this is the name for the contact sheet"):
        predict(trained_run, digits_folder, digits_folder.parent / "labels.png", accelerator="cpu")
    assert first.read_bytes() == before
    assert not list(digits_folder.parent.glob("labels*"))


def test_a_network_with_its_weights_predicts_without_a_run(
    script: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    answer = script("predict", "model=efficientnet_lite0", f"input={FLOWER}", "predict.group=dog_cat")
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("daisy ")
    assert len(lines) == 7
    assert lines[5].startswith("dog_cat: neither")
    assert lines[6] == "1 prediction in predictions.csv"
    with (tmp_path / "predictions.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["path"], row["label"], row["dog_cat"]) == (str(FLOWER), "daisy", "neither")
    assert 0.9 < float(row["dog_cat_probability"]) <= 1
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.csv"]


def test_a_mistake_is_told_before_anything_is_loaded(script: Callable[..., CompletedProcess[str]]) -> None:
    answer = script("predict", "model=gan", f"input={FLOWER}", PYTHONPROFILEIMPORTTIME="1")
    assert answer.returncode == 1
    *imports, told = answer.stderr.splitlines()
    assert told == "model: this network does not classify, so there are no labels to predict."
    assert not {line.rsplit("|", 1)[-1].strip() for line in imports} & {"torch", "lightning", "torchvision"}


def test_a_folder_of_photographs_is_told_by_a_network_with_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for photograph in (CHINA, FLOWER):
        shutil.copy(photograph, tmp_path)
    monkeypatch.chdir(tmp_path)
    rows = predict(None, tmp_path, accelerator="cpu", model=LITE, output="found/labels.csv")
    assert [row["label"] for row in rows] == ["palace", "daisy"]
    assert {path.name for path in (tmp_path / "found").iterdir()} == {"labels.csv", "labels.png"}
    assert "china.jpg  palace" in capsys.readouterr().out


def test_weights_see_photographs_as_timm_shows_them_to_them(tmp_path: Path) -> None:
    with Image.open(FLOWER) as photograph:
        square = photograph.crop((100, 0, 500, 400))
    square.save(tmp_path / "square.png")
    task = load_pretrained(LITE)
    facts = timm.get_pretrained_cfg("tf_efficientnet_lite0")
    assert facts is not None
    show = create_transform(
        facts.input_size, interpolation="bicubic", mean=facts.mean, std=facts.std, crop_pct=facts.crop_pct
    )
    image = read_image(tmp_path / "square.png", task.spec.stored_shape, interpolation=task.spec.interpolation)
    found = task.preprocess(torch.tensor(image)[None])
    torch.testing.assert_close(found[0], show(square), atol=1.01 / 127.5, rtol=0)  # a grey level, by rounding


def test_a_checkpoint_predicts_as_its_run_does(trained_run: Path, digits_folder: Path) -> None:
    weights = f"model.weights={trained_run / 'checkpoints' / 'best.ckpt'}"
    by_run = predict(trained_run, digits_folder, digits_folder / "a.csv", accelerator="cpu")
    (digits_folder / "a.png").unlink()
    model = network("model=linear", weights)
    assert predict(None, digits_folder, digits_folder / "b.csv", accelerator="cpu", model=model) == by_run


def test_weights_that_do_not_make_a_classifier_are_refused(tmp_path: Path, trained_run: Path) -> None:
    photograph = tmp_path / "photo.jpg"
    shutil.copy(FLOWER, photograph)
    other_head = dict(load_pretrained(LITE).network.state_dict())
    other_head["classifier.weight"], other_head["classifier.bias"] = torch.zeros(10, 1280), torch.zeros(10)
    torch.save(other_head, tmp_path / "ten.pth")
    torch.save({"weight": torch.zeros(2, 3)}, tmp_path / "lenet.pth")
    for model, told in (
        (LITE | {"weights": str(tmp_path / "ten.pth")}, "'classifier.weight' is 10x1280, not 1000x1280"),
        (network("model=mlp", f"model.weights={trained_run / 'checkpoints' / 'best.ckpt'}"), "weights of another"),
        (LITE | {"weights": "IMAGENET"}, "did you mean 'IMAGENET1K'"),
        (LITE | {"head": "mlp"}, "are for training"),
        (network("model=lenet"), "there are none for LeNet"),
        (network("model=lenet", f"model.weights={tmp_path / 'lenet.pth'}"), "nobody knows its classes and images"),
    ):
        with pytest.raises(ValueError, match=told):
            predict(None, photograph, tmp_path / "labels.csv", accelerator="cpu", model=model)
    assert not (tmp_path / "labels.csv").exists()


def test_groups_are_for_networks_that_know_the_classes_of_imagenet(trained_run: Path, digits_folder: Path) -> None:
    with pytest.raises(ValueError, match="the 1000 classes of ImageNet"):
        predict(trained_run, digits_folder, digits_folder / "labels.csv", accelerator="cpu", group="dog_cat")
