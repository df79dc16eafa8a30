import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from firstlight.data import Text
from firstlight.data.tokens import decode

FABLE = "The fox jumps over the dog; the dog sleeps on.\n" * 100


@pytest.fixture
def fable(tmp_path: Path) -> str:
    (tmp_path / "fable.txt").write_text(FABLE)
    return str(tmp_path / "fable.txt")


@pytest.mark.parametrize("unit", ["characters", "words"])
def test_windows_are_contiguous_and_targets_are_the_next_tokens(fable: str, tmp_path: Path, unit: str) -> None:
    source = Text(str(tmp_path), file=fable, unit=unit, length=16)
    store, splits = source.splits(seed=1)
    assert (store.spec.kind, store.spec.input_shape) == ("tokens", (16,))
    assert store.spec.num_outputs == len(store.spec.labels)
    for name, part in source.parts().items():
        inputs, targets = splits[name].take(torch.arange(len(splits[name])))
        assert (inputs.dtype, targets.dtype) == (torch.int32, torch.int32)
        assert torch.equal(inputs.flatten()[1:], targets.flatten()[:-1])
        text = decode(inputs.flatten().tolist(), store.spec.labels) + store.spec.labels[int(targets[-1, -1])]
        assert part.startswith(text)
        assert len(inputs) * 16 + 1 <= len(part) < len(text) + 16 * max(map(len, store.spec.labels))
        assert splits[name].consecutive


@pytest.mark.parametrize("unit", ["characters", "words"])
def test_the_parts_are_contiguous_and_form_the_text(fable: str, tmp_path: Path, unit: str) -> None:
    parts = Text(str(tmp_path), file=fable, unit=unit, val_fraction=0.2, test_fraction=0.1).parts()
    assert list(parts) == ["train", "val", "test"]
    assert "".join(parts.values()) == FABLE
    fractions = [len(part) / len(FABLE) for part in parts.values()]
    assert fractions == pytest.approx([0.7, 0.2, 0.1], abs=0.005)


def test_the_vocabulary_comes_from_the_training_part(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("ab" * 400 + "xy" * 100)
    store = Text(str(tmp_path), file="text.txt", length=8).store()
    assert store.spec.labels == ("<unk>", "a", "b")
    assert not store.splits["test"].inputs.any()


def test_the_size_of_the_vocabulary_can_be_limited(fable: str, tmp_path: Path) -> None:
    store = Text(str(tmp_path), file=fable, unit="words", length=8, max_vocabulary=4).store()
    assert store.spec.labels == ("<unk>", " dog", " the", "\n")


def test_the_default_text_is_the_language_reference_of_python(tmp_path: Path) -> None:
    store = Text(str(tmp_path)).store()
    assert 60 < store.spec.num_outputs < 400
    assert len(store.splits["train"]) > 2000
    assert "for_stmt" in Text(str(tmp_path)).parts()["train"]


def test_a_python_without_its_reference_raises_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"data\.file=null: must be a text file"):
        Text(str(tmp_path)).store()


def test_every_option_that_changes_the_windows_gives_another_store(fable: str, tmp_path: Path) -> None:
    options: list[dict[str, Any]] = [{}, {"length": 8}, {"unit": "words"}, {"max_vocabulary": 5}, {"val_fraction": 0.2}]
    for option in [*options, {"test_fraction": 0.2}, {"batch_size": 3}]:
        Text(str(tmp_path), file=fable, **({"length": 16} | option)).store()
    assert len(list((tmp_path / ".firstlight").glob("text-*/spec.json"))) == 6


def test_a_byte_order_mark_is_removed(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(b"\xef\xbb\xbf" + b"ab" * 100)
    source = Text(str(tmp_path), file="text.txt", length=4)
    assert "".join(source.parts().values()) == "ab" * 100


def test_a_damaged_byte_raises_an_error_with_its_position(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes("ü".encode() * 617 + "für".encode("latin-1") + b"a" * 1000)
    with pytest.raises(ValueError, match=r"text\.txt: cannot read \(byte 1235 is 0xfc, which is not UTF-8"):
        Text(str(tmp_path), file="text.txt").store()
    assert not list(tmp_path.rglob("*.npy"))


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (0, "0, the number of characters for train"),
        (100, "10, the number of characters for val"),
    ],
)
def test_a_text_that_is_too_short_raises_an_error(tmp_path: Path, size: int, message: str) -> None:
    (tmp_path / "text.txt").write_text("a" * size)
    with pytest.raises(ValueError, match=rf"data\.length=10: must be less than {message} in .*text\.txt"):
        Text(str(tmp_path), file="text.txt", length=10).store()


def test_the_shortest_text_has_one_window_of_val_and_test(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("abcdefghijk" * 10)
    splits = Text(str(tmp_path), file="text.txt", length=10).store().splits
    assert {name: split.inputs.shape for name, split in splits.items()} == {
        "train": (8, 10),
        "val": (1, 10),
        "test": (1, 10),
    }
    assert np.array_equal(splits["val"].inputs[:, 1:], splits["val"].targets[:, :-1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "letters"}, r"data\.unit=letters: unknown unit"),
        ({"length": 0}, r"data\.length=0"),
        ({"max_vocabulary": 1}, r"data\.max_vocabulary=1"),
        ({"test_fraction": 0.0}, r"data\.test_fraction=0\.0"),
        ({"test_fraction": 0.5, "val_fraction": 0.5}, r"data\.test_fraction=0\.5"),
        ({"val_fraction": 1.0}, r"data\.val_fraction=1\.0"),
    ],
)
def test_options_out_of_range_raise_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Text("anywhere", **options)


def test_a_missing_file_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.file=novel\.txt: must be an existing file"):
        Text(str(tmp_path), file="novel.txt").store()
