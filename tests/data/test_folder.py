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
    """Images of each class in each split."""
    splits = Folder(str(folder), image_size=8, **options).splits(seed=1)[1]
    return {name: split.take(torch.arange(len(split)))[1].bincount().tolist() for name, split in splits.items()}


def test_folders_of_splits_are_the_splits(split_folders: Path) -> None:
    assert sizes(split_folders) == {"train": [10, 10], "val": [3, 3], "test": [2, 2]}


def test_labels_are_the_names_of_the_folders_in_their_order(class_folders: Path) -> None:
    store = Folder(str(class_folders), image_size=8).store()
    assert store.spec.labels == ("a", "b", "c")
    means = [store.splits["train"].inputs[store.splits["train"].targets == label].float().mean() for label in range(3)]
    assert means[1] < means[0] < means[2]  # b was made the darkest, c the brightest


@pytest.mark.parametrize("name", ["valid", "validation", "Val"])
def test_val_has_other_names(split_folders: Path, name: str) -> None:
    (split_folders / "val").rename(split_folders / name)
    assert sizes(split_folders)["val"] == [3, 3]


def test_without_val_a_part_of_train_is_drawn(split_folders: Path) -> None:
    shutil.rmtree(split_folders / "val")
    assert sizes(split_folders, val_fraction=0.3) == {"train": [7, 7], "val": [3, 3], "test": [2, 2]}


def test_without_test_the_same_part_of_every_class_of_train_is_for_testing(split_folders: Path) -> None:
    shutil.rmtree(split_folders / "test")
    assert sizes(split_folders, test_fraction=0.3) == {"train": [7, 7], "val": [3, 3], "test": [3, 3]}


def test_without_any_split_all_three_are_drawn(class_folders: Path) -> None:
    expected = {"train": [12, 12, 12], "val": [4, 4, 4], "test": [4, 4, 4]}
    assert sizes(class_folders, val_fraction=0.25) == expected


def pixels(split: Split) -> set[bytes]:
    return {image.numpy().tobytes() for image in split.take(torch.arange(len(split)))[0]}


def test_the_test_part_does_not_depend_on_the_seed_of_the_run_and_shares_nothing(class_folders: Path) -> None:
    one, other = (Folder(str(class_folders), image_size=8).splits(seed)[1] for seed in (1, 2))
    assert pixels(one["test"]) == pixels(other["test"])
    assert pixels(one["val"]) != pixels(other["val"])
    assert len(pixels(one["train"]) | pixels(one["val"]) | pixels(one["test"])) == 60


def test_split_seed_draws_another_test_part(class_folders: Path) -> None:
    one, other = (Folder(str(class_folders), image_size=8, split_seed=seed).store() for seed in (0, 1))
    assert pixels(one.splits["test"]) != pixels(other.splits["test"])


def test_hidden_files_and_files_that_are_no_images_do_not_count(split_folders: Path) -> None:
    before = sizes(split_folders)  # and makes the folder of the store
    (split_folders / "train" / ".hidden").mkdir()
    (split_folders / "notes").mkdir()
    for name in ("._00.jpg", "Thumbs.db", "notes.txt"):
        (split_folders / "train" / "cat" / name).write_text("no image")
    (split_folders / "train" / "cat" / ".thumbnails").mkdir()
    write_image(split_folders / "train" / "cat" / ".thumbnails" / "00.jpg", 0)
    assert sizes(split_folders) == before


def test_images_in_deeper_folders_count_and_suffixes_may_be_capitals(split_folders: Path) -> None:
    write_image(split_folders / "train" / "cat" / "indoors" / "one.PNG", 0)
    assert sizes(split_folders)["train"] == [11, 10]


def test_a_link_that_leads_back_does_no_harm(split_folders: Path) -> None:
    (split_folders / "train" / "cat" / "again").symlink_to(split_folders, target_is_directory=True)
    assert sizes(split_folders)["train"] == [10, 10]


def test_a_link_to_nothing_is_an_image_that_cannot_be_read(tmp_path: Path) -> None:
    write_classes(tmp_path, 60)
    (tmp_path / "cat" / "60.jpg").symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(ValueError, match=rf"{tmp_path}/cat/60\.jpg: not an image that can be read"):
        Folder(str(tmp_path), image_size=8).store()
    assert len(Folder(str(tmp_path), image_size=8, on_corrupt="skip").store().splits["train"]) == 96


