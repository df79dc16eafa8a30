import hashlib
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firstlight.data import Dogs
from firstlight.spec import IGNORED
from helpers.generate import write_pet_places, write_pets


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """The official folder."""
    write_pets(tmp_path / "oxford-iiit-pet")
    return tmp_path / "oxford-iiit-pet"


def pack(pets: Path, into: Path) -> None:
    """Pack the official folders into the two official archives."""
    into.mkdir(parents=True)
    for name in ("images", "annotations"):
        with tarfile.open(into / f"{name}.tar.gz", "w:gz") as archive:
            archive.add(pets / name, name)


def test_the_default_target_is_the_breed_of_dogs(pets: Path) -> None:
    store = Dogs(str(pets.parent), image_size=8).store()
    assert store.spec.labels == ("american bulldog", "basset hound")
    assert store.splits["train"].targets.bincount().tolist() == [6, 6]
    assert store.splits["test"].targets.bincount().tolist() == [2, 2]


@pytest.mark.parametrize(
    ("target", "labels", "counts"),
    [
        ("all_breeds", ("Abyssinian", "american bulldog", "basset hound", "Bengal"), [6, 6, 6, 6]),
        ("species", ("cat", "dog"), [12, 12]),
    ],
)
def test_other_targets_include_cats(pets: Path, target: str, labels: tuple[str, ...], counts: list[int]) -> None:
    store = Dogs(str(pets.parent), image_size=8, target=target).store()
    assert store.spec.labels == labels
    assert store.splits["train"].targets.bincount().tolist() == counts


def test_folders_and_archives_give_the_same_images(pets: Path, tmp_path: Path) -> None:
    pack(pets, tmp_path / "a" / "oxford-iiit-pet")
    pack(pets, tmp_path / "b")
    expected = Dogs(str(pets.parent), image_size=8).store()
    for folder in (pets, tmp_path / "a", tmp_path / "b"):
        store = Dogs(str(folder), image_size=8).store()
        assert store.spec == expected.spec
        for split in ("train", "test"):
            assert np.array_equal(store.splits[split].inputs, expected.splits[split].inputs)
            assert np.array_equal(store.splits[split].targets, expected.splits[split].targets)
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [
        ".firstlight",
        "annotations.tar.gz",
        "images.tar.gz",
    ]


def test_archives_are_downloaded(pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(pets, tmp_path / "site")
    archives = {path.name: path.read_bytes() for path in (tmp_path / "site").iterdir()}
    hashes = {name: f"md5:{hashlib.md5(content).hexdigest()}" for name, content in archives.items()}

    def write_archives(names_and_hashes: dict[str, str], url: str, into: Path, hint: str) -> None:
        assert (names_and_hashes, url) == (hashes, Dogs.url)
        into.mkdir(parents=True)
        for name, content in archives.items():
            (into / name).write_bytes(content)

    monkeypatch.setattr(Dogs, "hashes", hashes)
    monkeypatch.setattr("firstlight.data.dogs.download", write_archives)
    assert len(Dogs(str(tmp_path / "data"), image_size=8).store().splits["train"]) == 12


def test_an_error_without_a_network_says_where_to_put_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dogs, "url", "http://127.0.0.1:9/")
    with pytest.raises(ValueError, match=r"put images\.tar\.gz and annotations\.tar\.gz into .*/oxford-iiit-pet"):
        Dogs(str(tmp_path)).store()


def test_a_missing_image_raises_an_error_with_the_line_that_names_it(pets: Path) -> None:
    (pets / "images" / "basset_hound_3.jpg").unlink()
    with pytest.raises(
        ValueError,
        match=rf"basset_hound_3\.jpg: cannot read \(it is missing, but {pets}/annotations/trainval.txt, line 16",
    ):
        Dogs(str(pets)).store()


def test_an_image_missing_from_the_archive_raises_an_error(pets: Path, tmp_path: Path) -> None:
    (pets / "images" / "basset_hound_7.jpg").unlink()
    pack(pets, tmp_path / "data")
    with pytest.raises(ValueError, match=r"images/basset_hound_7\.jpg: cannot read .*test\.txt, line 6 names it"):
        Dogs(str(tmp_path / "data")).store()
    assert list((tmp_path / "data" / ".firstlight").iterdir()) == []


