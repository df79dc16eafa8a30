"""From the content of a request to samples for the network; what cannot be read is a sample with a problem."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from firstlight.checks import printable
from firstlight.data.files.formats import FORMATS, UnreadableError
from firstlight.data.images.memory import Budget
from firstlight.data.images.reading import read_image
from firstlight.data.tables.rows import read_table_rows
from firstlight.runs.predict.images import Images
from firstlight.runs.predict.inputs import InputBatch
from firstlight.runs.predict.tables import TableInputs
from firstlight.runs.predict.texts import TextInputs
from firstlight.runs.serve.limits import Limits
from firstlight.spec import DataSpec

_MAX_NAME = 200  # characters of a file's name, which the answer repeats
_BYTES_PER_PIXEL = 4  # Pillow's colour images


class Sample(NamedTuple):
    """An input of a request.

    Attributes:
        names: the columns by which the client recognizes it.
        raw: the raw sample, see `Split`; None if it cannot be read.
        warnings: why it may be predicted wrongly.
        problem: why it cannot be read; empty if it can.
    """

    names: dict[str, Any]
    raw: Tensor | None = None
    warnings: Sequence[str] = ()
    problem: str = ""


class ImageReader:
    """Reads uploaded images as `predict` does. Threads may call it.

    Args:
        spec: the data that the network was trained on.
        limits: the bounds of requests.
    """

    def __init__(self, spec: DataSpec, limits: Limits) -> None:
        self.spec = spec
        self.limits = limits
        self.memory = _Strict(_BYTES_PER_PIXEL * limits.pixels)

    def __call__(self, name: str, file: BinaryIO) -> Sample:
        """Return the sample of an uploaded file, whose name is the client's."""
        names = {"file": printable(name, _MAX_NAME)}
        content = file.read()
        if not content:
            return Sample(names, problem="the file is empty.")
        options = "bilinear", self.spec.fit, self.limits.pixels, self.memory
        try:
            pixels = read_image(Path("image"), self.spec.stored_shape, content, *options)
        except ValueError as error:
            return Sample(names, problem=self._problem(error))
        return Sample(names, torch.from_numpy(np.ascontiguousarray(pixels)))

    def _problem(self, error: ValueError) -> str:
        cause = error.__cause__
        if isinstance(cause, UnidentifiedImageError):  # its text names an object of this process
            return f"must be an image in one of the formats {', '.join(FORMATS)}."
        if isinstance(cause, Image.DecompressionBombError | Image.DecompressionBombWarning):  # names twice the limit
            return f"must have at most {self.limits.pixels:,} pixels."
        return _problem_text(error)


class _Strict(Budget):
    """A budget that refuses an image that needs more than all of it."""

    @contextmanager
    def take(self, part: int) -> Iterator[None]:
        if part > self.limit:
            why = f"decoding takes {part / 1e6:,.0f} MB, more than {self.limit / 1e6:,.0f} MB"
            raise UnreadableError(why, "make it smaller.")
        with super().take(part):
            yield


def _problem_text(error: ValueError) -> str:
    """Return the reason of an error without advice, which is for the user of another command."""
    return str(error).removeprefix("image: ").removeprefix("the rows: ").partition(" To fix: ")[0]


def read_rows(rows: Sequence[dict[str, Any] | list[float]], spec: DataSpec) -> list[Sample]:
    """Return the samples of rows of a table: mappings of the columns' names to values, or the network's inputs.

    A row that does not fit the others is read alone.
    """
    try:
        return _rows(rows, spec)
    except ValueError as error:
        if len(rows) == 1:
            return [Sample({"row": 1}, problem=_problem_text(error))]
    alone = [read_rows([row], spec)[0] for row in rows]
    return [sample._replace(names={"row": number}) for number, sample in enumerate(alone, 1)]


def _rows(rows: Sequence[dict[str, Any] | list[float]], spec: DataSpec) -> list[Sample]:
    if all(isinstance(row, list) for row in rows):
        inputs = TableInputs(_numbers(rows, spec), spec)
    elif not spec.columns or any(isinstance(row, list) for row in rows):
        raise ValueError(f"rows: must be lists of {spec.input_shape[0]} numbers, the inputs of the network.")
    else:
        found = read_table_rows(rows, spec)
        inputs = TableInputs(found.inputs, spec, found.problems)
    if inputs.problems:  # no row can be read
        return [Sample({"row": row + 1}, problem=why) for row, why in inputs.unread.items()]
    return _samples(*inputs.batches(len(inputs)))


def _numbers(rows: Sequence[Any], spec: DataSpec) -> np.ndarray:
    if any(len(row) != spec.input_shape[0] for row in rows) or not np.isfinite(rows).all():
        raise ValueError(f"rows: must be lists of {spec.input_shape[0]} finite numbers, the inputs of the network.")
    return np.array(rows, dtype=np.float32)


def read_texts(texts: Sequence[str], spec: DataSpec, limits: Limits) -> list[Sample]:
    """Return the samples of texts."""
    batch = next(TextInputs([text[: limits.characters] for text in texts], spec).batches(len(texts)))
    samples = [sample._replace(raw=_tokens(sample.raw)) for sample in _samples(batch)]
    pairs = zip(texts, samples, strict=True)
    return [sample._replace(problem=_text_problem(text, limits) or sample.problem) for text, sample in pairs]


def _tokens(ids: Tensor | None) -> Tensor | None:
    """Return the token ids of a text without the end, which is -1."""
    return None if ids is None else ids[ids >= 0]


def _text_problem(text: str, limits: Limits) -> str:
    if len(text) > limits.characters:
        return f"must have at most {limits.characters:,} characters."
    return "" if text else "must have at least one character."


def _samples(batch: InputBatch) -> list[Sample]:
    problems = batch.unread or [""] * len(batch.names)
    return [Sample(*each) for each in zip(batch.names, batch.raw, batch.warnings, problems, strict=True)]


def as_batch(samples: Sequence[Sample], images: Images | None) -> InputBatch:
    """Return the batch of samples, which can all be read. Texts that are shorter than the longest end in -1.

    Args:
        samples: the samples.
        images: inverts images, and warns of them; None for other samples.
    """
    raw = [sample.raw for sample in samples if sample.raw is not None]
    if images is not None:
        return images.batch([sample.names for sample in samples], torch.stack(raw).numpy())
    is_text = raw[0].ndim == 1 and not raw[0].is_floating_point()
    stacked = torch.nn.utils.rnn.pad_sequence(raw, True, -1) if is_text else torch.stack(raw)
    return InputBatch([sample.names for sample in samples], stacked, [list(sample.warnings) for sample in samples])
