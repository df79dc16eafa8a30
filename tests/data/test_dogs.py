import hashlib
import tarfile
from pathlib import Path

import numpy as np
import pytest

from firstlight.data import Dogs
from helpers.generate import write_pets


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """The official folder."""
    write_pets(tmp_path / "oxford-iiit-pet")
    return tmp_path / "oxford-iiit-pet"


def pack(pets: Path, into: Path) -> None:
    """The two official archives, made of the official folders."""
    into.mkdir(parents=True)
    for name in ("images", "annotations"):
        with tarfile.open(into / f"{name}.tar.gz", "w:gz") as archive:
            archive.add(pets / name, name)


def test_breeds_are_those_of_dogs(pets: Path) -> None:
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
def test_other_targets_are_about_cats_too(pets: Path, target: str, labels: tuple[str, ...], counts: list[int]) -> None:
    store = Dogs(str(pets.parent), image_size=8, target=target).store()
    assert store.spec.labels == labels
    assert store.splits["train"].targets.bincount().tolist() == counts


def test_the_folder_itself_and_archives_hold_the_same_images(pets: Path, tmp_path: Path) -> None:
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

    def arrive(names_and_hashes: dict[str, str], url: str, into: Path, hint: str) -> None:
        assert (names_and_hashes, url) == (hashes, Dogs.url)
        into.mkdir(parents=True)
        for name, content in archives.items():
            (into / name).write_bytes(content)

    monkeypatch.setattr(Dogs, "hashes", hashes)
    monkeypatch.setattr("firstlight.data.dogs.download", arrive)
    assert len(Dogs(str(tmp_path / "data"), image_size=8).store().splits["train"]) == 12


def test_without_a_network_the_offline_way_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dogs, "url", "http://127.0.0.1:9/")
    with pytest.raises(ValueError, match=r"put images\.tar\.gz and annotations\.tar\.gz into .*/oxford-iiit-pet"):
        Dogs(str(tmp_path)).store()


def test_an_image_that_is_missing_is_told_with_the_line_that_names_it(pets: Path) -> None:
    (pets / "images" / "basset_hound_3.jpg").unlink()
    with pytest.raises(ValueError, match=rf"basset_hound_3\.jpg: missing; {pets}/annotations/trainval.txt, line 16"):
        Dogs(str(pets)).store()


def test_an_image_that_is_missing_in_the_archive_is_told(pets: Path, tmp_path: Path) -> None:
    (pets / "images" / "basset_hound_7.jpg").unlink()
    pack(pets, tmp_path / "data")
    with pytest.raises(ValueError, match=r"no images/basset_hound_7\.jpg in it; .*test\.txt, line 6 names it"):
        Dogs(str(tmp_path / "data")).store()
    assert list((tmp_path / "data" / ".firstlight").iterdir()) == []


def test_a_truncated_archive_is_refused(pets: Path, tmp_path: Path) -> None:
    pack(pets, tmp_path / "data")
    path = tmp_path / "data" / "images.tar.gz"
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"images\.tar\.gz: cannot read"):
        Dogs(str(tmp_path / "data")).store()


@pytest.mark.parametrize("name", ["images", "annotations"])
def test_an_archive_with_a_wrong_checksum_is_refused(pets: Path, tmp_path: Path, name: str) -> None:
    pack(pets, tmp_path / "data")
    path = tmp_path / "data" / f"{name}.tar.gz"
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    with pytest.raises(ValueError, match=rf"{path}: cannot read"):
        Dogs(str(tmp_path / "data"), image_size=8).store()
    assert not list(tmp_path.rglob("*.npy"))


def test_a_damaged_image_in_an_archive_is_told_with_its_archive(pets: Path, tmp_path: Path) -> None:
    (pets / "images" / "basset_hound_0.jpg").write_text("<html>")
    pack(pets, tmp_path / "data")
    with pytest.raises(ValueError, match=r"images\.tar\.gz/images/basset_hound_0\.jpg: not an image"):
        Dogs(str(tmp_path / "data")).store()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Abyssinian_1 1 1", "line 2: 'Abyssinian_1 1 1'; a line is like"),
        ("Abyssinian_1 x 1 1", "line 2: 'Abyssinian_1 x 1 1'; a line is like"),
        ("Abyssinian_1 1 3 1", "line 2: 'Abyssinian_1 1 3 1'; a line is like"),
        ("../../etc/passwd_1 1 1 1", "line 2: .*; a line is like"),
        ("Abyssinian_1 0 1 1", "line 2: class 0; there are 1 to 37"),
        ("Abyssinian_1 38 1 1", "line 2: class 38; there are 1 to 37"),
        ("Bengal_10 1 1 1", "line 2: class 1 is Bengal here, but Abyssinian before"),
        ("Abyssinian_0 1 1 1", "line 2: Abyssinian_0 again, which .*trainval.txt, line 1 names"),
    ],
)
def test_a_bad_line_is_told_with_its_file(pets: Path, line: str, told: str) -> None:
    path = pets / "annotations" / "trainval.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], line, *lines[2:]]))
    with pytest.raises(ValueError, match=f"{path}, {told}"):
        Dogs(str(pets)).store()


@pytest.mark.parametrize("target", ["breed", "all_breeds", "species"])
def test_an_image_to_learn_from_is_not_for_testing_too(pets: Path, target: str) -> None:
    path = pets / "annotations" / "test.txt"
    path.write_text(path.read_text() + "basset_hound_3 4 2 1\n")
    with pytest.raises(
        ValueError, match=rf"{path}, line 9: basset_hound_3 again, which .*trainval\.txt, line 16 names"
    ):
        Dogs(str(pets), image_size=8, target=target).store()


@pytest.mark.parametrize(
    ("target", "taught", "told"),
    [
        ("breed", "american_bulldog", "line 5: basset hound, of which annotations/trainval.txt names none"),
        ("all_breeds", "american_bulldog", "line 1: Abyssinian, of which"),
        ("species", "american_bulldog", "line 1: cat, of which"),
    ],
)
def test_what_there_is_only_to_test_on_is_refused(pets: Path, target: str, taught: str, told: str) -> None:
    path = pets / "annotations" / "trainval.txt"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if line.startswith(taught)))
    with pytest.raises(ValueError, match=rf"{pets}/annotations/test\.txt, {told}"):
        Dogs(str(pets), image_size=8, target=target).store()


def test_comments_and_empty_lines_do_not_count(pets: Path) -> None:
    path = pets / "annotations" / "test.txt"
    path.write_text("#Image CLASS-ID SPECIES BREED ID\n\n" + path.read_text())
    assert len(Dogs(str(pets), image_size=8).store().splits["test"]) == 4


def test_a_list_of_cats_has_no_dogs(pets: Path) -> None:
    (pets / "annotations" / "test.txt").write_text("Abyssinian_6 1 1 1\n")
    with pytest.raises(ValueError, match=r"test\.txt: there is nothing in it to learn from"):
        Dogs(str(pets)).store()


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(ValueError, match=r"data\.target=colour: breed, all_breeds or species"):
        Dogs("anywhere", target="colour")
