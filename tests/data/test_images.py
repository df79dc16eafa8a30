import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from firstlight.data.images import find_images, read_image, refuse_decompression_bombs

GREY, COLOUR = (1, 8, 8), (3, 8, 8)
LOSSLESS = ["png", "bmp", "tiff"]
FORMATS = [*LOSSLESS, "jpg", "webp", "gif"]
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
    facts = Image.Exif()
    facts[0x0112] = orientation
    return facts


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """Top left and bottom right."""
    return [tuple(pixels[:, 0, 0].tolist()), tuple(pixels[:, -1, -1].tolist())]


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_a_lossless_grey_image_of_the_right_size_is_read_as_it_is(tmp_path: Path, suffix: str) -> None:
    path = save(Image.fromarray(gradient()), tmp_path / f"image.{suffix}")
    found = read_image(path, GREY)
    assert found.dtype == np.uint8
    assert np.array_equal(found, gradient()[None])


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_a_lossless_colour_image_of_the_right_size_is_read_as_it_is(tmp_path: Path, suffix: str) -> None:
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


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), (*RED, 255))
    image.paste((*BLUE, 0), (4, 0, 8, 8))
    assert corners(read_image(save(image, tmp_path / "image.png"), COLOUR)) == [RED, WHITE]


def test_what_is_half_transparent_is_half_white(tmp_path: Path) -> None:
    path = save(Image.new("LA", (8, 8), (0, 128)), tmp_path / "image.png")
    assert corners(read_image(path, GREY)) == [(127,), (127,)]


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_palette_with_a_transparent_colour_is_laid_on_white(tmp_path: Path, suffix: str) -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([*RED, *BLUE])
    image.paste(1, (4, 0, 8, 8))
    path = save(image, tmp_path / f"image.{suffix}", transparency=1)
    assert corners(read_image(path, COLOUR)) == [RED, WHITE]


def test_a_palette_with_degrees_of_transparency_is_laid_on_white(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([*RED, *BLUE])
    image.paste(1, (4, 0, 8, 8))
    path = save(image, tmp_path / "image.png", transparency=bytes([255, 0]))
    assert corners(read_image(path, COLOUR)) == [RED, WHITE]


@pytest.mark.parametrize(("mode", "transparent"), [("L", 0), ("RGB", (0, 0, 0)), ("1", 0)])
def test_a_transparent_colour_is_white(tmp_path: Path, mode: str, transparent: int | tuple[int, ...]) -> None:
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
def test_16_bit_grey_is_divided_and_not_cut_off(tmp_path: Path, suffix: str) -> None:
    path = save(Image.fromarray(gradient().astype(np.uint16) * 257), tmp_path / f"image.{suffix}")
    assert np.array_equal(read_image(path, GREY), gradient()[None])


def test_a_16_bit_image_that_is_almost_black_stays_so(tmp_path: Path) -> None:
    path = save(Image.fromarray(np.full((8, 8), 200, dtype=np.uint16)), tmp_path / "dark.png")
    assert read_image(path, GREY).max() <= 1


def test_grey_from_0_to_1_in_floats_is_read(tmp_path: Path) -> None:
    path = save(Image.fromarray((gradient() / 255).astype(np.float32)), tmp_path / "image.tiff")
    assert np.abs(read_image(path, GREY)[0].astype(int) - gradient()).max() <= 1


def test_1_bit_is_black_and_white(tmp_path: Path) -> None:
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
def test_an_image_is_turned_as_its_exif_data_says(tmp_path: Path, orientation: int, turned: Any) -> None:
    path = save(Image.fromarray(gradient()), tmp_path / "image.png", exif=exif(orientation))
    assert np.array_equal(read_image(path, GREY)[0], turned(gradient()))


def test_a_16_bit_image_is_turned_too(tmp_path: Path) -> None:
    path = save(Image.fromarray(gradient().astype(np.uint16) * 257), tmp_path / "image.png", exif=exif(3))
    assert read_image(path, GREY)[0, 0, 0] == 255


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (1, 500), (500, 1), (7, 9), (640, 480), (3000, 20)])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (3, 5, 11)], ids=str)
def test_images_of_any_size_come_out_in_the_shape(
    tmp_path: Path, size: tuple[int, int], shape: tuple[int, ...]
) -> None:
    found = read_image(save(Image.new("RGB", size, RED), tmp_path / "image.png"), shape)
    assert found.shape == shape
    assert found.dtype == np.uint8
    assert (found == (76 if shape[0] == 1 else np.array(RED)[:, None, None])).all()


