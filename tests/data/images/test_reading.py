import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from firstlight.data.images.reading import find_images, read_image, refuse_decompression_bombs

GREY, COLOUR = (1, 8, 8), (3, 8, 8)
LOSSLESS = ["png", "bmp", "tiff"]
FORMATS = [*LOSSLESS, "jpg", "webp", "gif", "avif", "jp2"]
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def save(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


def gradient(height: int = 8, width: int = 8) -> np.ndarray:
    return np.linspace(0, 255, height * width).reshape(height, width).astype(np.uint8)


def colours(left: tuple[int, int, int], right: tuple[int, int, int], size: int = 8) -> Image.Image:
    image = Image.new("RGB", (size, size), left)
    image.paste(right, (size // 2, 0, size, size))
    return image


def exif(orientation: int) -> Image.Exif:
    metadata = Image.Exif()
    metadata[0x0112] = orientation
    return metadata


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """Return the top left and the bottom right pixel."""
    return [tuple(pixels[:, 0, 0].tolist()), tuple(pixels[:, -1, -1].tolist())]


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_a_lossless_grey_image_of_the_right_size_is_unchanged(tmp_path: Path, suffix: str) -> None:
    path = save(Image.fromarray(gradient()), tmp_path / f"image.{suffix}")
    found = read_image(path, GREY)
    assert found.dtype == np.uint8
    assert np.array_equal(found, gradient()[None])


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_a_lossless_colour_image_of_the_right_size_is_unchanged(tmp_path: Path, suffix: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    path = save(Image.fromarray(pixels), tmp_path / f"image.{suffix}")
    assert np.array_equal(read_image(path, COLOUR), pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_keeps_its_colours(tmp_path: Path, suffix: str) -> None:
    path = save(colours(RED, BLUE, size=64), tmp_path / f"image.{suffix}")
    found = read_image(path, COLOUR).astype(int)
    assert np.abs(np.array(corners(found)) - [RED, BLUE]).max() <= 8


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    path = save(Image.fromarray(gradient()), tmp_path / "grey.png")
    assert np.array_equal(read_image(path, COLOUR), np.stack([gradient()] * 3))


def test_colour_becomes_grey_by_its_luminance(tmp_path: Path) -> None:
    path = save(colours(RED, GREEN), tmp_path / "colours.png")
    assert corners(read_image(path, GREY)) == [(76,), (150,)]


def test_transparent_pixels_become_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), (*RED, 255))
    image.paste((*BLUE, 0), (4, 0, 8, 8))
    assert corners(read_image(save(image, tmp_path / "image.png"), COLOUR)) == [RED, WHITE]


def test_half_transparent_pixels_become_half_white(tmp_path: Path) -> None:
    path = save(Image.new("LA", (8, 8), (0, 128)), tmp_path / "image.png")
    assert corners(read_image(path, GREY)) == [(127,), (127,)]


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_transparent_colour_of_a_palette_becomes_white(tmp_path: Path, suffix: str) -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([*RED, *BLUE])
    image.paste(1, (4, 0, 8, 8))
    path = save(image, tmp_path / f"image.{suffix}", transparency=1)
    assert corners(read_image(path, COLOUR)) == [RED, WHITE]


def test_a_palette_with_an_alpha_channel_is_blended_with_white(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([*RED, *BLUE])
    image.paste(1, (4, 0, 8, 8))
    path = save(image, tmp_path / "image.png", transparency=bytes([255, 0]))
    assert corners(read_image(path, COLOUR)) == [RED, WHITE]


@pytest.mark.parametrize(("mode", "transparent"), [("L", 0), ("RGB", (0, 0, 0)), ("1", 0)])
def test_a_transparent_colour_becomes_white(tmp_path: Path, mode: str, transparent: int | tuple[int, ...]) -> None:
    image = Image.new(mode, (8, 8))
    path = save(image, tmp_path / "image.png", transparency=transparent)
    assert corners(read_image(path, COLOUR)) == [WHITE, WHITE]


@pytest.mark.parametrize("suffix", ["jpg", "tiff"])
def test_cmyk_is_read(tmp_path: Path, suffix: str) -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    path = save(image, tmp_path / f"image.{suffix}")
    assert np.abs(np.array(corners(read_image(path, COLOUR))) - RED).max() <= 3
    assert abs(int(read_image(path, GREY)[0, 0, 0]) - 76) <= 3


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path: Path, suffix: str) -> None:
    path = save(Image.fromarray(gradient().astype(np.uint16) * 257), tmp_path / f"image.{suffix}")
    assert np.array_equal(read_image(path, GREY), gradient()[None])


def test_a_dark_16_bit_image_stays_dark(tmp_path: Path) -> None:
    path = save(Image.fromarray(np.full((8, 8), 200, dtype=np.uint16)), tmp_path / "dark.png")
    assert read_image(path, GREY).max() <= 1


def test_grey_floats_from_0_to_1_are_scaled_to_255(tmp_path: Path) -> None:
    path = save(Image.fromarray((gradient() / 255).astype(np.float32)), tmp_path / "image.tiff")
    assert np.abs(read_image(path, GREY)[0].astype(int) - gradient()).max() <= 1


def test_1_bit_images_are_black_and_white(tmp_path: Path) -> None:
    image = Image.new("1", (8, 8), 0)
    image.paste(1, (4, 0, 8, 8))
    assert corners(read_image(save(image, tmp_path / "image.png"), GREY)) == [(0,), (255,)]


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda pixels: pixels),
        (2, np.fliplr),
        (3, lambda pixels: np.rot90(pixels, 2)),
        (4, np.flipud),
        (5, np.transpose),
        (6, lambda pixels: np.rot90(pixels, -1)),
        (7, lambda pixels: np.rot90(pixels, 2).T),
        (8, np.rot90),
    ],
)
def test_an_image_is_rotated_by_its_exif_orientation(tmp_path: Path, orientation: int, turned: Any) -> None:
    path = save(Image.fromarray(gradient()), tmp_path / "image.png", exif=exif(orientation))
    assert np.array_equal(read_image(path, GREY)[0], turned(gradient()))


