import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from firstlight.config import compose
from firstlight.data import Digits
from firstlight.load import load_run
from firstlight.predict import predict


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
