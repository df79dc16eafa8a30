"""Folders of images as people bring them: names of splits, wrapping folders, litter, copies, odd names."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from firstlight.config.compose import compose
from firstlight.data import Folder
from firstlight.data.files.split_names import split_names
from firstlight.data.store import Store
from firstlight.files import write_csv
from firstlight.training.run import train
from helpers.generate import write_classes, write_image

shades = iter(range(10**6))


def write(root: Path, *folders: str, number: int = 4) -> Path:
    """Write images of different content to these folders below `root`."""
    for folder in folders:
        for place in range(number):
            shade = next(shades)
            path = root / folder / f"{place:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (9, 9), (shade % 256, shade // 256 % 256, 7)).save(path)
    return root


def stored(root: Path, **options: Any) -> Store:
    return Folder(str(root), image_size=8, **options).store()


def sizes(store: Store) -> dict[str, list[int]]:
    """Return the number of images of each class in each split."""
    number = len(store.spec.labels)
    return {name: split.own_targets.bincount(minlength=number).tolist() for name, split in store.splits.items()}


def product(*parts: Iterable[str]) -> list[str]:
    paths = [""]
    for part in parts:
        paths = [f"{path}/{name}".strip("/") for path in paths for name in part]
    return paths


def error_for(root: Path, **options: Any) -> str:
    with pytest.raises(ValueError, match=r": cannot read \(.*To fix: ") as caught:
        stored(root, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("one", "two", "second"),
    [
        ("Training", "Testing", "test"),
        ("training_set", "test_set", "test"),
        ("asl_alphabet_train", "asl_alphabet_test", "test"),
        ("train", "eval", "test"),
        ("TRAIN", "HOLDOUT", "test"),
        ("TrainImages", "TestImages", "test"),
        ("train2017", "val2017", "val"),
        ("Train Data", "dev-data", "val"),
        ("trainset", "Validation Set", "val"),
        ("seg_train/seg_train", "seg_test/seg_test", "test"),
        ("training_set/training_set", "test_set/test_set", "test"),
        ("train/images", "test/images", "test"),
        ("archive/data/train", "archive/data/test", "test"),
    ],
)
def test_names_of_splits_in_any_usual_spelling_are_splits(tmp_path: Path, one: str, two: str, second: str) -> None:
    write(tmp_path, *product([one], ["cat", "dog"]), number=6)
    write(tmp_path, *product([two], ["cat", "dog"]), number=2)
    store = stored(tmp_path)
    assert store.spec.labels == ("cat", "dog")
    expected = (
        {"train": [6, 6], "test": [2, 2]} if second == "test" else {"train": [5, 5], "test": [1, 1], "val": [2, 2]}
    )
    assert sizes(store) == expected
    assert store.remarks == (f"train 12 in 2 classes, {second} 4 (folders {one}, {two})",)


def test_the_example_of_brain_tumours_reads_as_it_should(tmp_path: Path) -> None:
    names = ("glioma", "meningioma", "notumor", "pituitary")
    write(tmp_path, *product(["Training"], names), number=3)
    write(tmp_path, *product(["Testing"], names), number=1)
    assert stored(tmp_path).remarks[0].startswith("train 12 in 4 classes, test 4")


def test_a_class_first_layout_keeps_its_splits(tmp_path: Path) -> None:
    write(tmp_path, *product(["cat", "dog"], ["Train"]), number=3)
    write(tmp_path, *product(["cat", "dog"], ["Test"]), number=1)
    assert sizes(stored(tmp_path)) == {"train": [3, 3], "test": [1, 1]}
    assert sizes(stored(tmp_path, layout="splits")) == {"train": [3, 3], "test": [1, 1]}
    write(tmp_path, "emu", number=5)
    assert "'cat' is divided into splits, but 'emu'" in error_for(tmp_path)
    assert sizes(stored(tmp_path, layout="classes")) == {"train": [3, 3, 4], "test": [1, 1, 1]}


def test_a_test_folder_without_classes_is_not_used_and_counted(tmp_path: Path) -> None:
    write(tmp_path, *product(["asl_alphabet_train/asl_alphabet_train"], "ABC"), number=5)
    write(tmp_path, "asl_alphabet_test/asl_alphabet_test", "asl_alphabet_pred", number=3)
    store = stored(tmp_path)
    assert sizes(store) == {"train": [4, 4, 4], "test": [1, 1, 1]}
    assert store.remarks == (
        "train 15 in 3 classes (folders asl_alphabet_train/asl_alphabet_train)",
        "test is not used: 3 images without folders of classes",
        "left out: 3 images in asl_alphabet_pred, 3 images in asl_alphabet_test",
    )


def test_a_test_split_may_have_fewer_classes(tmp_path: Path) -> None:
    write(tmp_path, *product(["train"], "ABC"), *product(["test"], "AC"))
    store = stored(tmp_path)
    assert sizes(store) == {"train": [4, 4, 4], "test": [4, 0, 4]}
    assert store.remarks[0].startswith("train 12 in 3 classes, test 8 in 2 classes")
    assert store.remarks[1] == "test lacks 1 of the 3 classes: B"


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["Training", "Testing"], "Testing, Training may be classes, or some of them splits whose classes are missing"),
        (["train", "test", "car"], "car, test, train may be classes"),
        (["cat", "dog", "test"], "cat, dog, test may be classes"),
        (["valid", "invalid"], "invalid, valid may be classes"),
        (["train/steam", "train/diesel", "car", "bus"], "train may be a split, and then bus, car is left out"),
        (["cats_train", "dogs_train", "cats_test", "dogs_test"], "cats_test and dogs_test are both for test"),
    ],
)
def test_what_may_be_splits_or_classes_is_refused_until_the_user_says_it(
    tmp_path: Path, folders: list[str], message: str
) -> None:
    write(tmp_path, *folders)
    found = error_for(tmp_path)
    assert message in found
    assert "data.layout=classes" in found
    labels = {folder.split("/")[0] for folder in folders}
    assert set(stored(tmp_path, layout="classes").spec.labels) == labels


def test_a_class_named_train_beside_other_classes_is_a_class(tmp_path: Path) -> None:
    write(tmp_path, "train", "car", "bus")
    store = stored(tmp_path)
    assert store.spec.labels == ("bus", "car", "train")
    assert store.remarks == ("12 images in 3 classes: bus, car, train",)
    nested = write(tmp_path / "nested", "train/steam", "train/diesel", "car")
    assert stored(nested, layout="splits").spec.labels == ("diesel", "steam")


def test_folders_of_classes_are_found_in_a_folder_around_them(tmp_path: Path) -> None:
    write(tmp_path, "archive/PetImages/Cat", "archive/PetImages/Dog")
    store = stored(tmp_path)
    assert store.spec.labels == ("Cat", "Dog")
    assert store.remarks == ("8 images in 2 classes in archive/PetImages: Cat, Dog",)


def test_words_that_only_contain_the_name_of_a_split_are_no_splits() -> None:
    assert split_names(["trains", "contest", "validity", "test tube", "mytrain_x", "latest", "development"]) == {}
    assert split_names(["a_train", "b_test"]) == {}
    assert split_names(["a_train", "a_test", "test"]) == {"train": ["a_train"], "test": ["a_test", "test"]}


LITTER = [
    "cat/@eaDir/00.jpg/SYNOPHOTO_THUMB_M.jpg",
    "__MACOSX/cat/._00.png",
    "cat/.DS_Store",
    "dog/Thumbs.db",
    "dog/._00.png",
    "$RECYCLE.BIN/R1.png",
    ".ipynb_checkpoints/00-checkpoint.png",
    "cat/desktop.ini",
    ".thumbnails/normal/1.png",
    ".Trash-1000/files/1.png",
    "cat/@Recycle/1.jpg",
    "System Volume Information/1.png",
]


@pytest.mark.parametrize("prefix", ["", "train/"])
def test_litter_is_neither_class_nor_image_and_everything_left_out_is_counted(tmp_path: Path, prefix: str) -> None:
    root = write(tmp_path, f"{prefix}cat", f"{prefix}dog", number=5)
    for name in LITTER:
        path = root / prefix / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"litter")
    (root / "README.md").touch()
    for name in ("labels.csv", "sizes.CSV", "logo.svg", "checksums"):
        (root / prefix / name).touch()
    (root / prefix / "cat" / "raw.dng").touch()
    write_image(root / prefix / "sample.jpg", 3)
    store = stored(root)
    assert store.spec.labels == ("cat", "dog")
    assert sizes(store)["train"] == [4, 4]
    line = store.remarks[-1]
    images = "1 image in train" if prefix else "1 image beside the folders"
    assert line.startswith("left out: 2 .csv, ")
    assert line.endswith(" more kinds")
    assert line.count(",") == 7
    (root / prefix / "labels.csv").unlink()
    for name in LITTER[3:]:
        (root / prefix / name).unlink()
    shutil.rmtree(root / ".firstlight")
    (root / "README.md").unlink()
    parts = stored(root).remarks[-1].removeprefix("left out: ").split(", ")
    kinds = [
        "1 .csv",
        "1 .svg",
        "1 .dng",
        "1 file without a suffix",
        images,
        "1 file in @eaDir",
        "1 file in __MACOSX",
        "1 .DS_Store",
    ]
    assert sorted(parts) == sorted(kinds)


def test_links_are_followed_unless_they_lead_back(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", "cats")
    root = write(tmp_path / "data", "dog")
    (root / "cat").symlink_to(tmp_path / "elsewhere" / "cats", target_is_directory=True)
    (root / "dog" / "more").symlink_to(tmp_path / "elsewhere" / "cats", target_is_directory=True)
    (root / "dog" / "again").symlink_to(root, target_is_directory=True)
    store = stored(root)
    assert store.remarks[0] == "12 images in 2 classes: cat, dog"
    assert store.remarks[1] == "left out: 1 link to a folder"


def test_a_folder_that_cannot_be_read_is_not_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "cat", "dog", "dog/more")
    scandir = os.scandir

    def refused(path: Any) -> Any:
        if isinstance(path, Path) and path.name == "more":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert "dog/more: cannot read ([Errno 13] Permission denied" in error_for(tmp_path)


def test_copies_of_training_images_are_reported_with_an_example(tmp_path: Path) -> None:
    write(tmp_path, *product(["train", "test"], ["cat", "dog"]), number=6)
    for number in (1, 3):
        shutil.copy(tmp_path / "train" / "cat" / f"0{number}.png", tmp_path / "test" / "cat" / f"copy{number}.png")
    with Image.open(tmp_path / "train" / "dog" / "02.png") as image:
        image.save(tmp_path / "test" / "dog" / "other_format.bmp")  # the same pixels in another file
    shutil.copy(tmp_path / "train" / "dog" / "00.png", tmp_path / "train" / "cat" / "wrong.png")
    shutil.copy(tmp_path / "train" / "dog" / "01.png", tmp_path / "train" / "dog" / "again.png")
    remarks = stored(tmp_path).remarks
    assert "3 images of test copied from train, such as test/cat/copy1.png = train/cat/01.png" in remarks
    assert any(
        remark.startswith("1 image of train with two classes, such as dog/00.png = cat/wrong.png") for remark in remarks
    )
    assert any(remark.startswith("1 image of train repeated") for remark in remarks)


def test_small_classes_are_left_out_if_requested(tmp_path: Path) -> None:
    write(tmp_path, "cat", "dog")
    write(tmp_path, "emu", number=1)
    with pytest.raises(ValueError, match=r"'emu' has 1 in all.*set data\.min_per_class=2 to leave it out"):
        stored(tmp_path)
    store = stored(tmp_path, min_per_class=2)
    assert sizes(store) == {"train": [3, 3], "test": [1, 1]}
    assert "classes with fewer than 2 images: emu" in store.remarks
    assert "left out: 1 image in emu" in store.remarks
    splits = write(tmp_path / "splits", *product(["train", "test"], ["cat", "dog"]))
    write(splits, "train/emu", "test/emu", number=1)
    assert sizes(stored(splits, min_per_class=2)) == {"train": [4, 4], "test": [4, 4]}
    with pytest.raises(
        ValueError, match=r"data\.min_per_class=9: must leave at least two classes, and 3 of 3 have fewer"
    ):
        stored(splits, min_per_class=9)


def test_names_that_are_not_utf_8_train_and_are_written(tmp_path: Path) -> None:
    for name in (b"caf\xe9", b"th\xe9"):
        folder = tmp_path / "data" / os.fsdecode(name)
        folder.mkdir(parents=True)
        for number in range(6):
            path = folder / os.fsdecode(b"\xff%d.png" % number)
            Image.new("RGB", (9, 9), (next(shades) % 256, 99, name[0])).save(path)
    metrics = train(
        compose(
            "data=folder", f"data.dir={tmp_path}/data", "data.image_size=8", "model=linear", "trainer.max_epochs=1"
        ),
        run_dir=tmp_path / "run",
    )
    assert 0 <= metrics["test/accuracy"] <= 1
    store = stored(tmp_path / "data")
    assert store.spec.labels == (r"caf\udce9", r"th\udce9")
    damaged = next((tmp_path / "data").rglob("*0.png"))
    damaged.write_bytes(b"")
    error_for(tmp_path / "data").encode()  # any output can print it
    write_csv(tmp_path / "rows.csv", [{"path": str(damaged)}])
    assert os.fsencode(damaged) in (tmp_path / "rows.csv").read_bytes()


def test_a_class_has_one_label_however_a_system_composes_its_accents(tmp_path: Path) -> None:
    write(tmp_path, "train/cafe\u0301", "train/the", "test/caf\u00e9", "test/the")
    store = stored(tmp_path)
    assert store.spec.labels == ("caf\u00e9", "the")
    assert sizes(store)["test"] == [4, 4]


def test_train_prints_the_remarks_and_evaluates_a_split_that_lacks_a_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_classes(tmp_path / "data" / "Training", 4, classes=("cat", "dog", "emu"))
    write_classes(tmp_path / "data" / "Testing", 2)
    words = ("data=folder", f"data.dir={tmp_path}/data", "data.image_size=8", "model=linear", "trainer.max_epochs=1")
    metrics = train(compose(*words), run_dir=tmp_path / "run")
    assert metrics["test/loss"] > 0
    assert "train 12 in 3 classes, test 4 in 2 classes (folders Training, Testing)\n" in capsys.readouterr().out


@pytest.mark.parametrize("folder", ["", "train/", "test/"])
def test_an_empty_class_is_named_or_left_out_if_requested(tmp_path: Path, folder: str) -> None:
    if folder:
        write(tmp_path, "train/cat", "train/dog", "train/fox", "test/cat", "test/dog")
    else:
        write(tmp_path, "cat", "dog", "fox")
    empty = tmp_path / folder / ("eel" if folder != "test/" else "fox")
    empty.mkdir()
    (empty / "notes.txt").touch()
    message = error_for(tmp_path)
    assert f"{empty}: cannot read (this class has no image)" in message
    assert "data.on_corrupt=skip" in message
    store = stored(tmp_path, on_corrupt="skip")
    assert store.spec.labels == ("cat", "dog", "fox")
    inside = f" in {folder[:-1]}" if folder else ""
    assert f"left out: classes without images{inside}: {empty.name}" in store.remarks


def test_a_split_of_empty_classes_and_a_folder_of_them_are_left_out_or_refused(tmp_path: Path) -> None:
    write(tmp_path, "train/cat", "train/dog", number=6)
    (tmp_path / "test" / "cat").mkdir(parents=True)
    assert "test/cat: cannot read (this class has no image)" in error_for(tmp_path)
    assert sum(sizes(stored(tmp_path, on_corrupt="skip"))["test"]) > 0  # a part of train
    (tmp_path / "none" / "cat").mkdir(parents=True)
    assert "it contains no class" in error_for(tmp_path / "none", on_corrupt="skip")


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ("banana", "Banana", "case"),
        ("red fox", "red  fox", "blanks"),
        ("redfox", "red fox", "blanks"),
        ("\uff21bc", "Abc", "the form of their characters"),
        ("red_fox", "Red fox", "case, blanks or punctuation"),
    ],
)
def test_classes_that_are_almost_the_same_are_pointed_out(tmp_path: Path, one: str, other: str, how: str) -> None:
    write(tmp_path / "splits", f"train/{one}", "train/cat", "test/cat", f"test/{other}")
    assert f"contains it; '{other}' and '{one}' differ only in {how})" in error_for(tmp_path / "splits")
    write(tmp_path / "classes", one, other)
    (remark,) = [line for line in stored(tmp_path / "classes").remarks if "two classes" in line]
    assert remark.endswith(f"are two classes, and differ only in {how}")
    assert one in remark


def test_classes_that_differ_in_more_are_not_pointed_out(tmp_path: Path) -> None:
    write(tmp_path / "splits", "train/cat", "train/dog", "test/cats")
    assert "differ only" not in error_for(tmp_path / "splits")
    assert not [line for line in stored(write(tmp_path / "a", "+", "-", "a1", "a2")).remarks if "two classes" in line]


def test_images_that_are_cropped_by_more_than_half_are_counted(tmp_path: Path) -> None:
    write(tmp_path, "cat", "dog", number=6)
    for number, size in enumerate([(40, 10), (10, 40), (20, 10), (19, 10)]):  # of which two are longer than 2:1
        Image.new("RGB", size, (number, 0, 0)).save(tmp_path / "cat" / f"long{number}.png")
    (line,) = [line for line in stored(tmp_path).remarks if "cropped" in line]
    assert line == "2 of 16 images are cropped by more than half; data.fit=pad keeps them whole"
    assert [line for line in stored(tmp_path).remarks if "cropped" in line] == [line]  # of the existing store
    assert not [line for line in stored(tmp_path, fit="pad").remarks if "cropped" in line]
