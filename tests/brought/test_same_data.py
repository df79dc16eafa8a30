"""A run is resumed and evaluated on the data that it was trained on; other data is named, and evaluated on request."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer

from firstlight.config import RunConfig
from firstlight.runs import RunFolder
from firstlight.runs.evaluate import evaluate
from firstlight.runs.load import load_task
from firstlight.training.callbacks import Checkpoints
from firstlight.training.module import TrainingModule
from firstlight.training.run import resume, train
from helpers.generate import write_image

SHADES = {"cat": 0, "dog": 90, "eel": 180}
FOLDER = ("data=folder", "model=linear", "data.image_size=8", "data.batch_size=8")
TABLE = ("data=table", "model=linear", "data.batch_size=8")
TEXT = ("data=text", "model=lstm", "model.hidden_size=8", "data.length=10", "data.batch_size=4")
SHORT = ("trainer.accelerator=cpu", "trainer.max_epochs=2")


def write_animals(folder: Path, number: int = 12, names: tuple[str, ...] = tuple(SHADES), first: int = 0) -> Path:
    """Write images whose shade depends on the class."""
    for name in names:
        for index in range(first, first + number):
            write_image(folder / name / f"{index:02}.jpg", SHADES[name] + index % 20)
    return folder


def write_table(path: Path, header: str = "a,b,y", seed: int = 0) -> Path:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(40, header.count(",") + 1)).round(3)
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows.tolist())]) + "\n")
    return path


def stopped(run: Path, *words: str) -> Path:
    """Train, and interrupt the run after its first epoch; return the run folder."""
    save = Checkpoints.save

    def save_and_stop(self: Checkpoints, trainer: Trainer, module: TrainingModule, epoch: int) -> None:
        save(self, trainer, module, epoch)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            train(RunConfig.from_overrides(*words, *SHORT), run_dir=run)
    return run


def rename_class(data: Path) -> None:
    (data / "dog").rename(data / "hound")


def add_class(data: Path) -> None:
    shutil.copytree(data / "dog", data / "zebra")


def remove_images(data: Path) -> None:
    for number in range(4):
        (data / "eel" / f"{number:02}.jpg").unlink()


def swap_labels(data: Path) -> None:
    (data / "cat").rename(data / "x")
    (data / "dog").rename(data / "cat")
    (data / "x").rename(data / "dog")


def replace_image(data: Path) -> None:
    shutil.copy(data / "eel" / "01.jpg", data / "cat" / "00.jpg")


def move_image(data: Path) -> None:
    (data / "cat" / "00.jpg").rename(data / "dog" / "99.jpg")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (rename_class, ["class 'dog' is missing", "class 'hound' is new"]),
        (add_class, ["class 'zebra' is new", "train has 36 samples, not 27"]),
        (remove_images, ["class 'eel' has 8 samples, not 12"]),
        (swap_labels, ["other pixels in train"]),
        (replace_image, ["other pixels in train"]),
        (move_image, ["class 'cat' has 11 samples, not 12", "class 'dog' has 13 samples, not 12"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_run_is_not_resumed_on_other_images(change: Callable[[Path], None], found: list[str], tmp_path: Path) -> None:
    data = write_animals(tmp_path / "data")
    run = stopped(tmp_path / "run", *FOLDER, f"data.dir={data}")
    before = (run / "checkpoints" / "last.ckpt").read_bytes()
    change(data)
    with pytest.raises(ValueError, match=r"^data\.dir=.*data: must hold the data on which the run .*run was") as raised:
        resume(run)
    assert len(str(raised.value).splitlines()) <= 10
    assert [line for line in found if f"- {line}" not in str(raised.value)] == []
    assert (run / "checkpoints" / "last.ckpt").read_bytes() == before
    with pytest.raises(ValueError, match=r"It differs:\n- "):
        evaluate(run, accelerator="cpu")


def test_copied_data_is_the_same_data_and_other_data_leaves_the_config_as_it_is(tmp_path: Path) -> None:
    data = write_animals(tmp_path / "data")
    run = stopped(tmp_path / "run", *FOLDER, f"data.dir={data}")
    other = write_animals(tmp_path / "other", number=13)
    with pytest.raises(ValueError, match=r"other: must hold the data.*\n- .*14 samples|other: must hold the data"):
        resume(run, data_dir=other)
    assert RunFolder(run).config().data["dir"] == str(data)
    for number, path in enumerate(sorted(data.rglob("*.jpg"))):
        os.utime(path, ns=(number, number))
    moved = shutil.move(data, tmp_path / "moved")
    shutil.rmtree(Path(moved) / ".firstlight")
    assert resume(run, data_dir=moved)["status"] == "completed"
    assert evaluate(run, accelerator="cpu").keys() >= {"test/accuracy"}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda path: write_table(path, "b,a,y"), "the order of the columns is another"),
        (lambda path: write_table(path, "a,b,c,y"), "column 'c' is new"),
        (lambda path: write_table(path, "a,b,z"), "target 'y' is missing"),
        (lambda path: path.write_text("\n".join([*path.read_text().splitlines()[:-5], ""])), "train has 25 samples"),
        (lambda path: path.write_text(path.read_text().replace("0.126", "0.127")), "numbers in train"),
    ],
    ids=["swapped columns", "another column", "another target", "fewer rows", "another number"],
)
def test_a_run_is_not_resumed_on_another_table(change: Callable[[Path], None], found: str, tmp_path: Path) -> None:
    path = write_table(tmp_path / "table.csv")
    run = stopped(tmp_path / "run", *TABLE, f"data.file={path}", f"data.dir={tmp_path}")
    if found.startswith("the order"):  # the same numbers below swapped names
        rows = [line.split(",") for line in path.read_text().splitlines()]
        path.write_text("\n".join(f"{b},{a},{y}" for a, b, y in rows) + "\n")
    else:
        change(path)
    with pytest.raises(ValueError, match=rf"^data\.file=.*table\.csv: must hold the data[^\n]*\n(.*\n)*- .*({found})"):
        resume(run)


@pytest.mark.parametrize(
    ("text", "found"),
    [("The cat sleeps under a tree.\n" * 20, "token"), ("xyz abc.\n"[::-1] * 50, "token|text in train")],
)
def test_a_run_is_not_resumed_on_another_text(text: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("xyz abc.\n" * 50)
    run = stopped(tmp_path / "run", *TEXT, f"data.file={path}", f"data.dir={tmp_path}")
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"^data\.file=.*text\.txt: must hold the data[^\n]*\n(.*\n)*- .*({found})"):
        resume(run)


def test_the_same_text_with_other_line_ends_is_the_same_data(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"xyz abc.\n" * 50)
    run = stopped(tmp_path / "run", *TEXT, f"data.file={path}", f"data.dir={tmp_path}")
    path.write_bytes(b"xyz abc.\r\n" * 50)
    assert resume(run)["status"] == "completed"


@pytest.fixture(scope="module")
def animals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that knows the three animals."""
    folder = tmp_path_factory.mktemp("animals")
    data = write_animals(folder / "data")
    words = ("trainer.accelerator=cpu", "trainer.max_epochs=15", "optimizer.lr=0.03")
    assert train(RunConfig.from_overrides(*FOLDER, f"data.dir={data}", *words), folder / "run")["test/accuracy"] == 1
    return folder / "run"


