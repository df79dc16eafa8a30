import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

import firstlight as fl
from firstlight.runs.predict import predict
from helpers.generate import write_classes
from helpers.runs import TINY, history

SIZES = [("L", (8, 8)), ("L", (13, 40)), ("RGB", (5, 9)), ("RGBA", (30, 21)), ("L", (1, 64))]


@pytest.fixture(scope="module")
def colour_run(tmp_path_factory: pytest.TempPathFactory) -> fl.Run:
    folder = tmp_path_factory.mktemp("colour")
    write_classes(folder / "train", 8)
    write_classes(folder / "test", 2)
    words = ("data=folder", f"data.dir={folder}", "data.image_size=16", *TINY)
    return fl.train(*words, run_dir=folder / "run")


@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
def test_an_image_as_path_object_array_or_bytes_gets_the_numbers_of_predict(
    colour: bool, trained_run: Path, colour_run: fl.Run, tmp_path: Path
) -> None:
    run = colour_run if colour else fl.load_run(trained_run)
    random = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    paths, arrays = [], []
    for number, (mode, (height, width)) in enumerate(SIZES):
        pixels = random.integers(0, 256, (height, width, len(mode)), dtype=np.uint8)
        arrays.append(pixels[..., 0] if mode == "L" else pixels)
        paths.append(tmp_path / "images" / f"{number}.png")
        Image.fromarray(arrays[-1]).save(paths[-1])
    expected = predict(run.path, tmp_path / "images", tmp_path / "rows.csv")

    def numbers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{key: value for key, value in row.items() if key not in ("path", "image")} for row in rows]

    forms: dict[str, list[Any]] = {
        "paths": paths,
        "texts": list(map(str, paths)),
        "bytes": [path.read_bytes() for path in paths],
        "images": [Image.open(path) for path in paths],
        "decoded": [Image.open(io.BytesIO(path.read_bytes())) for path in paths],
        "arrays": arrays,
        "tensors": [torch.from_numpy(array) for array in arrays],
        "floats": [array / 255 for array in arrays],
        "channels first": [array if array.ndim == 2 else array.transpose(2, 0, 1) for array in arrays],
    }
    for form, items in forms.items():
        assert numbers(run.predict(items)) == numbers(expected), form
    for image in forms["images"]:  # read from their paths, because they are not decoded
        image.close()
    assert run.predict(tmp_path / "images") == expected
    assert numbers(run.predict(str(paths[2]))) == numbers(expected[2:3])
    assert [row["image"] for row in run.predict([paths[0], arrays[1]])] == [str(paths[0]), 2]
    for one, row in zip(forms["arrays"], expected, strict=True):
        assert numbers(run.predict(one)) == numbers([row])


def test_an_array_of_several_images_is_a_batch(trained_run: Path) -> None:
    run, images = fl.load_run(trained_run), np.random.default_rng(0).integers(0, 256, (7, 20, 8), dtype=np.uint8)
    expected = run.predict(list(images))
    assert run.predict(images) == run.predict(images[:, None]) == run.predict(images[..., None]) == expected
    assert run.predict(images, batch_size=2) == expected


def test_what_is_no_image_is_refused(trained_run: Path, tmp_path: Path) -> None:
    run = fl.load_run(trained_run)
    (tmp_path / "broken.png").write_bytes(b"no image")
    for inputs, message in (
        (np.zeros((2, 2, 2, 2, 2)), r"^input: must be images, paths or bytes of images, or arrays \(height, width\)"),
        (np.full((8, 8), 300), r"^input: image 1: must have pixels of type uint8, or numbers from 0 to 255, not int64"),
        (np.full((8, 8), -0.5), "must have pixels of type uint8, or numbers from 0 to 1, not float64 from -0.5"),
        (b"no image", r"^image 1: cannot read"),
        ([tmp_path / "broken.png"], r"broken\.png: cannot read"),
        (tmp_path / "broken.png", r"broken\.png: cannot read"),
        (tmp_path / "nowhere.png", r"^input=.*nowhere\.png: must be an existing file or folder\.$"),
        ([], r"^input: must have at least one sample\.$"),
        ({"a": 1}, r"^input: must be images"),
    ):
        with pytest.raises(ValueError, match=message):
            run.predict(inputs)


def test_a_folder_leaves_out_what_cannot_be_read_and_nothing_is_written(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained_run, tmp_path / "run")
    before = sorted((tmp_path / "run").rglob("*"))
    (tmp_path / "images").mkdir()
    Image.new("L", (9, 9)).save(tmp_path / "images" / "one.png")
    (tmp_path / "images" / "two.png").write_bytes(b"no image")
    assert len(fl.load_run(tmp_path / "run").predict(tmp_path / "images")) == 1
    assert capsys.readouterr().out.startswith("left out: ")
    assert sorted((tmp_path / "run").rglob("*")) == before


