"""CIFAR-10, from the official binary or Python version."""

import io
import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from firstlight.data.files.archive import tar_files
from firstlight.data.files.download import download
from firstlight.data.files.near_miss import refuse_near_misses
from firstlight.data.source import Source
from firstlight.data.store import Arrays
from firstlight.files import cannot_read, read_bounded

_BATCHES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
_PIXELS = 3 * 32 * 32
_MAX_BYTES = 2**28  # of one file; the official ones have 31 MB


class CIFAR10(Source):
    """60,000 colour images of 32x32 pixels in ten classes (Krizhevsky 2009), 10,000 of them for testing.

    The source reads `dir`/cifar-10-batches-bin, `dir`/cifar-10-batches-py, the files of either in `dir`, or one of
    their archives in `dir` without unpacking it.
    """

    name = "cifar10"
    labels = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    url: ClassVar[str] = "https://www.cs.toronto.edu/~kriz/"
    # The binary version comes first because it needs no unpickling.
    hashes: ClassVar[dict[str, str]] = {
        "cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530",
        "cifar-10-python.tar.gz": "md5:c58f30108f718f92721af3b95e74349a",
    }

    def files(self) -> list[Path]:
        """Return the paths of the six files of images, or of the archive that contains them."""
        for folder, suffix in (("cifar-10-batches-bin", ".bin"), ("cifar-10-batches-py", "")):
            for place in (self.dir / folder, self.dir):
                paths = [place / f"{batch}{suffix}" for batch in _BATCHES]
                if all(path.is_file() for path in paths):
                    return paths
        archives = [self.dir / name for name in self.hashes if (self.dir / name).is_file()]
        if not archives:
            refuse_near_misses([self.dir], self.hashes)
            binary = next(iter(self.hashes))
            hint = (
                f"To fix: put {' or '.join(self.hashes)} into {self.dir}, unpacked or not,"
                " or name the folder with data.dir="
            )
            download({binary: self.hashes[binary]}, self.url, self.dir, hint)
            archives = [self.dir / binary]
        return archives[:1]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read 50,000 images for training and 10,000 for testing."""
        files = self.files()
        contents = (
            _read_archive(files[0])
            if len(files) == 1
            else {path: read_bounded(path, _MAX_BYTES, "get this file of CIFAR-10 again.") for path in files}
        )
        parts = [_decode(path, content) for path, content in contents.items()]
        train = [np.concatenate(arrays) for arrays in zip(*parts[:-1], strict=True)]
        return self.labels, {"train": Arrays(*train), "test": parts[-1]}


def _read_archive(archive: Path) -> dict[Path, bytes]:
    """Return the contents of the six files of images; a path is that of the archive with the name of the file."""
    found = {}
    for name, content in tar_files(archive):
        file = Path(name).name
        if file.removesuffix(".bin") in _BATCHES:
            found[file.removesuffix(".bin")] = archive / file, content
    missing = [batch for batch in _BATCHES if batch not in found]
    if missing:
        raise cannot_read(archive, f"{missing[0]} is missing", "get this archive again.")
    return dict(found[batch] for batch in _BATCHES)


def _decode(path: Path, content: bytes) -> Arrays:
    """Return the images (samples, 3, 32, 32) and the classes in one file of either version."""
    if path.suffix == ".bin":
        if not content or len(content) % (1 + _PIXELS):
            raise _file_error(path, f"{len(content):,} bytes are not a multiple of {1 + _PIXELS:,}")
        records = np.frombuffer(content, dtype=np.uint8).reshape(-1, 1 + _PIXELS)
        pixels, targets = records[:, 1:], records[:, 0].astype(np.int64)
    else:
        try:
            values = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
            pixels = np.asarray(values[b"data"])
            targets = np.asarray(values[b"labels"], dtype=np.int64).reshape(-1)
        except Exception as error:  # unpickling damaged bytes raises almost any exception
            raise _file_error(path, str(error)) from error
        if pixels.dtype != np.uint8 or pixels.shape != (len(targets), _PIXELS) or not len(targets):
            raise _file_error(path, f"it contains {pixels.dtype} of {pixels.shape} with {len(targets)} classes")
    if not 0 <= targets.min() <= targets.max() <= 9:
        wrong = int(((targets < 0) | (targets > 9)).argmax())
        raise _file_error(path, f"image {wrong} has the class {targets[wrong]}, not 0 to 9")
    return Arrays(pixels.reshape(-1, 3, 32, 32), targets)


def _file_error(path: Path, why: str) -> ValueError:
    return cannot_read(path, why, "get this file of CIFAR-10 again.")


class _ArrayUnpickler(pickle.Unpickler):
    """Loads arrays, lists and numbers; any other class raises an error before it can run code."""

    allowed = frozenset(
        {("_reconstruct", "multiarray"), ("ndarray", "numpy"), ("dtype", "numpy"), ("encode", "_codecs")}
    )

    def find_class(self, module: str, name: str) -> Any:
        """Return a class that NumPy's arrays need, under the module names of old and new versions of NumPy."""
        if (name, module.rsplit(".", 1)[-1]) not in self.allowed or module.split(".")[0] not in ("numpy", "_codecs"):
            raise pickle.UnpicklingError(f"the pickle loads {module}.{name}")
        return super().find_class(module, name)