@pytest.mark.parametrize("by", ["input", "data"])
def test_other_images_get_a_report_of_their_own(
    by: str, animals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_animals(tmp_path / "other", names=("dog", "eel"), first=3, number=10)
    if by == "input":
        shutil.move(other / "eel" / "03.jpg", other / "dog" / "wrong.jpg")  # one of twenty has a wrong label
        (other / "eel" / "broken.jpg").write_bytes(b"no image")
    before = {path: path.read_bytes() for path in sorted(animals.rglob("*")) if path.is_file()}
    named: dict[str, Any] = {"input": str(other)} if by == "input" else {"data": {"dir": str(other)}}
    found = evaluate(animals, accelerator="cpu", **named)
    assert found["other/accuracy"] == pytest.approx(0.95 if by == "input" else 1)  # classes 1 and 2 of the run
    assert not any(name.startswith("test/") for name in found)
    printed = capsys.readouterr().out
    assert f"other data than the run's: {other}" in printed
    assert f"{20 if by == 'input' else 4} samples in 2 of 3 classes; without samples: cat" in printed
    assert ("broken.jpg" in printed) == (by == "input")
    assert {path: path.read_bytes() for path in sorted(animals.rglob("*")) if path.is_file()} == before


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"input": "zoo"}, r"zoo/lion: cannot read \(the run has no class of this name\)"),
        ({"data": {"dir": "zoo"}}, r"labels that the run knows \(cat, dog, eel\), and lion is unknown"),
        ({"input": "nowhere"}, r"input=.*nowhere: must be an existing folder"),
        ({"input": "zoo/dog/00.jpg"}, r"input=.*00\.jpg: must be an existing folder"),
        ({"input": "zoo/dog"}, r"zoo/dog: cannot read \(no class folder contains an image\)"),
        ({"input": ""}, r"^input=: must be a path"),
    ],
)
def test_data_with_other_classes_is_refused(
    named: dict[str, Any], message: str, animals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_animals(tmp_path / "zoo")
    (tmp_path / "zoo" / "eel").rename(tmp_path / "zoo" / "lion")
    with pytest.raises(ValueError, match=message):
        evaluate(animals, accelerator="cpu", **named)


def test_another_table_is_standardised_as_in_training(tmp_path: Path) -> None:
    words = (*TABLE, *SHORT, f"data.file={write_table(tmp_path / 'table.csv')}", f"data.dir={tmp_path}")
    train(RunConfig.from_overrides(*words), run_dir=tmp_path / "run")
    other = write_table(tmp_path / "other.csv", seed=1)
    found = evaluate(tmp_path / "run", accelerator="cpu", input=other)
    numbers = torch.from_numpy(np.loadtxt(other, delimiter=",", skiprows=1, dtype=np.float32))
    task = load_task(tmp_path / "run")
    with torch.inference_mode():
        outputs = task.network(task.preprocess(numbers[:, :2]))
    predicted = outputs * task.spec.target_std[0] + task.spec.target_mean[0]
    assert found["other/rmse"] == pytest.approx(float((predicted - numbers[:, 2:]).square().mean().sqrt()), rel=1e-4)
    with pytest.raises(ValueError, match=r"other.csv: cannot read \(1 of 2 columns are missing, such as 'b'"):
        evaluate(tmp_path / "run", accelerator="cpu", input=write_table(tmp_path / "other.csv", "a,c,y"))


def test_another_text_is_read_in_the_tokens_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.txt").write_text("xyz abc.\n" * 60)
    words = [*TEXT, "trainer.accelerator=cpu", "trainer.max_epochs=4", "optimizer.lr=0.05"]
    words += [f"data.file={tmp_path / 'text.txt'}", f"data.dir={tmp_path}"]
    metrics = train(RunConfig.from_overrides(*words), run_dir=tmp_path / "run")
    (tmp_path / "same.txt").write_bytes(b"xyz abc.\r\n" * 12)
    (tmp_path / "new.txt").write_text("QQ Q!\n" * 20)
    capsys.readouterr()
    same = evaluate(tmp_path / "run", accelerator="cpu", input=tmp_path / "same.txt")
    assert "10 samples" in capsys.readouterr().out
    new = evaluate(tmp_path / "run", accelerator="cpu", input=tmp_path / "new.txt")
    assert abs(same["other/loss"] - metrics["test/loss"]) < 0.3
    assert new["other/loss"] > same["other/loss"] + 1
    assert not list(tmp_path.glob("run/other*"))


def write_fruit(path: Path, fruits: str = "abc", number: int = 40, empty: bool = False) -> Path:
    """Write a table of a category and a number, with the class that follows from the category."""
    rows = [f"{fruits[n % len(fruits)]},{n * 7 % 11},{'xy'[n % len(fruits) % 2]}" for n in range(number)]
    if empty:
        rows[3] = ",1,x"
    path.write_text("\n".join(["fruit,size,kind", *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda path: write_fruit(path, "ab"), "- in column 'fruit', category 'c' is missing"),
        (lambda path: write_fruit(path, "abd"), "- in column 'fruit', category 'd' is new"),
        (lambda path: write_fruit(path, empty=True), "- column 'fruit' has empty cells"),
        (lambda path: path.write_text(path.read_text().replace("fruit,", "food,")), "- column 'food' is new"),
        (lambda path: write_fruit(path, "123"), "- column 'fruit' is a number, not a category"),
    ],
    ids=["a category less", "another category", "empty cells", "another name", "numbers"],
)
def test_a_table_with_other_columns_is_named_with_what_differs(
    change: Callable[[Path], Any], found: str, tmp_path: Path
) -> None:
    path = write_fruit(tmp_path / "table.csv")
    run = stopped(tmp_path / "run", *TABLE, f"data.file={path}", f"data.dir={tmp_path}")
    shutil.copy(path, tmp_path / "moved.csv")
    change(path)
    for call in (lambda: resume(run), lambda: evaluate(run, accelerator="cpu")):
        with pytest.raises(
            ValueError, match=r"^data\.file=.*table\.csv: must hold the data on which the run"
        ) as raised:
            call()
        assert found in str(raised.value)
        assert "shape" not in str(raised.value)
        assert str(raised.value).endswith("name its place with data.file=")
    with pytest.raises(ValueError, match=r"^data: must have the columns of the run, and .*by input=$"):
        evaluate(run, accelerator="cpu", data={"file": str(path)})  # its encoding may mean another category
    assert evaluate(run, accelerator="cpu", data={"file": str(tmp_path / "moved.csv")}).keys() >= {"test/accuracy"}
    assert resume(run, data_file=tmp_path / "moved.csv")["status"] == "completed"


def test_other_rows_with_cells_that_cannot_be_read_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*TABLE, *SHORT, f"data.file={write_fruit(tmp_path / 'table.csv')}", f"data.dir={tmp_path}")
    train(RunConfig.from_overrides(*words), run_dir=tmp_path / "run")
    other = tmp_path / "other.csv"
    other.write_text("fruit,size,kind\na,1,x\na,large,x\nb,2,y\nc,3\n")
    capsys.readouterr()
    evaluate(tmp_path / "run", accelerator="cpu", input=other)
    printed = capsys.readouterr().out
    assert "2 samples in 2 of 2 classes" in printed
    assert "left out: " in printed
    assert "other.csv, line 3: cannot read (size is 'large', not a finite number)" in printed
    assert "other.csv, line 5: cannot read (2 values, not 3)" in printed
    other.write_text("fruit,size,kind\na,large,x\nb,long,y\n")
    with pytest.raises(ValueError, match=r"line 2: cannot read \(size is 'large', not a finite number") as raised:
        evaluate(tmp_path / "run", accelerator="cpu", input=other)
    assert "data." not in str(raised.value)
    other.write_text("fruit,size,kind\na,1,X\nb,2,y\n")
    with pytest.raises(ValueError, match=r"X is unknown; 'X' and 'x' differ only in case"):
        evaluate(tmp_path / "run", accelerator="cpu", input=other)


@pytest.mark.parametrize("by", ["input", "data"])
def test_other_images_whose_classes_differ_only_in_case_get_a_hint(by: str, animals: Path, tmp_path: Path) -> None:
    other = write_animals(tmp_path / "other", names=("cat", "eel"))
    (other / "eel").rename(other / "Eel")
    named: dict[str, Any] = {"input": str(other)} if by == "input" else {"data": {"dir": str(other)}}
    with pytest.raises(ValueError, match=r"'Eel' and 'eel' differ only in case"):
        evaluate(animals, accelerator="cpu", **named)


def test_a_run_on_a_folder_has_no_file(animals: Path) -> None:
    with pytest.raises(ValueError, match=r"^data\.file=x\.csv: must be left out"):
        evaluate(animals, accelerator="cpu", data={"file": "x.csv"})