def test_a_wide_image_is_cut_at_the_centre(tmp_path: Path) -> None:
    image = Image.new("RGB", (24, 8), RED)
    image.paste(BLUE, (8, 0, 16, 8))
    found = read_image(save(image, tmp_path / "image.png"), COLOUR)
    assert (found == np.array(BLUE)[:, None, None]).all()


def test_a_large_image_is_averaged_and_not_sampled(tmp_path: Path) -> None:
    checkers = (np.indices((80, 80)).sum(0) % 2 * 255).astype(np.uint8)
    found = read_image(save(Image.fromarray(checkers), tmp_path / "image.png"), GREY)
    assert np.abs(found.astype(int) - 127).max() <= 3


@pytest.mark.parametrize("suffix", FORMATS)
def test_content_takes_the_place_of_the_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    path.write_bytes(encoded(suffix))
    assert np.array_equal(read_image(Path("nowhere"), COLOUR, encoded(suffix)), read_image(path, COLOUR))


def test_damaged_content_is_refused_by_the_name_that_it_was_given() -> None:
    with pytest.raises(ValueError, match=r"photos\.zip/1\.jpg: not an image that can be read"):
        read_image(Path("photos.zip/1.jpg"), COLOUR, b"no image")


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_that_is_decoded_at_a_smaller_size_looks_the_same(tmp_path: Path, orientation: int) -> None:
    rows, columns = np.indices((600, 900))
    pixels = np.stack([rows % 256, columns % 256, (rows + columns) // 6], axis=2).astype(np.uint8)
    smooth = Image.fromarray(pixels).resize((90, 60)).resize((900, 600), Image.Resampling.BICUBIC)
    jpeg = save(smooth, tmp_path / "image.jpg", quality=95, exif=exif(orientation))
    png = save(smooth, tmp_path / "image.png", exif=exif(orientation))
    found, expected = (read_image(path, (3, 32, 48)).astype(int) for path in (jpeg, png))
    assert np.abs(found - expected).mean() < 1.5


def test_of_an_animation_the_first_image_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    path = save(frames[0], tmp_path / "image.gif", save_all=True, append_images=frames[1:])
    assert corners(read_image(path, COLOUR)) == [RED, RED]


def refused(path: Path) -> str:
    with pytest.raises(ValueError, match=f"{path}: not an image that can be read") as caught:
        read_image(path, COLOUR)
    return str(caught.value)


def outcome(path: Path) -> tuple[int, ...] | str:
    """The shape of the image, or the file that is named where it is refused."""
    try:
        return read_image(path, COLOUR).shape
    except ValueError as error:
        return str(error).split(":")[0]


def encoded(suffix: str) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    options = {"exif": exif(6)} if suffix in ("jpg", "png", "webp") else {}
    Image.fromarray(pixels).save(buffer, {"jpg": "JPEG"}.get(suffix, suffix), **options)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_image_cut_in_half_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    path.write_bytes(encoded(suffix)[: len(encoded(suffix)) // 2])
    refused(path)


@pytest.mark.filterwarnings("ignore")  # Pillow warns of damage that it gets over
@pytest.mark.parametrize("suffix", FORMATS)
def test_an_image_that_is_damaged_anywhere_is_read_or_refused(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)  # damage must not fill the memory
    path, whole = tmp_path / f"image.{suffix}", encoded(suffix)
    random = np.random.default_rng(0)
    damaged = [whole[:length] for length in range(0, len(whole), 1 + len(whole) // 150)]
    for _ in range(300):
        altered = bytearray(whole)
        for place in random.integers(0, min(len(whole), 200), 3):  # where the headers are
            altered[place] = random.integers(0, 256)
        damaged.append(bytes(altered))
    for content in damaged:
        path.write_bytes(content)
        assert outcome(path) in (COLOUR, str(path))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tag", [0x0100, 0x0140])  # ImageWidth and ColorMap, as text
def test_exif_data_of_the_wrong_type_are_got_over_or_refused(tmp_path: Path, tag: int) -> None:
    entries = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack(">HHI4s", tag, 2, 4, b"abc")
    facts = b"Exif\x00\x00MM\x00*" + struct.pack(">IH", 8, 2) + entries + bytes(4)
    path = save(colours(RED, BLUE), tmp_path / "image.jpg", exif=facts)
    assert outcome(path) in (COLOUR, str(path))


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_of_zero_bytes_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"image.{suffix}").touch()
    refused(tmp_path / f"image.{suffix}")


def test_a_web_page_named_jpg_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image.jpg").write_text("<!DOCTYPE html><title>Not found</title>")
    refused(tmp_path / "image.jpg")


def test_an_image_with_the_wrong_suffix_is_read_for_what_it_is(tmp_path: Path) -> None:
    path = save(Image.fromarray(gradient()), tmp_path / "image.jpg", format="PNG")
    assert np.array_equal(read_image(path, GREY), gradient()[None])


@pytest.mark.parametrize("suffix", ["eps", "pcx", "ico", "sgi", "tga", "dds"])
def test_other_formats_are_not_even_tried(tmp_path: Path, suffix: str) -> None:
    path = save(colours(RED, BLUE, size=32), tmp_path / f"image.{suffix}")
    assert "cannot identify" in refused(path)
    assert "cannot identify" in refused(path.rename(tmp_path / "image.jpg"))


def test_a_jpeg_of_several_images_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    path = save(frames[0], tmp_path / "image.jpg", format="MPO", save_all=True, append_images=frames[1:])
    assert np.abs(np.array(corners(read_image(path, COLOUR))) - RED).max() <= 3


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "nothing.png")


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_image_so_large_that_it_may_be_an_attack_is_refused(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(Image.new("RGB", (30, 30)), tmp_path / f"image.{suffix}")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    assert "decompression bomb" in refused(path)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("suffix", FORMATS)
def test_an_image_that_pillow_only_warns_of_is_refused_too(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(Image.new("RGB", (30, 30)), tmp_path / f"image.{suffix}")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)
    with refuse_decompression_bombs():
        assert "decompression bomb" in refused(path)


@pytest.mark.parametrize("channels", [2, 4])
def test_a_network_for_neither_grey_nor_colour_is_refused(tmp_path: Path, channels: int) -> None:
    path = save(Image.fromarray(gradient()), tmp_path / "image.png")
    with pytest.raises(ValueError, match=f"The network takes {channels} channels"):
        read_image(path, (channels, 8, 8))


def test_a_file_is_found_as_itself(tmp_path: Path) -> None:
    (tmp_path / "image.unknown").touch()
    assert find_images(tmp_path / "image.unknown") == [tmp_path / "image.unknown"]


def test_all_images_in_a_folder_are_found_by_name(tmp_path: Path) -> None:
    (tmp_path / "inner.png").mkdir()
    for name in ("b.PNG", "a.jpg", "notes.txt", "inner.png/c.webp", "labels.csv"):
        (tmp_path / name).touch()
    assert [str(path.relative_to(tmp_path)) for path in find_images(tmp_path)] == [
        "a.jpg",
        "b.PNG",
        "inner.png/c.webp",
    ]


def test_what_is_hidden_is_not_found(tmp_path: Path) -> None:
    (tmp_path / ".thumbnails").mkdir()
    for name in ("a.jpg", "._a.jpg", ".thumbnails/a.jpg"):
        (tmp_path / name).touch()
    assert find_images(tmp_path) == [tmp_path / "a.jpg"]


def test_images_in_a_hidden_folder_that_is_named_are_found(tmp_path: Path) -> None:
    (tmp_path / ".private").mkdir()
    (tmp_path / ".private" / "a.jpg").touch()
    assert find_images(tmp_path / ".private") == [tmp_path / ".private" / "a.jpg"]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match=f"input={tmp_path}: no images in this folder"):
        find_images(tmp_path)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"input={tmp_path}/nowhere: there is no such file or folder"):
        find_images(tmp_path / "nowhere")


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_images_are_resized_by_the_interpolation_that_is_asked_for(tmp_path: Path, interpolation: str) -> None:
    path = save(colours(RED, BLUE, size=30), tmp_path / "image.png")
    with Image.open(path) as image:
        expected = np.asarray(image.resize((8, 8), Image.Resampling[interpolation.upper()]))
    assert np.array_equal(read_image(path, COLOUR, interpolation=interpolation), expected.transpose(2, 0, 1))