def test_a_16_bit_image_is_rotated_by_its_exif_orientation(tmp_path: Path) -> None:
    path = save(Image.fromarray(gradient().astype(np.uint16) * 257), tmp_path / "image.png", exif=exif(3))
    assert read_image(path, GREY)[0, 0, 0] == 255


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (1, 500), (500, 1), (7, 9), (640, 480), (3000, 20)])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (3, 5, 11)], ids=str)
def test_images_of_any_size_are_resized_to_the_shape(
    tmp_path: Path, size: tuple[int, int], shape: tuple[int, ...]
) -> None:
    found = read_image(save(Image.new("RGB", size, RED), tmp_path / "image.png"), shape)
    assert found.shape == shape
    assert found.dtype == np.uint8
    assert (found == (76 if shape[0] == 1 else np.array(RED)[:, None, None])).all()


def test_a_wide_image_is_cropped_at_the_centre(tmp_path: Path) -> None:
    image = Image.new("RGB", (24, 8), RED)
    image.paste(BLUE, (8, 0, 16, 8))
    found = read_image(save(image, tmp_path / "image.png"), COLOUR)
    assert (found == np.array(BLUE)[:, None, None]).all()


def test_a_large_image_is_resized_with_antialiasing(tmp_path: Path) -> None:
    checkers = (np.indices((80, 80)).sum(0) % 2 * 255).astype(np.uint8)
    found = read_image(save(Image.fromarray(checkers), tmp_path / "image.png"), GREY)
    assert np.abs(found.astype(int) - 127).max() <= 3


