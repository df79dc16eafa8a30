"""What a run was trained on, and how other data differs from it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from firstlight.data.store import Split, Store
from firstlight.files import write_json
from firstlight.spec import Column, DataSpec

_MAX_LINES = 5


@dataclass(frozen=True)
class DataRecord:
    """The data of a run, for comparisons: small, although the data may be large.

    Attributes:
        samples: number of samples in each split.
        classes: number of samples of each class in all splits; empty if the targets are no classes.
        content: checksum of each array, see `Store`.
    """

    samples: dict[str, int]
    classes: dict[str, int]
    content: dict[str, str]

    @classmethod
    def of(cls, store: Store, splits: Mapping[str, Split]) -> Self:
        """Return the record of a store and its splits."""
        classes: dict[str, int] = {}
        if store.spec.targets == "classes":
            counts = sum(split.targets.bincount(minlength=store.spec.num_outputs) for split in store.stored.values())
            classes = dict(zip(store.spec.labels, counts.tolist(), strict=True))  # type: ignore[union-attr]
        return cls({name: len(split) for name, split in splits.items()}, classes, dict(store.content))

    def write(self, path: Path) -> None:
        """Write the record to a file."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return the record in a file; None if the file is missing or damaged."""
        try:
            values: dict[str, Any] = json.loads(path.read_text())
            return cls(**values)
        except (OSError, ValueError, TypeError):
            return None


def differences(before: tuple[DataSpec, DataRecord | None], now: tuple[DataSpec, DataRecord]) -> list[str]:
    """Return how data differs from the data of a run, in a few lines; an empty list if they are the same.

    The mean and the standard deviation do not count, because pretrained weights replace them.

    Args:
        before: the spec and the record of the run. Without a record, only the specs are compared.
        now: the spec and the record of the data.
    """
    (old_spec, old), (new_spec, new) = before, now
    found = [*_of_specs(old_spec, new_spec), *(_of_records(old, new) if old else ())]
    if not found and old and old.content != new.content:
        found = list(_of_content(old, new, new_spec))
    if len(found) > _MAX_LINES:
        found = [*found[: _MAX_LINES - 1], f"and {len(found) - _MAX_LINES + 1} more differences"]
    return found


def _of_specs(old: DataSpec, new: DataSpec) -> Iterator[str]:
    if (old.kind, old.targets) != (new.kind, new.targets):
        yield f"the samples are {new.kind} with {new.targets} as targets, not {old.kind} with {old.targets}"
        return
    what = {"tokens": "token", "numbers": "target", "labels": "label", "rewards": "action"}.get(old.targets, "class")
    yield from _of_names(what, old.labels, new.labels)
    yield from _of_names("token", old.vocabulary, new.vocabulary)
    columns = list(of_columns(old.columns, new.columns))
    yield from columns
    if old.stored_shape != new.stored_shape and not columns:  # a column is several inputs of the shape
        shapes = ["x".join(map(str, spec.stored_shape)) for spec in (new, old)]
        yield f"a sample has the shape {shapes[0]}, not {shapes[1]}"


def of_columns(old: Sequence[Column], new: Sequence[Column]) -> Iterator[str]:
    """Yield lines that say which columns differ: missing, new, of another kind, or with other categories."""
    yield from _of_names("column", *(tuple(column.name for column in columns) for columns in (old, new)))
    now = {column.name: column for column in new}
    for column in old:
        if (other := now.get(column.name)) is None:
            continue
        if column.kind != other.kind:
            yield f"column {column.name!r} is a {other.kind}, not a {column.kind}"
            continue
        yield from _of_names(f"in column {column.name!r}, category", column.categories, other.categories)
        if column.has_flag != other.has_flag:
            yield f"column {column.name!r} has {'' if other.has_flag else 'no '}empty cells"


def _of_names(what: str, old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[str]:
    missing, added = [[name for name in one if name not in set(other)] for one, other in ((old, new), (new, old))]
    for names, verb in ((missing, "missing"), (added, "new")):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            yield f"{what} {', '.join(map(repr, names[:3]))}{more} {'is' if len(names) == 1 else 'are'} {verb}"
    if not missing and not added and old != new:
        yield f"the order of the {'classes' if what == 'class' else what + 's'} is another"


def _of_records(old: DataRecord, new: DataRecord) -> Iterator[str]:
    for name in old.samples | new.samples:
        if (was := old.samples.get(name, 0)) != (now := new.samples.get(name, 0)):
            yield f"{name} has {now:,} samples, not {was:,}"
    for name in old.classes.keys() & new.classes.keys():
        if old.classes[name] != new.classes[name]:
            yield f"class {name!r} has {new.classes[name]:,} samples, not {old.classes[name]:,}"


def _of_content(old: DataRecord, new: DataRecord, spec: DataSpec) -> Iterator[str]:
    """Name the arrays with other content. If the targets are the next tokens, the inputs are enough."""
    inputs = {"images": "pixels", "tokens": "text", "numbers": "numbers"}[spec.kind]
    for name in old.content | new.content:
        split, _, part = name.partition(".")
        if old.content.get(name) != new.content.get(name) and (part, spec.targets) != ("targets", "tokens"):
            yield f"other {inputs if part == 'inputs' else 'targets'} in {split}"