def test_a_truncated_archive_raises_an_error(pets: Path, tmp_path: Path) -> None:
    pack(pets, tmp_path / "data")
    path = tmp_path / "data" / "images.tar.gz"
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"images\.tar\.gz: cannot read"):
        Dogs(str(tmp_path / "data")).store()


@pytest.mark.parametrize("name", ["images", "annotations"])
def test_an_archive_with_a_wrong_checksum_raises_an_error(pets: Path, tmp_path: Path, name: str) -> None:
    pack(pets, tmp_path / "data")
    path = tmp_path / "data" / f"{name}.tar.gz"
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    with pytest.raises(ValueError, match=rf"{path}: cannot read"):
        Dogs(str(tmp_path / "data"), image_size=8).store()
    assert not list(tmp_path.rglob("*.npy"))


def test_a_damaged_image_in_an_archive_raises_an_error_that_names_both(pets: Path, tmp_path: Path) -> None:
    (pets / "images" / "basset_hound_0.jpg").write_text("<html>")
    pack(pets, tmp_path / "data")
    with pytest.raises(ValueError, match=r"images\.tar\.gz/images/basset_hound_0\.jpg: cannot read"):
        Dogs(str(tmp_path / "data")).store()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Abyssinian_1 1 1", "line 2: .*'Abyssinian_1 1 1' is not a name, class"),
        ("Abyssinian_1 x 1 1", "line 2: .*'Abyssinian_1 x 1 1' is not a name"),
        ("Abyssinian_1 1 3 1", "line 2: .*'Abyssinian_1 1 3 1' is not a name"),
        ("../../etc/passwd_1 1 1 1", "line 2: .*passwd_1 1 1 1' is not a name"),
        ("Abyssinian_1 0 1 1", "line 2: .*the class is 0, not 1 to 37"),
        ("Abyssinian_1 38 1 1", "line 2: .*the class is 38, not 1 to 37"),
        ("Bengal_10 1 1 1", "line 2: .*class 1 is Bengal, but was Abyssinian before"),
        ("Abyssinian_0 1 1 1", "line 2: .*Abyssinian_0 is already in .*trainval.txt, line 1"),
    ],
)
def test_a_wrong_line_raises_an_error_that_names_the_file_and_line(pets: Path, line: str, message: str) -> None:
    path = pets / "annotations" / "trainval.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], line, *lines[2:]]))
    with pytest.raises(ValueError, match=f"{path}, {message}"):
        Dogs(str(pets)).store()


@pytest.mark.parametrize("target", ["breed", "all_breeds", "species"])
def test_an_image_in_both_lists_raises_an_error(pets: Path, target: str) -> None:
    path = pets / "annotations" / "test.txt"
    path.write_text(path.read_text() + "basset_hound_3 4 2 1\n")
    with pytest.raises(ValueError, match=rf"{path}, line 9: .*basset_hound_3 is already in .*trainval\.txt, line 16"):
        Dogs(str(pets), image_size=8, target=target).store()


@pytest.mark.parametrize(
    ("target", "label_in_train", "message"),
    [
        ("breed", "american_bulldog", "line 5: .*annotations/trainval.txt lists no image of basset hound"),
        ("all_breeds", "american_bulldog", "line 1: .*no image of Abyssinian"),
        ("species", "american_bulldog", "line 1: .*no image of cat"),
    ],
)
def test_a_class_without_training_images_raises_an_error(
    pets: Path, target: str, label_in_train: str, message: str
) -> None:
    path = pets / "annotations" / "trainval.txt"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if line.startswith(label_in_train)))
    with pytest.raises(ValueError, match=rf"{pets}/annotations/test\.txt, {message}"):
        Dogs(str(pets), image_size=8, target=target).store()


