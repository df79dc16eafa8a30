import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from firstlight.data import Folder, Split
from helpers.generate import write_classes, write_image


@pytest.fixture
def split_folders(tmp_path: Path) -> Path:
    for split, number in (("train", 10), ("val", 3), ("test", 2)):
        write_classes(tmp_path / split, number)
    return tmp_path


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    write_classes(tmp_path, 20, classes=("b", "a", "c"))
    return tmp_path


def sizes(folder: Path, **options: Any) -> dict[str, list[int]]:
    """Return the number of images of each class in each split."""
    splits = Folder(str(folder), image_size=8, **options).splits(seed=1)[1]
    return {name: split.take(torch.arange(len(split)))[1].bincount().tolist() for name, split in splits.items()}


def test_folders_of_splits_are_read_as_splits(split_folders: Path) -> None:
    assert sizes(split_folders) == {"train": [10, 10], "val": [3, 3], "test": [2, 2]}


def test_labels_are_the_sorted_names_of_the_folders(class_folders: Path) -> None:
    store = Folder(str(class_folders), image_size=8).store()
    assert store.spec.labels == ("a", "b", "c")
    means = [store.splits["train"].inputs[store.splits["train"].targets == label].float().mean() for label in range(3)]
    assert means[1] < means[0] < means[2]  # b has the darkest images, c the brightest


@pytest.mark.parametrize("name", ["valid", "validation", "Val"])
def test_the_val_folder_may_have_other_names(split_folders: Path, name: str) -> None:
    (split_folders / "val").rename(split_folders / name)
    assert sizes(split_folders)["val"] == [3, 3]


def test_without_val_a_part_of_train_is_selected(split_folders: Path) -> None:
    shutil.rmtree(split_folders / "val")
    assert sizes(split_folders, val_fraction=0.3) == {"train": [7, 7], "val": [3, 3], "test": [2, 2]}


def test_without_test_the_same_fraction_of_every_class_is_for_testing(split_folders: Path) -> None:
    shutil.rmtree(split_folders / "test")
    assert sizes(split_folders, test_fraction=0.3) == {"train": [7, 7], "val": [3, 3], "test": [3, 3]}


def test_without_folders_of_splits_all_three_splits_are_selected(class_folders: Path) -> None:
    expected = {"train": [12, 12, 12], "val": [4, 4, 4], "test": [4, 4, 4]}
    assert sizes(class_folders, val_fraction=0.25) == expected


def pixels(split: Split) -> set[bytes]:
    return {image.numpy().tobytes() for image in split.take(torch.arange(len(split)))[0]}


def test_the_test_split_is_disjoint_and_does_not_depend_on_the_runs_seed(class_folders: Path) -> None:
    one, other = (Folder(str(class_folders), image_size=8).splits(seed)[1] for seed in (1, 2))
    assert pixels(one["test"]) == pixels(other["test"])
    assert pixels(one["val"]) != pixels(other["val"])
    assert len(pixels(one["train"]) | pixels(one["val"]) | pixels(one["test"])) == 60


def test_split_seed_selects_another_test_split(class_folders: Path) -> None:
    one, other = (Folder(str(class_folders), image_size=8, split_seed=seed).store() for seed in (0, 1))
    assert pixels(one.splits["test"]) != pixels(other.splits["test"])


def test_hidden_files_and_other_files_are_ignored(split_folders: Path) -> None:
    before = sizes(split_folders)  # also creates the folder of the store
    (split_folders / "train" / ".hidden").mkdir()
    (split_folders / "notes").mkdir()
    for name in ("._00.jpg", "Thumbs.db", "notes.txt"):
        (split_folders / "train" / "cat" / name).write_text("no image")
    (split_folders / "train" / "cat" / ".thumbnails").mkdir()
    write_image(split_folders / "train" / "cat" / ".thumbnails" / "00.jpg", 0)
    assert sizes(split_folders) == before


def test_images_in_subfolders_and_with_upper_case_suffixes_are_read(split_folders: Path) -> None:
    write_image(split_folders / "train" / "cat" / "indoors" / "one.PNG", 0)
    assert sizes(split_folders)["train"] == [11, 10]


def test_a_link_to_a_parent_folder_is_not_followed(split_folders: Path) -> None:
    (split_folders / "train" / "cat" / "again").symlink_to(split_folders, target_is_directory=True)
    assert sizes(split_folders)["train"] == [10, 10]


def test_a_broken_link_is_an_image_that_cannot_be_read(tmp_path: Path) -> None:
    write_classes(tmp_path, 60)
    (tmp_path / "cat" / "60.jpg").symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(ValueError, match=rf"{tmp_path}/cat/60\.jpg: cannot read \("):
        Folder(str(tmp_path), image_size=8).store()
    assert len(Folder(str(tmp_path), image_size=8, on_corrupt="skip").store().splits["train"]) == 96


def test_a_named_pipe_is_ignored(split_folders: Path) -> None:
    os.mkfifo(split_folders / "train" / "cat" / "pipe.jpg")
    assert sizes(split_folders)["train"] == [10, 10]


