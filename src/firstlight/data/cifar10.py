"""CIFAR-10, from the official binary or python version."""

import io
import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from firstlight.data.archive import tar_files
from firstlight.data.download import download
from firstlight.data.source import Source
from firstlight.data.store import Arrays

_BATCHES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
_PIXELS = 3 * 32 * 32


class CIFAR10(Source):
    """60,000 colour images of 32x32 pixels in ten classes (Krizhevsky 2009), 10,000 of them for testing.

    Read from `dir`/cifar-10-batches-bin, from `dir`/cifar-10-batches-py, or from either's archive in `dir`, which
    need not be unpacked.
    """

    name = "cifar10"
    labels = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    url: ClassVar[str] = "https://www.cs.toronto.edu/~kriz/"
    # The binary version first: it needs no unpickling.
    hashes: ClassVar[dict[str, str]] = {
        "cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530",
        "cifar-10-python.tar.gz": "md5:c58f30108f718f92721af3b95e74349a",
    }

    def files(self) -> list[Path]:
        """Six files of images, or one archive."""
        for folder, suffix in (("cifar-10-batches-bin", ".bin"), ("cifar-10-batches-py", "")):
            paths = [self.dir / folder / f"{batch}{suffix}" for batch in _BATCHES]
            if all(path.is_file() for path in paths):
                return paths
        archives = [self.dir / name for name in self.hashes if (self.dir / name).is_file()]
        if not archives:
            binary = next(iter(self.hashes))
            hint = (
                f"Without a network: put {' or '.join(self.hashes)} into {self.dir}, or unpack it there,"
                " or say where it is with data.dir="
            )
            download({binary: self.hashes[binary]}, self.url, self.dir, hint)
            archives = [self.dir / binary]
        return archives[:1]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """50,000 images to train on and 10,000 to test on."""
        files = self.files()
        contents = _members(files[0]) if len(files) == 1 else {path.name: path.read_bytes() for path in files}
        parts = [_decode(name, content, self.dir) for name, content in contents.items()]
        train = [np.concatenate(arrays) for arrays in zip(*parts[:-1], strict=True)]
        return self.labels, {"train": Arrays(*train), "test": parts[-1]}


def _members(archive: Path) -> dict[str, bytes]:
    """The six files of images in an archive, by name."""
    found = {}
    for name, content in tar_files(archive):
        file = Path(name).name
        if file.removesuffix(".bin") in _BATCHES:
            found[file.removesuffix(".bin")] = file, content
    missing = [batch for batch in _BATCHES if batch not in found]
    if missing:
        raise ValueError(f"{archive}: there is no {missing[0]} in it.")
    return dict(found[batch] for batch in _BATCHES)


def _decode(name: str, content: bytes, folder: Path) -> Arrays:
    """Images (samples, 3, 32, 32) and classes of one file of either version."""
    if name.endswith(".bin"):
        if not content or len(content) % (1 + _PIXELS):
            raise ValueError(
                f"{folder}: {name} has {len(content):,} bytes, no multiple of {1 + _PIXELS:,}; get it again."
            )
        records = np.frombuffer(content, dtype=np.uint8).reshape(-1, 1 + _PIXELS)
        pixels, targets = records[:, 1:], records[:, 0].astype(np.int64)
    else:
        try:
            values = _PlainUnpickler(io.BytesIO(content), encoding="bytes").load()
            pixels = np.asarray(values[b"data"])
            targets = np.asarray(values[b"labels"], dtype=np.int64).reshape(-1)
        except Exception as error:  # unpickling damaged bytes raises almost anything
            raise ValueError(f"{folder}: {name} is not a whole file of CIFAR-10 ({error}); get it again.") from error
        if pixels.dtype != np.uint8 or pixels.shape != (len(targets), _PIXELS) or not len(targets):
            raise ValueError(
                f"{folder}: {name} holds {pixels.dtype} of {pixels.shape} with {len(targets)} classes, not images of"
                " CIFAR-10; get it again."
            )
    if not 0 <= targets.min() <= targets.max() <= 9:
        wrong = int(((targets < 0) | (targets > 9)).argmax())
        raise ValueError(f"{folder}: {name}, image {wrong}: class {targets[wrong]}; there are 0 to 9.")
    return Arrays(pixels.reshape(-1, 3, 32, 32), targets)


class _PlainUnpickler(pickle.Unpickler):
    """Makes arrays, lists and numbers; a pickle that asks for anything else is refused before it can do harm."""

    allowed = frozenset(
        {("_reconstruct", "multiarray"), ("ndarray", "numpy"), ("dtype", "numpy"), ("encode", "_codecs")}
    )

    def find_class(self, module: str, name: str) -> Any:
        """The few that NumPy's arrays need, under the names that old and new versions give them."""
        if (name, module.rsplit(".", 1)[-1]) not in self.allowed or module.split(".")[0] not in ("numpy", "_codecs"):
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)
