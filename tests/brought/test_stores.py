"""Stores: damage is found, another split writes nothing, and `firstlight cache` lists and deletes them."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

from firstlight.commands.cache import cache
from firstlight.commands.main import main
from firstlight.data import Folder, Table, checksums
from firstlight.data.hold_out import hold_out
from firstlight.data.statistics import describe
from firstlight.data.store import Arrays, Store, open_store
from firstlight.spec import DataSpec
from helpers.generate import write_classes

SPEC = DataSpec((1, 8, 8), 2, ("no", "yes"), (0.5,), (0.5,))


def arrays(number: int = 40) -> Arrays:
    random = np.random.default_rng(0)
    return Arrays(random.integers(0, 256, (number, 1, 8, 8), dtype=np.uint8), np.arange(number) % 2)


def build(path: Path) -> Store:
    return open_store(path, lambda: (SPEC, {"train": arrays(), "test": arrays(20)}), ["a remark"])


def reopen(path: Path) -> Store:
    return open_store(path, lambda: pytest.fail("the store was built again"))


def truncate(path: Path) -> None:
    os.truncate(path / "train.inputs.npy", 500)


def lengthen(path: Path) -> None:
    with (path / "test.targets.npy").open("ab") as file:
        file.write(b"\0")


def flip(path: Path) -> None:
    file = path / "train.inputs.npy"
    content = bytearray(file.read_bytes())
    content[-7] ^= 1
    file.write_bytes(content)


def swap_labels(path: Path) -> None:
    file = path / "spec.json"
    file.write_text(file.read_text().replace("no", "xx").replace("yes", "no").replace("xx", "yes"))


def remove(path: Path) -> None:
    (path / "test.inputs.npy").unlink()


def exchange(path: Path) -> None:
    for name in ("inputs", "targets"):
        (path / f"train.{name}.npy").rename(path / f"x.{name}.npy")
        (path / f"test.{name}.npy").rename(path / f"train.{name}.npy")
        (path / f"x.{name}.npy").rename(path / f"test.{name}.npy")


def empty_checksums(path: Path) -> None:
    (path / "checksums.json").write_text('{"train.inputs.npy": 3}')


def no_json(path: Path) -> None:
    (path / "checksums.json").write_bytes(b"\xff\0")


def a_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("a file")


@pytest.mark.parametrize(
    "damage", [truncate, lengthen, flip, swap_labels, remove, exchange, empty_checksums, no_json, a_file]
)
def test_a_changed_store_is_refused_with_the_remedy(damage: Callable[[Path], None], tmp_path: Path) -> None:
    build(tmp_path / "images-0")
    assert reopen(tmp_path / "images-0").remarks == ("a remark",)
    damage(tmp_path / "images-0")
    with pytest.raises(
        ValueError, match=r"images-0: cannot read \(.*\)\. To fix: delete this .*it is built again"
    ) as raised:
        reopen(tmp_path / "images-0")
    assert len(str(raised.value).splitlines()) == 1


def test_blocks_of_a_large_file_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksums, "_COMPLETE", 2000)
    monkeypatch.setattr(checksums, "_BLOCK", 16)
    monkeypatch.setattr(checksums, "_NUM_BLOCKS", 8)
    build(tmp_path / "images-0")
    reopen(tmp_path / "images-0")
    files = json.loads((tmp_path / "images-0" / "checksums.json").read_text())
    assert [name for name, file in files.items() if file["quick"] != file["content"]] == ["train.inputs.npy"]
    flip(tmp_path / "images-0")  # in the last block
    with pytest.raises(ValueError, match=r"train\.inputs\.npy has changed"):
        reopen(tmp_path / "images-0")


def test_a_file_that_is_not_of_the_store_is_ignored(tmp_path: Path) -> None:
    build(tmp_path / "images-0")
    for name in ("inputs", "targets"):
        shutil.copy(tmp_path / "images-0" / f"test.{name}.npy", tmp_path / "images-0" / f"val.{name}.npy")
    assert set(reopen(tmp_path / "images-0").splits) == {"train", "test"}


def test_equal_arrays_have_equal_checksums_and_others_do_not(tmp_path: Path) -> None:
    one, other = build(tmp_path / "images-0"), build(tmp_path / "images-1")
    assert one.content == other.content
    assert set(one.content) == {"train.inputs", "train.targets", "test.inputs", "test.targets"}
    assert len(set(one.content.values())) == 4


def files_in(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / ".firstlight").rglob("*.npy")}


def test_another_split_seed_selects_the_same_rows_as_before_and_writes_no_pixel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_classes(tmp_path, 12)
    whole = Folder(str(tmp_path), image_size=8).store().stored["train"]
    before = files_in(tmp_path)
    monkeypatch.setattr(Folder, "read", lambda self: pytest.fail("the files were read again"))
    for fraction, seed in ((0.2, 0), (0.2, 1), (0.4, 1)):
        store = Folder(str(tmp_path), image_size=8, test_fraction=fraction, split_seed=seed).store()
        labels = store.spec.labels
        rows = hold_out(whole.targets.numpy(), labels, fraction, seed)
        for name, chosen in (("test", rows), ("train", ~rows)):
            assert torch.equal(store.splits[name].own_inputs, whole.inputs[torch.from_numpy(chosen)])
            assert torch.equal(store.splits[name].own_targets, whole.targets[torch.from_numpy(chosen)])
        train = Arrays(whole.inputs.numpy()[~rows], whole.targets.numpy()[~rows])
        expected = describe(labels, train, margin=store.spec.margin)  # no statistics of test samples
        assert (store.spec.mean, store.spec.std) == (expected.mean, expected.std)
    assert files_in(tmp_path) == before


def test_damaged_statistics_of_a_split_are_computed_again(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n" + "".join(f"{n},{n * n}\n" for n in range(20)))
    spec = Table(str(tmp_path), file="table.csv").store().spec
    (path,) = tmp_path.rglob("spec-*.json")
    for content in (path.read_text().replace(str(spec.mean[0]), "0.5"), "[]", ""):
        assert content != path.read_text()
        path.write_text(content)
        assert Table(str(tmp_path), file="table.csv").store().spec == spec


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three stores, one of them in a data set's own folder, and what a killed build has left."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("mnist-0", "mnist-1", ".digits-2.abcd"):
        build(tmp_path / "data" / ".firstlight" / name)
    build(tmp_path / "data" / "photos" / ".firstlight" / "folder-3")
    (tmp_path / "data" / ".firstlight" / "notes").mkdir()  # not a store
    return tmp_path / "data"


def remaining(folder: Path) -> set[str]:
    return {path.name for place in folder.rglob(".firstlight") for path in place.iterdir()}


def test_stores_are_listed(three: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["firstlight", "cache", f"data.dir={three}"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["data", "set", "size", "built", "path"]
    assert [row.split()[0] for row in rows] == ["digits", "mnist", "mnist", "folder"]
    assert "unfinished" in rows[0]
    assert "just now" in rows[1]
    assert rows[3].endswith(str(three / "photos" / ".firstlight" / "folder-3"))
    size = sum(path.stat().st_size for path in (three / ".firstlight" / "mnist-0").iterdir())
    assert f"{size / 1000:.3g} kB" in rows[1]
    assert len(remaining(three)) == 5


@pytest.mark.parametrize(
    ("clear", "left"),
    [
        ("mnist", {"notes", ".digits-2.abcd", "folder-3"}),
        ("mnist-1", {"notes", ".digits-2.abcd", "mnist-0", "folder-3"}),
        ("digits", {"notes", "mnist-0", "mnist-1", "folder-3"}),
        ("all", {"notes"}),
    ],
)
def test_stores_are_deleted_by_name(clear: str, left: set[str], three: Path) -> None:
    cache(clear=clear, data={"dir": str(three)})
    assert remaining(three) == left
    cache(clear="all", data={"dir": str(three)})
    assert cache(clear="all", data={"dir": str(three)}) == []


def test_an_unknown_store_is_refused_and_one_that_is_being_built_is_kept(
    three: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match=r"^clear=mnits: unknown store, did you mean 'mnist'\?$"):
        cache(clear="mnits", data={"dir": str(three)})
    with FileLock(three / ".firstlight" / "mnist-0.lock"):
        assert [path.name for path in cache(clear="mnist", data={"dir": str(three)})] == ["mnist-1"]
    assert "mnist-0 (another process builds it)" in capsys.readouterr().out
    assert "mnist-0" in remaining(three)


def test_a_store_that_is_deleted_while_it_is_opened_is_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path / "images-0")
    check, calls = checksums.check_files, []

    def delete_first(folder: Path) -> dict[str, str]:
        calls.append(folder)
        if len(calls) == 1:
            shutil.rmtree(folder)
        return check(folder)

    monkeypatch.setattr("firstlight.data.store.check_files", delete_first)
    assert len(build(tmp_path / "images-0").splits["train"]) == 40
    assert len(calls) == 2
