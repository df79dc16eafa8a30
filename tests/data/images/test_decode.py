import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from firstlight.data.images.decode import decode
from firstlight.data.images.reading import read_image
from firstlight.data.store import Arrays
from helpers.generate import write_image

SHAPE = (3, 6, 6)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """200 images in one folder."""
    found = [tmp_path / "images" / f"{number:03}.png" for number in range(200)]
    for number, path in enumerate(found):
        write_image(path, number, height=7, width=8)
    return found


def decoded(paths: list[Path], scratch: Path, **options: Any) -> dict[str, Arrays]:
    """Decode the images; image i has the class i, and the last 50 are for testing."""
    labelled = [(path, number) for number, path in enumerate(paths)]
    return decode({"train": labelled[:150], "test": labelled[150:]}, SHAPE, scratch, **options)


def damage(paths: list[Path], *numbers: int) -> None:
    for number in numbers:
        paths[number].write_bytes(paths[number].read_bytes()[:100])


def test_every_image_keeps_its_class(paths: list[Path], tmp_path: Path) -> None:
    splits = decoded(paths, tmp_path / "scratch")
    assert [len(splits[name].inputs) for name in ("train", "test")] == [150, 50]
    for arrays in splits.values():
        assert arrays.targets.dtype == np.int64
        for pixels, target in zip(arrays.inputs, arrays.targets, strict=True):
            assert np.array_equal(pixels, read_image(paths[target], SHAPE))


def test_contents_replace_files_in_any_order(paths: list[Path], tmp_path: Path) -> None:
    from_files = decoded(paths, tmp_path)
    contents = [(path, path.read_bytes()) for path in reversed(paths)]
    for path in paths:
        path.unlink()
    splits = {"train": [(path, number) for number, path in enumerate(paths)]}
    from_contents = decode(splits, SHAPE, tmp_path, contents=contents)
    assert np.array_equal(from_contents["train"].inputs[:150], from_files["train"].inputs)
    assert from_contents["train"].targets.tolist() == list(range(200))


def test_a_path_must_not_occur_twice(paths: list[Path], tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        decode({"train": [(paths[0], 0)], "test": [(paths[0], 0)]}, SHAPE, tmp_path)


def test_the_error_names_the_first_damaged_image_and_how_to_skip_it(paths: list[Path], tmp_path: Path) -> None:
    damage(paths, 7, 160)
    with pytest.raises(ValueError, match=rf"{paths[7]}: cannot read .*data\.on_corrupt=skip"):
        decoded(paths, tmp_path / "scratch")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_damaged_images_are_skipped_and_logged(
    paths: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage(paths, 7, 160)
    splits = decoded(paths, tmp_path / "scratch", on_corrupt="skip")
    assert splits["train"].targets.tolist() == [number for number in range(150) if number != 7]
    assert splits["test"].targets.tolist() == [number for number in range(150, 200) if number != 160]
    for arrays in splits.values():
        for pixels, target in zip(arrays.inputs, arrays.targets, strict=True):
            assert np.array_equal(pixels, read_image(paths[target], SHAPE))
    assert [str(paths[number]) in record.message for number, record in zip((7, 160), caplog.records, strict=True)]


def test_ten_warnings_are_shown_and_all_damaged_images_are_in_the_log_file(
    paths: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage(paths, *range(13))
    with caplog.at_level(logging.DEBUG, "firstlight"):
        decoded(paths, tmp_path, on_corrupt="skip", max_corrupt=0.1)
    warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 11
    assert warned[-1] == "left out: 3 more images; train.log lists them"
    assert all(any(str(path) in record.message for record in caplog.records) for path in paths[:13])


@pytest.mark.parametrize("max_corrupt", [0, 1, 2])
def test_more_damaged_images_than_allowed_raise_an_error(paths: list[Path], tmp_path: Path, max_corrupt: int) -> None:
    damage(paths, 3, 4, 190)
    message = rf"data\.max_corrupt={max_corrupt}: must be larger, because more than {max_corrupt} of the 200 images"
    with pytest.raises(ValueError, match=message) as caught:
        decoded(paths, tmp_path / "scratch", on_corrupt="skip", max_corrupt=max_corrupt)
    assert all(str(paths[number]) in str(caught.value) for number in (3, 4, 190)[: max_corrupt + 1])
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("limit", [30, 60])  # Pillow warns above the limit, and raises an error above twice the limit
def test_a_decompression_bomb_raises_an_error_without_a_warning(paths: list[Path], tmp_path: Path, limit: int) -> None:
    write_image(paths[9], 9, height=10, width=10)
    for path in paths[:9] + paths[10:]:
        write_image(path, 0, height=5, width=5)
    with pytest.raises(ValueError, match=rf"{paths[9]}: .*decompression bomb.*data\.max_pixels"):
        decoded(paths, tmp_path, max_pixels=limit)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><title>Not found</title>", b"\xff\xd8\xff\xe0\x00"])
def test_a_file_that_is_not_an_image_raises_an_error(paths: list[Path], tmp_path: Path, content: bytes) -> None:
    paths[0].write_bytes(content)
    with pytest.raises(ValueError, match=f"{paths[0]}: cannot read"):
        decoded(paths, tmp_path)


def test_metadata_that_pillow_warns_about_are_ignored(paths: list[Path], tmp_path: Path) -> None:
    image = Image.new("P", (8, 8))
    image.putpalette([200, 0, 0])
    image.save(paths[0], transparency=bytes([255, 0]))
    metadata = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x63"  # says that 99 entries follow
    Image.new("RGB", (8, 8)).save(paths[1], format="JPEG", exif=metadata)
    assert decoded(paths, tmp_path)["train"].inputs[0, 0, 0, 0] == 200


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="requires posix_fallocate")
def test_a_full_disk_raises_an_error_before_decoding(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        decoded(paths, tmp_path / "scratch")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_array_is_a_memory_map_without_a_visible_file(paths: list[Path], tmp_path: Path) -> None:
    splits = decoded(paths, tmp_path / "scratch")
    assert list((tmp_path / "scratch").iterdir()) == []
    assert all(isinstance(arrays.inputs, np.memmap) for arrays in splits.values())