def test_rows_frames_and_files_of_a_table_get_the_same_numbers(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(
        "age,colour,member,born,price\n"
        + "".join(
            f"{i * 1.5},{'red' if i % 3 else 'blue'},{i % 2 == 0},2020-01-{1 + i % 28:02},{i * 2}\n" for i in range(60)
        )
    )
    words = (f"data.file={tmp_path / 'table.csv'}", "data=table", "model=mlp", *TINY[1:], f"data.dir={tmp_path}")
    run = fl.train(*words, run_dir=tmp_path / "run")
    (tmp_path / "new.csv").write_text("age,colour,member,born\n3.25,red,True,2020-01-05\n,blue,False,2020-01-09\n")
    expected = predict(run.path, tmp_path / "new.csv", tmp_path / "rows.csv", accelerator="cpu")
    frame = pl.read_csv(tmp_path / "new.csv", try_parse_dates=True)
    assert run.predict(tmp_path / "new.csv") == expected
    assert (
        run.predict(frame) == run.predict(frame.to_dicts()) == run.predict(frame.to_dict(as_series=False)) == expected
    )
    assert run.predict(frame.to_dicts()[0])[0]["price"] == pytest.approx(expected[0]["price"], rel=1e-6)
    with pytest.raises(ValueError, match=r"^the rows: cannot read \(3 of 4 columns are missing, such as 'colour'\)"):
        run.predict({"age": 3})
    with pytest.raises(ValueError, match=r"^input: must be rows, a mapping of columns or a data frame, not int\.$"):
        run.predict(3)


def test_texts_are_predicted_one_by_one_or_together(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("A line of text, and another one.\n" * 60)
    words = ("data=text", "data.length=16", "model=lstm", "model.hidden_size=8", f"data.file={tmp_path / 'text.txt'}")
    run = fl.train(*words, *TINY[1:], "+trainer.limit_train_batches=3", run_dir=tmp_path / "run")
    expected = predict(run.path, "A line", tmp_path / "rows.csv", accelerator="cpu")
    assert run.predict("A line") == run.predict(["A line"]) == expected
    assert [row["line"] for row in run.predict(["A line", "of text"])] == [1, 2]
    with pytest.raises(ValueError, match=r"^input: must be a text, or a list of texts, not int\.$"):
        run.predict(5)
    assert isinstance(run.sample(length=3, prompt="A", output=tmp_path / "sample.txt"), str)


def test_a_run_shows_its_metrics_history_config_and_network(trained_run: Path) -> None:
    run = fl.load_run(str(trained_run))
    rows = history(trained_run)
    assert run.history["epoch"].to_list() == [1, 2]
    assert run.history["val/loss"].to_list() == [float(row["val/loss"]) for row in rows]
    assert run.metrics["status"] == "completed"
    assert run.config.model["_target_"] == "firstlight.networks.Linear"
    assert run.spec.labels == tuple("0123456789")
    assert not run.network.training
    assert run.network is run.task.network
    assert f"<Run {trained_run}, completed, test/loss {run.metrics['test/loss']:.4f}" in repr(run)
    shown = run._repr_html_()
    assert "<td" in shown
    assert f"{run.metrics['test/accuracy']:.6g}" in shown
    assert "color:" not in shown.replace("border-color:", "")  # the colours are those of the page
    last = fl.load_run(trained_run, checkpoint="last")
    assert last.evaluate("val")["val/loss"] == float(rows[-1]["val/loss"])


def test_a_run_that_has_not_trained_or_does_not_exist_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^run=.*nowhere: must be a run folder, which contains a config\.yaml\."):
        fl.load_run(tmp_path / "nowhere")
    config = fl.RunConfig.from_overrides(*TINY)
    from firstlight.runs import RunFolder

    RunFolder.create(config, tmp_path / "run")
    run = fl.load_run(tmp_path / "run")
    assert "unfinished" in repr(run)
    assert "unfinished" in run._repr_html_()
    assert run.history.is_empty()
    with pytest.raises(ValueError, match=r": must be a run that has trained"):
        run.predict(np.zeros((8, 8)))


def test_a_pretrained_network_predicts_without_a_run() -> None:
    network = fl.load_pretrained("efficientnet_lite0", group="dog_cat", accelerator="cpu")
    (row,) = network.predict(np.zeros((40, 30, 3), np.uint8))
    assert {"image", "label", "probability", "top_5", "warning"} < set(row)
    assert len(network.spec.labels) == 1000


def test_a_stack_of_grey_images_has_a_row_for_each(tmp_path: Path) -> None:
    run = fl.train(*TINY, run_dir=tmp_path / "run")
    for number in (1, 3, 4, 5):
        assert len(run.predict(np.zeros((number, 8, 8), np.uint8))) == number
