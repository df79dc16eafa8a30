"""A short run of segmentation, from training to the masks of photos."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firstlight.config.compose import compose
from firstlight.runs.evaluate import evaluate
from firstlight.runs.explain.explainer import explain
from firstlight.runs.export import export
from firstlight.runs.load import load_task
from firstlight.runs.predict import predict
from firstlight.runs.serve.models.served import open_served
from firstlight.training.run import train

LABELS = ["background", *map(str, range(10))]
TINY = ["data.image_size=32", "data.num_train=40", "data.num_test=12", "data.max_digits=2", "data.min_size=0.3"]
SHORT = ["model.base_channels=2", "model.depth=2", "trainer.max_epochs=1", "trainer.accelerator=cpu", "logger=csv"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("segmentation")
    words = "data=scattered_digits", "model=unet", f"data.dir={folder}", *TINY, "data.max_size=0.5", *SHORT
    train(compose(*words), run_dir=folder / "run")
    return folder / "run"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Images of several sizes, formats and depths of folders; one is turned by EXIF."""
    folder = tmp_path / "photos"
    (folder / "inner").mkdir(parents=True)
    random = np.random.default_rng(0)
    for name, size in {"wide.png": (45, 30), "wide.jpg": (32, 32), "inner/high.bmp": (20, 61)}.items():
        Image.fromarray(random.integers(0, 256, size[::-1], dtype=np.uint8)).save(folder / name)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees
    Image.fromarray(random.integers(0, 256, (30, 50), dtype=np.uint8)).save(folder / "turned.jpg", exif=exif)
    return folder


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_masks_have_the_size_of_their_images_and_the_numbers_of_their_classes(run: Path, photos: Path) -> None:
    masks, overlays = photos.parent / "masks", photos.parent / "overlays"
    table = photos.parent / "table.csv"
    rows = predict(run, photos, table, accelerator="cpu", masks=masks, overlays=overlays)
    sizes = {"wide.png.png": (45, 30), "wide.jpg.png": (32, 32), "inner/high.png": (20, 61), "turned.png": (30, 50)}
    for folder in (masks, overlays):
        found = {path.relative_to(folder).as_posix(): size_of(path) for path in folder.rglob("*.png")}
        assert found == sizes
    with Image.open(masks / "wide.jpg.png") as mask:
        assert mask.mode == "P"
        numbers = np.asarray(mask)
    row = next(row for row in rows if row["path"].endswith("wide.jpg"))
    fractions = np.bincount(numbers.ravel(), minlength=11) / numbers.size
    assert [row[label] for label in LABELS] == pytest.approx(fractions.tolist(), abs=1e-6)
    with table.open(newline="") as file:
        assert list(next(csv.DictReader(file))) == ["path", *LABELS, "warning"]
    assert table.with_suffix(".png").exists()  # the contact sheet


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("photos/masks", "predict.masks=.*: must be a folder outside of .*photos, where the images are"),
        ("photos", "predict.masks=.*: must be a folder outside of"),
        ("photos/wide.png", "predict.masks=.*: must be a folder, not a file"),
    ],
)
def test_no_mask_is_written_among_the_images(run: Path, photos: Path, folder: str, message: str) -> None:
    before = sorted(photos.rglob("*"))
    with pytest.raises(ValueError, match=message):
        predict(run, photos, photos.parent / "t.csv", accelerator="cpu", masks=photos.parent / folder)
    assert sorted(photos.rglob("*")) == before


def test_other_tasks_have_no_masks(trained_run: Path, photos: Path) -> None:
    with pytest.raises(ValueError, match=r"predict\.masks=.*m: must be null with task=classification"):
        predict(trained_run, photos, photos.parent / "t.csv", accelerator="cpu", masks="m")


@pytest.mark.figures
def test_evaluate_prints_a_row_for_each_class(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluate(run, accelerator="cpu", output=tmp_path)
    assert set(found) == {f"test/{name}" for name in ("loss", "accuracy", "mean_iou", "dice")}
    out = capsys.readouterr().out
    assert re.search(r"class +iou +dice +precision +recall +pixels\nbackground ", out)
    with (tmp_path / "per_class.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == LABELS
    occurs = [row for row in rows if int(row["pixels"]) or float(row["precision"])]
    assert found["test/mean_iou"] <= sum(float(row["iou"]) for row in occurs) / len(occurs) + 1e-5
    assert sum(int(row["pixels"]) for row in rows) == 12 * 32 * 32
    assert (tmp_path / "confusion.png").exists()
    assert (tmp_path / "mistakes.png").exists()


def test_what_is_not_done_is_said(run: Path, photos: Path) -> None:
    with pytest.raises(ValueError, match=r"input=.*: must be null with masks as targets"):
        evaluate(run, input=photos)
    with pytest.raises(ValueError, match="must be a run of another task than segmentation, which cannot be explained"):
        explain(run, photos)
    with pytest.raises(ValueError, match="segmentation, because a server returns rows, and no masks"):
        open_served(str(run), None, "best", "cpu", False)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["unet", "segnet", "fcn"])
def test_an_exported_file_gives_the_same_classes(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "data=scattered_digits", f"model={model}", f"data.dir={tmp_path}", *TINY, "data.max_size=0.5", *SHORT
    train(compose(*words), run_dir=tmp_path / "run")
    path = export(tmp_path / "run")
    assert path.is_file()
    assert "-> logits, classes" in capsys.readouterr().out
    assert load_task(tmp_path / "run").task_name == "segmentation"
