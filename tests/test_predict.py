import csv
import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from generate import write_classes
from PIL import Image

from firstlight.config import compose
from firstlight.data import Digits
from firstlight.load import load_run
from firstlight.pictures import read_picture
from firstlight.predict import predict
from firstlight.run import train


@pytest.fixture
def digits_folder(tmp_path: Path) -> Path:
    """The test digits as 8x8 PNG files, named by number and class."""
    split = Digits(str(tmp_path)).store().splits["test"]
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, (image, target) in enumerate(zip(*split.take(torch.arange(40)), strict=True)):
        Image.fromarray(image[0].numpy()).save(folder / f"{number:03}_{target}.png")
    return folder


def test_pictures_of_the_test_split_get_the_labels_that_testing_gave(trained_run: Path, digits_folder: Path) -> None:
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


def test_a_damaged_picture_is_told_and_the_others_are_predicted(
    trained_run: Path, digits_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (digits_folder / "broken.jpg").write_bytes(b"<html>not a picture</html>")
    rows = predict(trained_run, digits_folder, digits_folder / "labels.csv", accelerator="cpu")
    assert len(rows) == 40
    assert "broken.jpg: not a picture" in capsys.readouterr().out


@pytest.mark.filterwarnings("default")  # as it is outside of tests
def test_a_picture_so_large_that_it_may_be_an_attack_is_left_out(
    trained_run: Path, digits_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (12, 12)).save(digits_folder / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    rows = predict(trained_run, digits_folder, digits_folder / "labels.csv", accelerator="cpu")
    assert len(rows) == 40
    assert "large.png: not a picture that can be read (Image size (144 pixels)" in capsys.readouterr().out


def test_nothing_to_predict_is_refused(trained_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no such file or folder"):
        predict(trained_run, tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no pictures in this folder"):
        predict(trained_run, tmp_path)
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match="none of the 1 pictures can be read"):
        predict(trained_run, tmp_path, accelerator="cpu")


def test_a_run_that_never_trained_cannot_predict(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(json.dumps({"seed": 1} | {"model": dict(compose().model)}))
    Image.new("L", (8, 8)).save(tmp_path / "picture.png")
    with pytest.raises(ValueError, match="ended before it began to train"):
        predict(tmp_path, tmp_path / "picture.png", accelerator="cpu")


def test_one_score_for_two_classes_gives_both_probabilities(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", 8)
    write_classes(tmp_path / "test", 2)
    words = ("data=folder", f"data.dir={tmp_path}", "model=linear", "task.binary=true", "optimizer.lr=1e-6")
    train(compose(*words, "trainer.max_epochs=1", "trainer.accelerator=cpu"), run_dir=tmp_path / "run")
    rows = predict(tmp_path / "run", tmp_path / "test", accelerator="cpu")
    task = load_run(tmp_path / "run")
    for row in rows:
        picture = torch.tensor(read_picture(Path(row["path"]), task.spec.stored_shape))
        (score,) = task.network(task.preprocess(picture[None])).flatten().tolist()
        found = dict(row[f"top_{place}"].split("=") for place in (1, 2))
        is_dog = 1 / (1 + math.exp(-score))
        assert 0.01 < is_dog < 0.99
        assert {label: float(share) for label, share in found.items()} == pytest.approx(
            {"dog": is_dog, "cat": 1 - is_dog}, abs=1e-5
        )


def test_a_run_on_numbers_or_without_classes_is_told_apart(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "picture.png")
    for data, told in (("iris", "it was trained on numbers"), ("diabetes", "it does not classify")):
        train(compose(f"data={data}", "trainer.max_epochs=1", "trainer.accelerator=cpu"), run_dir=tmp_path / data)
        with pytest.raises(ValueError, match=told):
            predict(tmp_path / data, tmp_path / "picture.png", accelerator="cpu")
