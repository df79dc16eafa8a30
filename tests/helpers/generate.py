"""Tiny data sets in the official file formats."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

CIFAR10_BATCHES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
CIFAR10_SAMPLES = 20  # of each batch
ASL_CODES = [code for code in range(25) if code != 9]  # Kaggle's: 9 would be J
PETS = {
    "Abyssinian": (1, 1),
    "american_bulldog": (2, 2),
    "basset_hound": (4, 2),
    "Bengal": (6, 1),
}  # number of the breed, species
ASL_HEADER = "label," + ",".join(f"pixel{number}" for number in range(1, 785))


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write a uint8 array as an IDX file."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes())


def write_mnist(folder: Path, num_train: int = 200, num_test: int = 50, size: int = 28, name: str = "MNIST") -> None:
    """Write random images with bright rows that depend on the class, as the four IDX files in folder/`name`/raw."""
    raw = folder / name / "raw"
    raw.mkdir(parents=True)
    random = np.random.default_rng(0)
    for prefix, number in (("train", num_train), ("t10k", num_test)):
        labels = np.arange(number) % 10
        images = random.integers(0, 64, (number, size, size))
        for image, label in zip(images, labels, strict=True):
            image[2 * label : 2 * label + 4] += 128
        write_idx(raw / f"{prefix}-images-idx3-ubyte", images)
        write_idx(raw / f"{prefix}-labels-idx1-ubyte", labels)


def cifar10_batch(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels (samples, 3072) and the classes of one of the six files."""
    pixels = np.random.default_rng(number).integers(0, 256, (CIFAR10_SAMPLES, 3072), dtype=np.uint8)
    return pixels, np.arange(CIFAR10_SAMPLES) % 10


def cifar10_binary() -> dict[str, bytes]:
    """Return the six files of the binary version."""
    batches = {f"{name}.bin": cifar10_batch(number) for number, name in enumerate(CIFAR10_BATCHES)}
    return {name: np.column_stack([y.astype(np.uint8), x]).tobytes() for name, (x, y) in batches.items()}


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files with these contents to a new folder."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def asl_table(codes: list[int], seed: int = 0) -> str:
    """Return a CSV file with one image for each code."""
    pixels = np.random.default_rng(seed).integers(0, 256, (len(codes), 784))
    rows = [",".join(map(str, [code, *row])) for code, row in zip(codes, pixels.tolist(), strict=True)]
    return "\n".join([ASL_HEADER, *rows]) + "\n"


def write_asl(folder: Path, train: str, test: str, test_name: str = "test") -> None:
    """Write the two CSV files of Sign Language MNIST."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sign_mnist_train.csv").write_text(train)
    (folder / f"sign_mnist_{test_name}.csv").write_text(test)


def png_header(width: int, height: int, colour_type: int) -> bytes:
    """Return a PNG that claims this size, and has a few bytes of data: what a decompression bomb looks like."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100)))


def write_image(path: Path, shade: int, height: int = 20, width: int = 24) -> None:
    """Write an image of noise around one shade; the suffix decides the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(shade).integers(0, 40, (height, width, 3))
    Image.fromarray((noise + shade % 216).astype(np.uint8)).save(path)


def write_classes(folder: Path, num_images: int, classes: tuple[str, ...] = ("cat", "dog")) -> None:
    """Write a folder with `num_images` JPEGs for each class."""
    for label, name in enumerate(classes):
        for number in range(num_images):
            write_image(folder / name / f"{number:02}.jpg", 100 * label + number)


def write_pets(folder: Path, num_train: int = 6, num_test: int = 2) -> None:
    """Write the images and lists of four breeds of Oxford-IIIT Pet."""
    (folder / "annotations").mkdir(parents=True)
    numbers = {"trainval": range(num_train), "test": range(num_train, num_train + num_test)}
    for split, found in numbers.items():
        pets = [(f"{breed}_{number}", *codes) for breed, codes in PETS.items() for number in found]
        lines = [f"{name} {breed_number} {species} 1" for name, breed_number, species in pets]
        (folder / "annotations" / f"{split}.txt").write_text("\n".join(lines) + "\n")
        for shade, (name, *_) in enumerate(pets):
            write_image(folder / "images" / f"{name}.jpg", 8 * shade + len(split))


def write_voc(path: Path, size: tuple[int, int], objects: Sequence[tuple[str, tuple[float, ...]]]) -> None:
    """Write an annotation of Pascal VOC: class and left, top, right and bottom of each object, in pixels from 0."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"]
    for name, (left, top, right, bottom) in objects:
        edges = {"xmin": left + 1, "ymin": top + 1, "xmax": right, "ymax": bottom}
        box = "".join(f"<{key}>{value:g}</{key}>" for key, value in edges.items())
        lines.append(f"<object><name>{name}</name><bndbox>{box}</bndbox></object>")
    path.write_text(f"<annotation>{''.join(lines)}</annotation>")


def write_pet_places(folder: Path) -> None:
    """Write a trimap and a box around the head for each image of `write_pets`: a bright pet in a border."""
    for path in (folder / "images").iterdir():
        image = np.asarray(Image.open(path)).copy() // 8
        trimap = np.full(image.shape[:2], 2, np.uint8)
        trimap[3:15, 4:18] = 3
        trimap[4:14, 5:17] = 1
        image[4:14, 5:17] = 255
        Image.fromarray(image).save(path, quality=100, subsampling=0)
        (folder / "annotations" / "trimaps").mkdir(exist_ok=True)
        Image.fromarray(trimap).save(folder / "annotations" / "trimaps" / f"{path.stem}.png")
        species = "cat" if path.name[0].isupper() else "dog"
        objects = [(species, (5, 4, 17, 14))]
        write_voc(folder / "annotations" / "xmls" / f"{path.stem}.xml", image.shape[1::-1], objects)


def write_labelled_texts(folder: Path, num_train: int = 60, num_test: int = 20) -> None:
    """Write train.csv and test.csv of mails: those that are spam have words of their own."""
    random = np.random.default_rng(0)
    words = {"ham": ["meeting", "noon", "report", "thanks"], "spam": ["free", "prize", "winner", "click"]}
    common = [f"word{number}" for number in range(30)]
    for split, number in (("train", num_train), ("test", num_test)):
        rows = ["text,label"]
        for place in range(number):
            label = ("ham", "spam")[place % 2]
            chosen = [*random.choice(common, random.integers(1, 12)), *random.choice(words[label], 2)]
            rows.append(f"{' '.join(random.permutation(chosen))},{label}")
        (folder / f"{split}.csv").write_text("\n".join(rows) + "\n")


def write_all(folder: Path) -> None:
    """Write every data set that has official files to the folder that its source reads."""
    write_mnist(folder)
    write_mnist(folder, name="FashionMNIST")
    write_files(folder / "cifar-10-batches-bin", cifar10_binary())
    write_asl(folder / "sign-language-mnist", asl_table(ASL_CODES), asl_table(ASL_CODES, seed=1))
    write_classes(folder / "train", 8)
    write_classes(folder / "test", 2)
    write_pets(folder / "oxford-iiit-pet")
    write_labelled_texts(folder)
