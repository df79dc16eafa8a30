import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import firstlight as fl
from firstlight.commands.trained.explain import main
from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.runs.explain.explainer import MAX_INPUTS, check_explains, explain
from firstlight.tasks.build import build_task
from firstlight.training.run import train
from helpers.generate import write_image
from helpers.small import IMAGES


@pytest.fixture(scope="module")
def table_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on a table whose target is a number."""
    folder = tmp_path_factory.mktemp("runs") / "table"
    words = ("data=diabetes", "model=mlp", "trainer.max_epochs=8", "trainer.accelerator=cpu")
    train(compose(*words), run_dir=folder)
    return folder


def is_drawn(path: Path) -> bool:
    with Image.open(path) as image:
        return np.asarray(image.convert("L")).std() > 5


def test_the_first_images_of_a_folder_are_explained(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(MAX_INPUTS + 2):
        write_image(tmp_path / "photos" / f"{number:02}.png", 20 * number)
    (tmp_path / "photos" / "00.png").write_bytes(b"no image")
    found = explain(trained_run, tmp_path / "photos", tmp_path / "why.jpg", "7", accelerator="cpu", invert=False)
    assert found == tmp_path / "why.jpg"
    assert is_drawn(found)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"left out: {tmp_path / 'photos' / '00.png'}: cannot read")
    assert [line.split()[0][-6:] for line in lines[1:8]] == [f"{number:02}.png" for number in range(1, 8)]
    assert all("explains 7" in line for line in lines[1:8])
    sums = [re.search(r"gradients (\S+) of (\S+)", line) for line in lines[1:8]]
    assert all(each and float(each[1]) == pytest.approx(float(each[2]), abs=0.01) for each in sums)
    assert "without Grad-CAM, because Linear has no layer with feature maps" in lines
    assert lines[-2:] == ["the first 7 of 10 images are explained", f"figure in {found}"]


def test_a_table_is_explained_on_its_test_split(table_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(table_run, repeats=2, accelerator="cpu") == table_run / "explain.png"
    assert is_drawn(table_run / "explain.png")
    lines = capsys.readouterr().out.splitlines()
    tested = fl.load_run(table_run).metrics["test/r2"]
    assert float(lines[0].split()[1]) == pytest.approx(tested, abs=1e-5)
    assert lines[0].endswith("falls if a column is shuffled, by")
    assert {line.split()[0] for line in lines[1:3]} == {"bmi", "s5"}  # the columns that matter most in the literature
    assert len(lines) == 1 + 10 + 1


def test_rows_are_explained_and_those_that_cannot_be_read_are_not(
    table_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = "age,sex,bmi,bp,s1,s2,s3,s4,s5,s6"
    table = tmp_path / "rows.csv"
    table.write_text(f"{names}\n50,1,40,100,180,110,40,4,5,90\n50,1,what,100,180,110,40,4,5,90\n")
    explain(table_run, table, tmp_path / "rows.svg", accelerator="cpu")
    out = capsys.readouterr().out
    assert re.search(r"^row 1: .* explains .*, from \S+ for the mean row$", out, flags=re.MULTILINE)
    assert re.search(r"^  bmi +\+\d", out, flags=re.MULTILINE)
    assert "row 2: " not in out
    assert (tmp_path / "rows.svg").read_text().startswith("<?xml")


def test_changed_data_is_refused_and_named_data_is_found(table_run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(table_run, tmp_path / "run")
    record = json.loads((copy / "data.json").read_text())
    record["samples"]["test"] += 1
    (copy / "data.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"must hold the data on which the run .* was trained"):
        explain(copy, accelerator="cpu")
    explain(table_run, output=tmp_path / "a.png", data={"dir": str(tmp_path)}, repeats=1, accelerator="cpu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "input: must be an image, or a folder of images, because the network was trained on images."),
        ({"input": "{nowhere}"}, "input={nowhere}: must be an existing file or folder."),
        ({"input": "{photo}", "output": "{photo}"}, "output={photo}: must be another file, because it would replace"),
        ({"input": "{photo}", "output": "a.txt"}, "output=a.txt: must end in one of .png"),
        ({"input": "{photo}", "class_name": "12"}, "class=12: unknown class, did you mean '1'?"),
        ({"input": "{photo}", "repeats": 0}, "repeats=0: must be at least 1."),
        ({"input": "{photo}", "checkpoint": "lst"}, "checkpoint=lst: unknown checkpoint of "),
        ({"input": "{broken}"}, "input={broken}: must contain an image that can be read."),
    ],
)
def test_a_mistake_is_reported(trained_run: Path, tmp_path: Path, options: dict[str, str], message: str) -> None:
    paths = {"photo": tmp_path / "photo.png", "broken": tmp_path / "broken.png", "nowhere": tmp_path / "no.png"}
    write_image(paths["photo"], 5)
    paths["broken"].write_bytes(b"x")
    filled = {key: value.format(**paths) if isinstance(value, str) else value for key, value in options.items()}
    before = paths["photo"].read_bytes()
    with pytest.raises(ValueError, match="^" + re.escape(message.format(**paths))):
        explain(trained_run, accelerator="cpu", **filled)  # type: ignore[arg-type]
    assert paths["photo"].read_bytes() == before


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("autoencoder", "class=7: must be null with task=reconstruction, which has no classes."),
        ("gan", "run=RUN: must be a run of another task than adversarial, which cannot be explained."),
    ],
)
def test_a_class_is_refused_where_there_is_none_and_so_is_a_generator(model: str, message: str) -> None:
    task = build_task(RunConfig.from_overrides(f"model={model}"), IMAGES)
    with pytest.raises(ValueError, match=f"^{message}$"):
        check_explains(task, "RUN", "7")


def test_the_command_takes_the_name_of_a_class_as_text(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "a, b (1).png", 5)
    words = [f"run={trained_run}", f"input={tmp_path / 'a, b (1).png'}", "class=7", f"output={tmp_path / 'f.png'}"]
    monkeypatch.setattr("sys.argv", ["explain", *words, "accelerator=cpu"])
    with pytest.raises(SystemExit) as end:
        main()
    printed = capsys.readouterr()
    assert end.value.code == 0, printed.err
    assert "explains 7" in printed.out
    assert is_drawn(tmp_path / "f.png")


def test_a_program_gets_the_figure_of_images_in_memory_and_of_a_table(trained_run: Path, table_run: Path) -> None:
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    figure = fl.load_run(trained_run, accelerator="cpu").explain([image, image.T], class_name="3", invert=False)
    assert figure.mode == "RGB"
    assert figure.height > 500  # two rows of panels
    assert np.asarray(fl.load_run(table_run, accelerator="cpu").explain()).std() > 5
    with pytest.raises(ValueError, match=r"^class=no: unknown class"):
        fl.load_run(trained_run, accelerator="cpu").explain(image, class_name="no")
