"""Image files as people bring them: formats, damage, size, proportions, and official files under other names."""

import gzip
import io
import shutil
import sys
import tarfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from firstlight.config.compose import compose
from firstlight.data import ASL, CIFAR10, MNIST, Dogs, Folder
from firstlight.data.files.formats import SUFFIXES, UnreadableError, open_image, register_heif
from firstlight.data.images.memory import MAX_PIXELS, Budget, decoding_bytes
from firstlight.data.images.reading import find_images, read_image, refuse_decompression_bombs
from firstlight.runs.predict import predict
from firstlight.training.run import train
from helpers.generate import ASL_CODES, asl_table, png_header, write_asl, write_classes, write_mnist, write_pets

SHAPE = (3, 16, 16)
FORMAT_OF = {
    **dict.fromkeys([".jpg", ".JPEG", ".jpe", ".jfif", ".JFIF", ".jif", ".mpo"], "JPEG"),
    **dict.fromkeys([".png", ".apng"], "PNG"),
    **dict.fromkeys([".tif", ".TIFF"], "TIFF"),
    **dict.fromkeys([".jp2", ".j2k", ".J2C", ".jpx", ".jpf", ".jpc", ".jpeg2000"], "JPEG2000"),
    **dict.fromkeys([".ppm", ".pnm"], "PPM"),
    **dict.fromkeys([".avif", ".AVIFS"], "AVIF"),
    **dict.fromkeys([".heic", ".HEIF", ".hif"], "HEIF"),
    **{".webp": "WEBP", ".WebP": "WEBP", ".gif": "GIF", ".bmp": "BMP", ".DIB": "DIB"},
}


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    if format == "HEIF":
        register_heif()
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def sizes(source: Any) -> dict[str, int]:
    return {name: len(split) for name, split in source.store().splits.items()}


def test_every_spelling_of_every_format_is_read(tmp_path: Path) -> None:
    red, blue = (Image.new("RGB", (32, 32), colour) for colour in ("red", "blue"))
    for number, (suffix, format) in enumerate(FORMAT_OF.items()):
        for name, image in (("red", red), ("blue", blue)):
            path = tmp_path / name / f"{number}{suffix}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(encoded(image, format))
    source = Folder(str(tmp_path), image_size=16, test_fraction=0.1)
    assert sum(sizes(source).values()) == 2 * len(FORMAT_OF)
    for split in source.store().splits.values():
        means = split.inputs.float().mean((2, 3))
        assert (means[:, 0] > 200).equal(split.targets == 1)
        assert (means[:, 2] > 200).equal(split.targets == 0)
    assert not any("left out" in remark for remark in source.store().remarks)
    assert len(find_images(tmp_path)) == 2 * len(FORMAT_OF)
    assert {suffix.lower() for suffix in FORMAT_OF} < set(SUFFIXES)


def test_grey_formats_of_netpbm_are_read(tmp_path: Path) -> None:
    for suffix, mode in ((".pgm", "L"), (".PBM", "1"), (".pfm", "F")):
        path = tmp_path / f"image{suffix}"
        Image.new("L", (8, 8), 255).convert(mode).save(path, "PPM")
        assert read_image(path, (1, 8, 8)).min() == 255


def test_heic_is_read_under_any_name_and_its_plugin_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cat" / "photo.jpg"
    path.parent.mkdir()
    path.write_bytes(encoded(Image.new("RGB", (32, 32), "red"), "HEIF"))
    assert read_image(path, SHAPE)[0].min() > 200
    write_classes(tmp_path, 60)
    shutil.copy(path, tmp_path / "dog" / "photo.HEIC")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    message = r'pip install "firstlight\[heif\]"'
    with pytest.raises(ValueError, match=rf"photo\.jpg: cannot read .*{message}"):
        read_image(path, SHAPE)
    with pytest.raises(ValueError, match=rf"photo\.HEIC: cannot read .*{message}"):
        Folder(str(tmp_path), image_size=8, on_corrupt="skip").store()