def test_an_existing_store_is_not_built_again(class_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sizes(class_folders)
    monkeypatch.setattr(Folder, "read", lambda self: pytest.fail("the store was built again"))
    assert sizes(class_folders) == before


def test_moving_an_image_to_another_class_builds_another_store(split_folders: Path) -> None:
    sizes(split_folders)
    (split_folders / "train" / "cat" / "00.jpg").rename(split_folders / "train" / "dog" / "10.jpg")
    assert sizes(split_folders)["train"] == [9, 11]


def test_a_damaged_image_leaves_no_store(split_folders: Path) -> None:
    path = split_folders / "test" / "dog" / "01.jpg"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match=str(path)):
        Folder(str(split_folders)).store()
    assert list((split_folders / ".firstlight").iterdir()) == []


def test_a_damaged_image_is_skipped_if_requested(tmp_path: Path) -> None:
    write_classes(tmp_path, 60)
    (tmp_path / "cat" / "07.jpg").write_bytes(b"")
    assert sum(map(sum, sizes(tmp_path, on_corrupt="skip").values())) == 119


def test_a_class_whose_images_are_all_damaged_is_left_out_if_requested(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", 3, classes=("cat", "dog", "eel"))
    write_classes(tmp_path / "test", 1, classes=("cat", "dog", "eel"))
    for path in [*(tmp_path / "train" / "dog").iterdir(), tmp_path / "test" / "eel" / "00.jpg"]:
        path.write_bytes(b"")
    store = Folder(str(tmp_path), image_size=8, on_corrupt="skip").store()
    assert store.spec.labels == ("cat", "eel")
    assert store.splits["train"].own_targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert store.splits["test"].own_targets.tolist() == [0]
    assert "all images in train are damaged of the classes: dog" in store.remarks
    assert "all images in test are damaged of the classes: eel" in store.remarks
    for path in (tmp_path / "train" / "eel").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="all images of 'dog' in train are damaged"):
        Folder(str(tmp_path), image_size=8, on_corrupt="skip", max_corrupt=9).store()


def error_for(folder: Path) -> str:
    with pytest.raises(ValueError, match=str(folder)) as caught:
        Folder(str(folder)).store()
    assert not (folder / ".firstlight").exists()
    return str(caught.value)


def test_a_missing_folder_raises_an_error(tmp_path: Path) -> None:
    assert "this folder does not exist" in error_for(tmp_path / "nowhere")


def test_a_folder_without_classes_raises_an_error_with_the_layout(tmp_path: Path) -> None:
    write_image(tmp_path / "one.jpg", 0)
    assert "it contains no class" in error_for(tmp_path)
    assert "CLASS/image.jpg" in error_for(tmp_path)


def test_a_single_class_raises_an_error(tmp_path: Path) -> None:
    write_classes(tmp_path, 10, classes=("cat",))
    assert "it contains one class, 'cat'" in error_for(tmp_path)


def test_an_empty_class_raises_an_error(split_folders: Path) -> None:
    (split_folders / "test" / "horse").mkdir()
    (split_folders / "test" / "horse" / "notes.txt").touch()
    assert f"{split_folders}/test/horse: cannot read (this class has no image)" in error_for(split_folders)


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_class_missing_in_train_raises_an_error(split_folders: Path, split: str) -> None:
    write_image(split_folders / split / "horse" / "00.jpg", 0)
    assert f"train: cannot read (the class 'horse' is missing, but {split_folders}/{split} contains it)" in error_for(
        split_folders
    )


@pytest.mark.parametrize("split", ["val", "test"])
def test_another_split_may_lack_a_class_of_train(split_folders: Path, split: str) -> None:
    shutil.rmtree(split_folders / split / "cat")
    assert sizes(split_folders)[split] == [0, len(list((split_folders / split / "dog").iterdir()))]
    assert f"{split} lacks 1 of the 2 classes: cat" in Folder(str(split_folders), image_size=8).store().remarks


def test_a_test_folder_without_train_raises_an_error(split_folders: Path) -> None:
    shutil.rmtree(split_folders / "train")
    assert "it contains a folder test, but no folder train" in error_for(split_folders)


def test_two_folders_for_one_split_raise_an_error(split_folders: Path) -> None:
    write_classes(split_folders / "valid", 2)
    assert "val and valid are both for val" in error_for(split_folders)


def test_a_class_with_too_few_images_raises_an_error(tmp_path: Path) -> None:
    write_classes(tmp_path, 10)
    write_classes(tmp_path, 2, classes=("horse",))
    with pytest.raises(ValueError, match="'horse' has 2 in all"):
        Folder(str(tmp_path)).store()


def test_a_class_with_one_image_for_train_and_val_raises_an_error(split_folders: Path) -> None:
    shutil.rmtree(split_folders / "val")
    for split in ("train", "test"):
        write_image(split_folders / split / "horse" / "00.jpg", 0)
    assert "'horse' has one image for train and val" in error_for(split_folders)