@pytest.mark.parametrize("suffix", FORMATS)
def test_content_replaces_the_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    path.write_bytes(encoded(suffix))
    assert np.array_equal(read_image(Path("nowhere"), COLOUR, encoded(suffix)), read_image(path, COLOUR))


def test_damaged_content_raises_an_error_that_names_the_path() -> None:
    with pytest.raises(ValueError, match=r"photos\.zip/1\.jpg: cannot read \("):
        read_image(Path("photos.zip/1.jpg"), COLOUR, b"no image")


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_decoded_at_a_smaller_size_looks_the_same(tmp_path: Path, orientation: int) -> None:
    rows, columns = np.indices((600, 900))
    pixels = np.stack([rows % 256, columns % 256, (rows + columns) // 6], axis=2).astype(np.uint8)
    smooth = Image.fromarray(pixels).resize((90, 60)).resize((900, 600), Image.Resampling.BICUBIC)
    jpeg = save(smooth, tmp_path / "image.jpg", quality=95, exif=exif(orientation))
    png = save(smooth, tmp_path / "image.png", exif=exif(orientation))
    found, expected = (read_image(path, (3, 32, 48)).astype(int) for path in (jpeg, png))
    assert np.abs(found - expected).mean() < 1.5


def test_the_first_image_of_an_animation_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    path = save(frames[0], tmp_path / "image.gif", save_all=True, append_images=frames[1:])
    assert corners(read_image(path, COLOUR)) == [RED, RED]


def error_for(path: Path) -> str:
    with pytest.raises(ValueError, match=rf"{path}: cannot read \(") as caught:
        read_image(path, COLOUR)
    return str(caught.value)


def outcome(path: Path) -> tuple[int, ...] | str:
    """Return the shape of the image, or the path in the error message."""
    try:
        return read_image(path, COLOUR).shape
    except ValueError as error:
        return str(error).split(":")[0]


def encoded(suffix: str) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    options = {"exif": exif(6)} if suffix in ("jpg", "png", "webp") else {}
    Image.fromarray(pixels).save(buffer, {"jpg": "JPEG", "jp2": "JPEG2000"}.get(suffix, suffix), **options)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_truncated_image_raises_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    path.write_bytes(encoded(suffix)[: len(encoded(suffix)) // 2])
    error_for(path)


@pytest.mark.filterwarnings("ignore")  # Pillow warns about damage that it can ignore
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_damaged_image_is_read_or_raises_an_error_that_names_the_file(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)  # damaged sizes would take the memory
    path, whole = tmp_path / f"image.{suffix}", encoded(suffix)
    random = np.random.default_rng(0)
    damaged = [whole[:length] for length in range(0, len(whole), 1 + len(whole) // 150)]
    for _ in range(300):
        altered = bytearray(whole)
        for place in random.integers(0, min(len(whole), 200), 3):  # in the headers
            altered[place] = random.integers(0, 256)
        damaged.append(bytes(altered))
    for content in damaged:
        path.write_bytes(content)
        assert outcome(path) in (COLOUR, str(path))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tag", [0x0100, 0x0140])  # ImageWidth and ColorMap, as text
def test_exif_data_of_the_wrong_type_are_ignored_or_raise_an_error(tmp_path: Path, tag: int) -> None:
    entries = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack(">HHI4s", tag, 2, 4, b"abc")
    metadata = b"Exif\x00\x00MM\x00*" + struct.pack(">IH", 8, 2) + entries + bytes(4)
    path = save(colours(RED, BLUE), tmp_path / "image.jpg", exif=metadata)
    assert outcome(path) in (COLOUR, str(path))


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_empty_file_raises_an_error(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"image.{suffix}").touch()
    error_for(tmp_path / f"image.{suffix}")


def test_a_web_page_named_jpg_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "image.jpg").write_text("<!DOCTYPE html><title>Not found</title>")
    error_for(tmp_path / "image.jpg")


def test_an_image_with_the_wrong_suffix_is_read(tmp_path: Path) -> None:
    path = save(Image.fromarray(gradient()), tmp_path / "image.jpg", format="PNG")
    assert np.array_equal(read_image(path, GREY), gradient()[None])


@pytest.mark.parametrize("suffix", ["eps", "pcx", "ico", "sgi", "tga", "dds"])
def test_other_formats_raise_an_error(tmp_path: Path, suffix: str) -> None:
    path = save(colours(RED, BLUE, size=32), tmp_path / f"image.{suffix}")
    assert "not an image of a known format" in error_for(path)
    assert "not an image of a known format" in error_for(path.rename(tmp_path / "image.jpg"))


def test_a_jpeg_of_several_images_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    path = save(frames[0], tmp_path / "image.jpg", format="MPO", save_all=True, append_images=frames[1:])
    assert np.abs(np.array(corners(read_image(path, COLOUR))) - RED).max() <= 3


def test_a_missing_file_raises_an_error(tmp_path: Path) -> None:
    error_for(tmp_path / "nothing.png")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_decompression_bomb_raises_an_error(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(Image.new("RGB", (30, 30)), tmp_path / f"image.{suffix}")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    assert "decompression bomb" in error_for(path)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_large_image_that_pillow_only_warns_about_raises_an_error(tmp_path: Path, suffix: str) -> None:
    path = save(Image.new("RGB", (30, 30)), tmp_path / f"image.{suffix}")
    with refuse_decompression_bombs(max_pixels=600):
        assert "decompression bomb" in error_for(path)


@pytest.mark.parametrize("channels", [2, 4])
def test_other_numbers_of_channels_raise_an_error(tmp_path: Path, channels: int) -> None:
    path = save(Image.fromarray(gradient()), tmp_path / "image.png")
    with pytest.raises(ValueError, match=f"channels={channels}: must be 1"):
        read_image(path, (channels, 8, 8))


def test_the_path_of_a_file_is_returned(tmp_path: Path) -> None:
    (tmp_path / "image.unknown").touch()
    assert find_images(tmp_path / "image.unknown") == [tmp_path / "image.unknown"]


def test_all_images_in_a_folder_are_found_sorted_by_name(tmp_path: Path) -> None:
    (tmp_path / "inner.png").mkdir()
    for name in ("b.PNG", "a.jpg", "notes.txt", "inner.png/c.webp", "labels.csv"):
        (tmp_path / name).touch()
    assert [str(path.relative_to(tmp_path)) for path in find_images(tmp_path)] == [
        "a.jpg",
        "b.PNG",
        "inner.png/c.webp",
    ]


def test_hidden_files_and_folders_are_ignored(tmp_path: Path) -> None:
    (tmp_path / ".thumbnails").mkdir()
    for name in ("a.jpg", "._a.jpg", ".thumbnails/a.jpg"):
        (tmp_path / name).touch()
    assert find_images(tmp_path) == [tmp_path / "a.jpg"]


def test_images_are_found_if_the_given_folder_is_hidden(tmp_path: Path) -> None:
    (tmp_path / ".private").mkdir()
    (tmp_path / ".private" / "a.jpg").touch()
    assert find_images(tmp_path / ".private") == [tmp_path / ".private" / "a.jpg"]


def test_a_folder_without_images_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match=f"input={tmp_path}: must be a folder with images"):
        find_images(tmp_path)


def test_a_missing_path_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"input={tmp_path}/nowhere: must be an existing file or folder"):
        find_images(tmp_path / "nowhere")


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_images_are_resized_with_the_given_interpolation(tmp_path: Path, interpolation: str) -> None:
    path = save(colours(RED, BLUE, size=30), tmp_path / "image.png")
    with Image.open(path) as image:
        expected = np.asarray(image.resize((8, 8), Image.Resampling[interpolation.upper()]))
    assert np.array_equal(read_image(path, COLOUR, interpolation=interpolation), expected.transpose(2, 0, 1))