@pytest.mark.parametrize(
    ("damaged", "options", "refused"),
    [
        (1, {}, False),
        (5, {}, False),
        (6, {}, True),
        (6, {"max_corrupt": 6}, False),
        (6, {"max_corrupt": 0.1}, False),
        (2, {"max_corrupt": 1}, True),
        (1, {"max_corrupt": 0}, True),
    ],
)
def test_damaged_images_are_skipped_up_to_a_number_or_a_fraction(
    tmp_path: Path, damaged: int, options: dict[str, Any], refused: bool
) -> None:
    write_classes(tmp_path, 30)
    for number in range(damaged):
        (tmp_path / "cat" / f"{number:02}.jpg").write_bytes(b"damaged")
    source = Folder(str(tmp_path), image_size=8, on_corrupt="skip", **options)
    if refused:
        with pytest.raises(ValueError, match=r"data\.max_corrupt=.*: must be larger, because more than \d of the 60"):
            source.store()
    else:
        assert sum(sizes(source).values()) == 60 - damaged
        assert f"left out: {damaged} damaged image{'s' if damaged > 1 else ''}" in source.store().remarks


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "metadata",
    [
        b"garbage",
        b"",
        b"MM\x00*",
        b"II*\x00\x08\x00\x00\x00\xff\xff",
        b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x63\x00\x00\x00\x00\x00\x00",
        b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x02\x00\x00\x00\x04abc\x00\x00\x00\x00\x00",
        b"MM\x00*\xff\xff\xff\xff",
    ],
)
def test_broken_exif_does_not_spoil_good_pixels(format: str, metadata: bytes) -> None:
    image = Image.linear_gradient("L").convert("RGB")
    broken = encoded(image, format, exif=b"Exif\x00\x00" + metadata, **({} if format == "PNG" else {"quality": 90}))
    good = encoded(image, format, **({} if format == "PNG" else {"quality": 90}))
    found, expected = (read_image(Path("image"), SHAPE, content) for content in (broken, good))
    assert np.array_equal(found, expected)


def test_a_photograph_of_108_megapixels_is_read_with_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "camera.jpg"
    Image.new("L", (12_000, 9_000), 200).save(path)
    with refuse_decompression_bombs():
        with open_image(path) as opened:
            opened.draft(None, (144, 144))
            assert decoding_bytes(opened, (12_000, 9_000), "RGB", MAX_PIXELS) < 16e6
        assert abs(int(read_image(path, SHAPE).min()) - 200) <= 2


def test_bombs_are_refused_by_their_cost_and_not_by_their_pixels() -> None:
    cases = [(60_000, 0, "limit"), (25_000, 2, "limit"), (20_000, 2, r"400,000,000 pixels take \d\.\d GB in memory")]
    with refuse_decompression_bombs():
        for side, colour_type, message in cases:
            with pytest.raises(ValueError, match=rf"bomb\.png: cannot read \(.*{message}.*data\.max_pixels"):
                read_image(Path("bomb.png"), SHAPE, png_header(side, side, colour_type))
        for side, colour_type in ((20_000, 0), (11_000, 2)):  # grey; the photograph of a camera
            with open_image(Path("image.png"), png_header(side, side, colour_type)) as opened:
                assert decoding_bytes(opened, opened.size, opened.mode, MAX_PIXELS) <= 500e6


def test_data_max_pixels_is_the_limit(tmp_path: Path) -> None:
    write_classes(tmp_path, 5)  # of 480 pixels
    with pytest.raises(ValueError, match=r"cat/00\.jpg: cannot read .*data\.max_pixels"):
        Folder(str(tmp_path), image_size=8, max_pixels=479).store()
    assert sum(sizes(Folder(str(tmp_path), image_size=8, max_pixels=480)).values()) == 10
    with pytest.raises(UnreadableError, match=r"its 480 pixels are more than max_pixels=479"):
        decoding_bytes(Image.new("L", (24, 20)), (24, 20), "L", 479)