def test_a_pipe_is_no_image(split_folders: Path) -> None:
    os.mkfifo(split_folders / "train" / "cat" / "pipe.jpg")
    assert sizes(split_folders)["train"] == [10, 10]


def test_a_second_start_reads_no_image(class_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sizes(class_folders)
    monkeypatch.setattr(Folder, "read", lambda self: pytest.fail("the store was built again"))
    assert sizes(class_folders) == before


def test_an_image_that_is_moved_to_another_class_makes_another_store(split_folders: Path) -> None:
    sizes(split_folders)
    (split_folders / "train" / "cat" / "00.jpg").rename(split_folders / "train" / "dog" / "10.jpg")
    assert sizes(split_folders)["train"] == [9, 11]


def test_a_damaged_image_leaves_no_store(split_folders: Path) -> None:
    path = split_folders / "test" / "dog" / "01.jpg"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match=str(path)):
        Folder(str(split_folders)).store()
    assert list((split_folders / ".firstlight").iterdir()) == []


def test_a_damaged_image_is_skipped_on_demand(tmp_path: Path) -> None:
    write_classes(tmp_path, 60)
    (tmp_path / "cat" / "07.jpg").write_bytes(b"")
    assert sum(map(sum, sizes(tmp_path, on_corrupt="skip").values())) == 119


def test_a_class_that_loses_its_last_image_is_told(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", 60)
    write_classes(tmp_path / "test", 1)
    (tmp_path / "test" / "dog" / "00.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match="no image of 'dog' in test can be read"):
        Folder(str(tmp_path), image_size=8, on_corrupt="skip").store()


def refused(folder: Path) -> str:
    with pytest.raises(ValueError, match=str(folder)) as caught:
        Folder(str(folder)).store()
    assert not (folder / ".firstlight").exists()
    return str(caught.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "there is no such folder" in refused(tmp_path / "nowhere")


def test_a_folder_without_classes_is_told_how_it_should_look(tmp_path: Path) -> None:
    write_image(tmp_path / "one.jpg", 0)
    assert "there is no folder of a class" in refused(tmp_path)
    assert "CLASS/image.jpg" in refused(tmp_path)


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path, 10, classes=("cat",))
    assert "there is one class, 'cat'" in refused(tmp_path)


def test_an_empty_class_is_refused(split_folders: Path) -> None:
    (split_folders / "test" / "horse").mkdir()
    (split_folders / "test" / "horse" / "notes.txt").touch()
    assert f"{split_folders}/test/horse: there is no image" in refused(split_folders)


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_class_that_train_lacks_is_refused(split_folders: Path, split: str) -> None:
    write_image(split_folders / split / "horse" / "00.jpg", 0)
    assert f"train: there is no folder 'horse', but {split_folders}/{split} has one" in refused(split_folders)


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_class_that_only_train_has_is_refused(split_folders: Path, split: str) -> None:
    shutil.rmtree(split_folders / split / "cat")
    assert f"{split}: there is no folder 'cat', but {split_folders}/train has one" in refused(split_folders)


def test_a_test_folder_without_train_is_refused(split_folders: Path) -> None:
    (split_folders / "train").rename(split_folders / "training")
    assert "there is a folder test, but no train" in refused(split_folders)


def test_two_folders_for_one_split_are_refused(split_folders: Path) -> None:
    write_classes(split_folders / "valid", 2)
    assert "both val and valid are for val" in refused(split_folders)


def test_a_class_of_too_few_to_be_split_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path, 10)
    write_classes(tmp_path, 2, classes=("horse",))
    with pytest.raises(ValueError, match="of 'horse' there are 2 samples, too few"):
        Folder(str(tmp_path)).store()


def test_a_class_with_one_image_leaves_none_for_val(split_folders: Path) -> None:
    shutil.rmtree(split_folders / "val")
    for split in ("train", "test"):
        write_image(split_folders / split / "horse" / "00.jpg", 0)
    assert "'horse' has one image to train on" in refused(split_folders)
