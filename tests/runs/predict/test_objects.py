import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from firstlight.config.compose import compose
from firstlight.data.images.reading import read_image
from firstlight.runs.evaluate import evaluate
from firstlight.runs.load import load_task
from firstlight.runs.predict import predict
from firstlight.runs.predict.objects.originals import place, size_in_file
from firstlight.runs.serve.models.served import open_served
from firstlight.spec import DataSpec
from firstlight.tasks.objects.found import EDGES, Boxes
from firstlight.training.run import train

SPEC = DataSpec((1, 20, 40), 1, ("a",), (0.5,), (0.25,), target_type="boxes")


def placed(size: tuple[int, int], fit: str, *edges: float) -> list[float]:
    boxes = Boxes([dict(zip(EDGES, edges, strict=True))])
    place(boxes, size, DataSpec(**vars(SPEC) | {"fit": fit}))
    return [boxes[0][name] for name in EDGES]


@pytest.mark.parametrize(
    ("size", "fit", "expected"),
    [
        ((80, 80), "stretch", [20, 20, 60, 40]),  # twice as wide, four times as high
        ((80, 80), "crop", [20, 30, 60, 40]),  # rows 20 to 60 are stored, at half their size
        ((80, 80), "pad", [0, 20, 80, 40]),  # 20x20 in the middle, a quarter of the size
        ((40, 20), "crop", [10, 5, 30, 10]),
    ],
)
def test_boxes_return_to_the_pixels_of_the_original(size: tuple[int, int], fit: str, expected: list[float]) -> None:
    assert placed(size, fit, 10, 5, 30, 10) == expected


def test_boxes_beside_a_padded_image_are_cut() -> None:
    assert placed((80, 80), "pad", 0, 0, 40, 20) == [0, 0, 80, 80]


def test_the_size_is_that_of_the_image_as_it_is_shown(tmp_path: Path) -> None:
    image, exif = Image.new("RGB", (30, 20)), Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    image.save(tmp_path / "a.jpg", exif=exif)
    image.save(tmp_path / "b.png")
    assert size_in_file(tmp_path / "a.jpg") == (20, 30)
    assert size_in_file(tmp_path / "b.png", (tmp_path / "b.png").read_bytes()) == (30, 20)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run of localisation on canvases with one digit."""
    data = "data=scattered_digits", "data.target=boxes", "data.image_size=32", "data.min_size=0.4", "data.max_size=0.6"
    sizes = "data.max_digits=1", "data.num_train=20", "data.num_test=4", "data.batch_size=10"
    model = "model=cnn", "model.filters=[4]", "model.hidden_sizes=[8]", "task=localisation"
    trainer = "trainer.max_epochs=1", "trainer.accelerator=cpu", "figures=false", "logger=none"
    folder = tmp_path_factory.mktemp("runs") / "located"
    train(compose(*data, *sizes, *model, *trainer), run_dir=folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images of 96x64 pixels, and a file that is no image."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name, seed in (("a", 0), ("b", 1)):
        pixels = np.random.default_rng(seed).integers(0, 99, (64, 96), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    (folder / "c.png").write_bytes(b"no image")
    return folder


def test_predictions_are_a_table_a_file_of_coco_and_a_contact_sheet(
    run: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = folder.parent / "found.csv"
    rows = predict(run, folder, target, accelerator="cpu")
    task = load_task(run)
    raw = np.stack([read_image(folder / f"{name}.png", task.spec.stored_shape) for name in "ab"])
    expected = task.predict_rows(torch.from_numpy(raw))
    results = json.loads(target.with_suffix(".json").read_text())
    with target.open(newline="") as file:
        written = list(csv.DictReader(file))
    assert len(rows) == len(results) == len(written) == 2
    for number, (row, stored, result, line) in enumerate(zip(rows, expected, results, written, strict=True), 1):
        (box,), (before,) = row["boxes"], stored["boxes"]
        left, top, right, bottom = (box[name] for name in EDGES)
        # The columns 16 to 80 are stored, at half their size.
        moved = [offset + 2 * before[name] for offset, name in zip((16, 0, 16, 0), EDGES, strict=True)]
        assert [left, top, right, bottom] == pytest.approx(moved, abs=0.03)
        assert result["bbox"] == pytest.approx([left, top, right - left, bottom - top], abs=0.02)
        assert (result["image_id"], result["score"]) == (number, row["probability"])
        assert result["category_id"] == 1 + task.spec.labels.index(row["label"])
        assert (result["path"], json.loads(line["boxes"])) == (row["path"], row["boxes"])
    with Image.open(target.with_suffix(".png")) as sheet:
        pixels = np.asarray(sheet)
    assert (pixels[..., 0] != pixels[..., 1]).any()  # the boxes have colours, and the images are grey
    assert f"boxes in the format of COCO in {target.with_suffix('.json')}" in capsys.readouterr().out


def test_what_is_refused(run: Path, folder: Path) -> None:
    with pytest.raises(ValueError, match=r"found\.json: must be a \.csv file"):
        predict(run, folder, folder.parent / "found.json", accelerator="cpu")
    with pytest.raises(ValueError, match="because a server returns rows, and no boxes"):
        open_served(run, None, "best", "cpu", False)
    with pytest.raises(ValueError, match=r"input=.*: must be null with boxes as targets"):
        evaluate(run, input=folder)