def test_comments_and_empty_lines_are_ignored(pets: Path) -> None:
    path = pets / "annotations" / "test.txt"
    path.write_text("#Image CLASS-ID SPECIES BREED ID\n\n" + path.read_text())
    assert len(Dogs(str(pets), image_size=8).store().splits["test"]) == 4


def test_a_list_without_images_of_the_target_raises_an_error(pets: Path) -> None:
    (pets / "annotations" / "test.txt").write_text("Abyssinian_6 1 1 1\n")
    with pytest.raises(ValueError, match=r"test\.txt: cannot read .*no image for data\.target=breed"):
        Dogs(str(pets)).store()


def test_an_unknown_target_raises_an_error() -> None:
    with pytest.raises(ValueError, match=r"data\.target=colour: unknown target; known: all_breeds, breed, head, "):
        Dogs("anywhere", target="colour")


@pytest.mark.parametrize("archived", [False, True])
def test_trimaps_and_heads_agree_with_the_images(pets: Path, tmp_path: Path, archived: bool) -> None:
    write_pet_places(pets)
    folder = tmp_path / "packed" if archived else pets.parent
    if archived:
        pack(pets, folder)
    masks = Dogs(str(folder), image_size=20, fit="stretch", target="trimap").store()
    three = Dogs(str(folder), image_size=20, fit="stretch", target="trimap", border="class").read()
    heads = Dogs(str(folder), image_size=20, fit="stretch", target="head").store()
    assert (masks.spec.labels, masks.spec.targets) == (("background", "pet"), "masks")
    assert (heads.spec.labels, heads.spec.targets) == (("cat", "dog"), "boxes")
    assert three[0] == ("background", "pet", "border")
    assert {name: len(split) for name, split in masks.splits.items()} == {"train": 24, "test": 8}
    images, trimaps = masks.splits["test"].inputs.float().mean(1).numpy(), masks.splits["test"].targets.numpy()
    assert np.array_equal(np.where(trimaps == IGNORED, 2, trimaps), three[1]["test"].targets)
    assert (images[trimaps == 1] > 127).mean() > 0.97
    assert (images[trimaps == 0] < 127).all()
    boxes = heads.splits["test"].targets
    expected = np.array([5 * 20 / 24, 4, 17 * 20 / 24, 14], np.float32)
    assert np.allclose(boxes[:, 0, :4], expected, atol=1e-4)
    assert boxes[:, 0, 4].tolist() == [0, 0, 1, 1, 1, 1, 0, 0]  # Abyssinian, american_bulldog, basset_hound, Bengal


def test_heads_are_held_out_for_testing_if_the_official_test_images_have_none(pets: Path) -> None:
    write_pet_places(pets)
    for number in (6, 7):
        for path in (pets / "annotations" / "xmls").glob(f"*_{number}.xml"):
            path.unlink()
    (pets / "annotations" / "xmls" / "Bengal_0.xml").unlink()
    store, splits = Dogs(str(pets), image_size=14, target="head", head_classes="breed").splits(1)
    assert store.spec.labels == ("Abyssinian", "american bulldog", "basset hound", "Bengal")
    assert sum(map(len, splits.values())) == 23
    assert len(splits["test"]) == 5
    assert any("held out" in remark for remark in store.remarks)


def test_a_missing_or_wrong_trimap_raises_an_error(pets: Path) -> None:
    write_pet_places(pets)
    path = pets / "annotations" / "trimaps" / "Bengal_3.png"
    Image.fromarray(np.full((20, 24), 4, np.uint8)).save(path)
    with pytest.raises(ValueError, match=rf"{path}: cannot read .*row 0, column 0 is 4, and must be 1 \(pet\)"):
        Dogs(str(pets), target="trimap").store()
    Image.fromarray(np.ones((24, 20), np.uint8)).save(path)
    with pytest.raises(ValueError, match="it has 20 x 24 pixels, and its image 24 x 20"):
        Dogs(str(pets), target="trimap").store()
    path.unlink()
    with pytest.raises(ValueError, match=rf"{path}: cannot read .*it is missing, but .*trainval\.txt, line 22"):
        Dogs(str(pets), target="trimap").store()