def test_huge_images_are_converted_in_bands_and_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (301, 211, 4), dtype=np.uint8)
    pixels[..., 3] |= 128
    smooth = Image.fromarray(pixels).resize((40, 50)).resize((211, 301), Image.Resampling.BICUBIC)
    grey = Image.fromarray(np.asarray(smooth.convert("L")).astype(np.uint16) * 257)
    turned = Image.Exif()
    turned[0x0112] = 6
    for image in (smooth, smooth.convert("P"), grey):
        content = encoded(image, "PNG", exif=turned)
        expected = read_image(Path("image"), SHAPE, content)
        with monkeypatch.context() as patch:
            patch.setattr("firstlight.data.images.convert._BAND", 1000)
            assert np.array_equal(read_image(Path("image"), SHAPE, content), expected)
            patch.setattr("firstlight.data.images.reading.SAFE_PIXELS", 1000)
            reduced = read_image(Path("image"), SHAPE, content)
        assert np.abs(reduced.astype(int) - expected).mean() < 3


def test_a_budget_lets_large_parts_wait_for_each_other() -> None:
    budget, most, together = Budget(100), 0, threading.Barrier(4)

    def work(part: int) -> None:
        nonlocal most
        together.wait()
        for _ in range(50):
            with budget.take(part):
                most = max(most, budget.used)

    threads = [threading.Thread(target=work, args=(part,)) for part in (60, 30, 70, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(4)
    assert not any(thread.is_alive() for thread in threads)
    assert (most, budget.used) == (1000, 0)


def wide(colour: str) -> Image.Image:
    """Return an image of 4:1, in which only the ends show its class."""
    image = Image.new("RGB", (64, 16), "white")
    for left in (0, 52):
        image.paste(colour, (left, 0, left + 12, 16))
    return image


def test_crop_pad_and_stretch() -> None:
    content = encoded(wide("red"), "PNG")
    crop, pad, stretch = (read_image(Path("image"), SHAPE, content, fit=fit) for fit in ("crop", "pad", "stretch"))
    assert (crop == 255).all()
    assert (pad[:, 6:10, 0] == np.array([[255], [0], [0]])).all()
    assert pad[:, :6].max() == pad[:, 10:].max() == 0
    assert (stretch[:, :, 0] == np.array([[255], [0], [0]])).all()
    assert (stretch[:, :, 8] == 255).all()
    line = read_image(Path("line"), SHAPE, encoded(Image.new("RGB", (900, 1), "white"), "PNG"), fit="pad")
    assert line.sum(2).max() == 16 * 255
    with pytest.raises(ValueError, match=r"data\.fit=squash: unknown way to fit images"):
        Folder("anywhere", fit="squash")


def test_predictions_fit_images_as_training_does(tmp_path: Path) -> None:
    for name in ("red", "blue"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(20):
            wide(name).save(tmp_path / "data" / name / f"{number}.png")
    words = ["data=folder", f"data.dir={tmp_path}/data", "data.image_size=16", "model=linear", "trainer.max_epochs=5"]
    words += ["data.fit=pad", "data.batch_size=4", "optimizer.lr=0.003", "trainer.accelerator=cpu"]
    metrics = train(compose(*words), run_dir=tmp_path / "run")
    assert metrics["test/accuracy"] == 1
    rows = predict(tmp_path / "run", tmp_path / "data", accelerator="cpu")
    assert all(Path(row["path"]).parent.name == row["label"] for row in rows)
    assert len(rows) == 40


def test_images_in_an_archive_follow_the_same_rules(tmp_path: Path) -> None:
    write_pets(tmp_path / "pets", num_train=6)
    images = tmp_path / "pets" / "images"
    (images / "american_bulldog_2.jpg").write_bytes(b"damaged")
    (images / "._american_bulldog_1.jpg").write_bytes(b"litter")
    (images / "basset_hound_1.mat").write_bytes(b"no image")
    (tmp_path / "packed").mkdir()
    for name in ("images", "annotations"):
        with tarfile.open(tmp_path / "packed" / f"{name}.tar.gz", "w:gz") as archive:
            archive.add(tmp_path / "pets" / name, name)
    with pytest.raises(ValueError, match=r"american_bulldog_2\.jpg: cannot read"):
        Dogs(str(tmp_path / "packed"), image_size=8).store()
    source = Dogs(str(tmp_path / "packed"), image_size=8, on_corrupt="skip", fit="stretch")
    assert sizes(source) == {"train": 11, "test": 4}
    assert "left out: 1 damaged image" in source.store().remarks
    assert source.store().spec.fit == "stretch"


@pytest.mark.parametrize("layout", ["{dot}", "{dash}/{dash}", "{dash}/{dot}", "{dot}/{dot}", "{dot}.gz"])
def test_mnist_is_read_with_the_names_of_kaggle(tmp_path: Path, layout: str) -> None:
    write_mnist(tmp_path / "official")
    expected = MNIST(str(tmp_path / "official")).read()[1]
    for dash in MNIST.hashes:
        plain = dash.removesuffix(".gz")
        target = tmp_path / "kaggle" / layout.format(dash=plain, dot=plain.replace("-idx", ".idx"))
        target.parent.mkdir(parents=True, exist_ok=True)
        content = (tmp_path / "official" / "MNIST" / "raw" / plain).read_bytes()
        target.write_bytes(content if target.suffix != ".gz" else gzip.compress(content))
    found = MNIST(str(tmp_path / "kaggle")).read()[1]
    for split in ("train", "test"):
        assert np.array_equal(found[split].inputs, expected[split].inputs)
        assert np.array_equal(found[split].targets, expected[split].targets)


@pytest.mark.parametrize(
    ("source", "name", "wanted"),
    [
        (MNIST, "train-images-idx3-ubyte (1).gz", "train-images-idx3-ubyte.gz"),
        (MNIST, "train_images_idx3_ubyte.gz", "train-images-idx3-ubyte.gz"),
        (MNIST, "t10k-label-idx1-ubyte", "t10k-labels-idx1-ubyte.gz"),
        (CIFAR10, "cifar-10-python (1).tar.gz", "cifar-10-python.tar.gz"),
        (CIFAR10, "cifar-10-binary.tar", "cifar-10-binary.tar.gz"),
        (ASL, "sign-mnist-train.csv", "sign_mnist_train.csv"),
        (ASL, "sign_mnist_test - Copy.csv", "sign_mnist_test.csv"),
        (Dogs, "images.tar", "images.tar.gz"),
        (Dogs, "annotation.tar.gz", "annotations.tar.gz"),
    ],
)
def test_near_misses_are_named_instead_of_a_download(tmp_path: Path, source: Any, name: str, wanted: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match="cannot read") as caught:
        source(str(tmp_path)).store()
    assert f"{tmp_path / name}: cannot read (found {name}, wanted {wanted}). To fix: rename it" in str(caught.value)


def test_other_data_sets_are_no_near_misses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cifar-100-python.tar.gz", "cifar-100-binary.tar.gz", "mnist_train.csv", "images.csv", "train.csv"):
        (tmp_path / name).touch()
    for source in (CIFAR10, MNIST, Dogs):
        monkeypatch.setattr(source, "url", "http://127.0.0.1:9/")
        with pytest.raises(ValueError, match="cannot be reached") as caught:
            source(str(tmp_path)).store()
        assert ("read it with data=table data.file=mnist_train.csv" in str(caught.value)) == (source is MNIST)


def test_the_folders_that_kaggle_unpacks_are_read(tmp_path: Path) -> None:
    write_asl(tmp_path / "plain", asl_table(ASL_CODES), asl_table(ASL_CODES, seed=1))
    for split in ("train", "test"):
        folder = tmp_path / "kaggle" / f"sign_mnist_{split}"
        folder.mkdir(parents=True)
        shutil.move(tmp_path / "plain" / f"sign_mnist_{split}.csv", folder)
    assert sizes(ASL(str(tmp_path / "kaggle"))) == {"train": 24, "test": 24}
