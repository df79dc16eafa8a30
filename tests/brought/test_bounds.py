"""No file makes firstlight read much more than its format needs: it is refused early, in one sentence."""

import gzip
import io
import json
import os
import pickle
import resource
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from firstlight.config.saved import read_saved
from firstlight.data import ASL
from firstlight.data.files import download
from firstlight.data.files.archive import tar_files, zip_files
from firstlight.data.files.idx import read_idx
from firstlight.runs import RunFolder
from firstlight.spec import DataSpec
from firstlight.transfer.weights_file import read_weights
from helpers.generate import ASL_CODES, asl_table, write_asl
from helpers.served import served

SPEC = DataSpec(input_shape=(1, 8, 8), num_outputs=2, labels=("no", "yes"), mean=(0.5,), std=(0.25,))
GIGABYTE = 2**30


@contextmanager
def refused(match: str, megabytes: float = 32) -> Iterator[None]:
    """Assert that the block raises a ValueError of one line, and that Python objects take little memory in it."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=match) as caught:
            yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * 2**20
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700
    assert "To fix: " in str(caught.value)


def tar_header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (tar_header("huge.bin", 8 * GIGABYTE), "huge.bin is too large"),
        (tar_header("huge", 8 * GIGABYTE, tarfile.DIRTYPE), "huge is too large"),
        (tar_header("huge", 8 * GIGABYTE, b"Z"), "huge is too large|decompression"),
        (tar_header("name", 8 * GIGABYTE, tarfile.GNUTYPE_LONGNAME), "a header has 8,589,93"),
        (tar_header("name", 8 * GIGABYTE, tarfile.XHDTYPE), "a header has 8,589,93"),
        (tar_header("name", 100_000_000, tarfile.XGLTYPE), "a header has 100,000,"),
        (tar_header("a", 1) + b"a" * 512 + tar_header("huge.bin", 200_000_000), "huge.bin is too large"),
    ],
)
def test_a_tar_that_claims_gigabytes_is_refused_at_its_header(content: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "images.tar.gz"
    path.write_bytes(gzip.compress(content + bytes(10_000)))
    with refused(rf"images\.tar\.gz: cannot read \(.*({why})"):
        list(tar_files(path))


def test_a_tar_that_inflates_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firstlight.data.files.archive._MIN_TOTAL", 2**22)
    (tmp_path / "zeros.tar.gz").write_bytes(gzip.compress(bytes(2**23), compresslevel=1))  # after tar's end marker
    with refused(r"zeros\.tar\.gz: cannot read \(it has more than 4,194,304 bytes after decompression\)"):
        list(tar_files(tmp_path / "zeros.tar.gz"))
    members = b"".join(tar_header(f"{number}.jpg", 2**20) + bytes(2**20) for number in range(6))
    (tmp_path / "many.tar.gz").write_bytes(gzip.compress(members, compresslevel=1))
    with refused(r"many\.tar\.gz: cannot read \(it has more than 4,194,304 bytes"):
        for _ in tar_files(tmp_path / "many.tar.gz"):
            pass


def test_a_tar_with_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firstlight.data.files.archive._MAX_MEMBERS", 100)
    (tmp_path / "many.tar.gz").write_bytes(gzip.compress(tar_header("empty", 0) * 102 + bytes(1024)))
    with refused(r"many\.tar\.gz: cannot read \(it has more than 100 files"):
        list(tar_files(tmp_path / "many.tar.gz"))


def with_claimed_size(path: Path, size: int) -> None:
    """Change the size of the first file in the directory of a zip."""
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, size)
    path.write_bytes(content)


def test_a_zip_with_a_huge_csv_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sign_mnist_train.csv", bytes(10_000))
        archive.writestr("sign_mnist_test.csv", b"")
    with_claimed_size(path, 2**31)
    with refused(r"archive\.zip: cannot read \(sign_mnist_train\.csv is too large\)"):
        zip_files(path, ["sign_mnist_train.csv"])
    with refused(r"archive\.zip: cannot read \(sign_mnist_train\.csv is too large\)"):
        ASL(str(tmp_path)).read()
    with_claimed_size(path, 100)  # a zip that inflates to more than it claims is read up to its claim
    with refused(r"archive\.zip: cannot read \(Bad CRC-32"):
        zip_files(path, ["sign_mnist_train.csv"])


@pytest.mark.parametrize(
    ("train", "why"),
    [
        ("label," + "x," * 5_000_000, "line 1: cannot read .it has 10,000,006 bytes"),
        (asl_table(ASL_CODES) + "1," * 5_000_000, "line 26: cannot read .it has 10,000,000 bytes"),
        ("\n" * 2_000_000, "it has more than 524,288 lines"),
        ("\r" * 2_000_000, "it has more than 524,288 lines"),
    ],
    ids=["header", "row", "lines", "old lines"],
)
def test_a_csv_with_a_huge_line_or_without_end_is_refused(train: str, why: str, tmp_path: Path) -> None:
    write_asl(tmp_path, train, asl_table(ASL_CODES))
    with refused(why, megabytes=64):
        ASL(str(tmp_path)).read()


def test_a_csv_larger_than_any_is_refused_unread(tmp_path: Path) -> None:
    write_asl(tmp_path, "", asl_table(ASL_CODES))
    os.truncate(tmp_path / "sign_mnist_train.csv", 2**27 + 1)  # takes no space on the disk
    with refused(r"sign_mnist_train\.csv: cannot read \(it has more than 134,217,728 bytes\)", megabytes=1):
        ASL(str(tmp_path)).read()


def idx_header(*shape: int) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


@pytest.mark.parametrize("shape", [(2**31,), (2**31, 28, 28), (2**32 - 1,) * 8, (60_000, 28, 28)])
def test_an_idx_file_that_claims_more_than_it_can_hold_is_refused_at_its_header(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    (tmp_path / "images.gz").write_bytes(gzip.compress(idx_header(*shape) + bytes(1000)))
    with refused(r"images\.gz: cannot read \(its header says [\d,]+ bytes, which is too many\)", megabytes=1):
        read_idx(tmp_path / "images.gz")
    (tmp_path / "images").write_bytes(idx_header(*shape))
    with refused(r"images: cannot read \(it has \d+ bytes, but its header says [\d,]+\)", megabytes=1):
        read_idx(tmp_path / "images")


def test_an_idx_file_that_inflates_beyond_its_header_is_read_no_further(tmp_path: Path) -> None:
    (tmp_path / "images.gz").write_bytes(gzip.compress(idx_header(10, 28, 28) + bytes(2**26), compresslevel=1))
    with refused(r"images\.gz: cannot read \(it has more, but its header says 7,856\)", megabytes=2):
        read_idx(tmp_path / "images.gz")
    (tmp_path / "axes").write_bytes(idx_header(*[1] * 200) + b"a")
    with refused(r"axes: cannot read \(it is not an IDX file of bytes\)"):
        read_idx(tmp_path / "axes")


def test_a_server_that_sends_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firstlight.data.files.download._MAX_BYTES", 10_000)
    too_many = pytest.raises(ValueError, match=r"cannot be downloaded \(the server sends more than 10,000 bytes\)")
    with served({"file.bin": bytes(20_000)}) as site, too_many:
        download.download({"file.bin": "md5:0"}, site.url, tmp_path, "To fix: wait.")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["pth", "ckpt"])
def test_weights_that_are_a_decompression_bomb_are_refused(suffix: str, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(10_000_000)}, tmp_path / "plain.pth")
    compressed = zipfile.ZipFile(tmp_path / f"bomb.{suffix}", "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with zipfile.ZipFile(tmp_path / "plain.pth") as plain, compressed as bomb:
        for member in plain.infolist():
            bomb.writestr(member.filename, plain.read(member))
    assert (tmp_path / f"bomb.{suffix}").stat().st_size < 1_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with refused(rf"bomb\.{suffix}: cannot read \(the archive is compressed"):
        read_weights(tmp_path / f"bomb.{suffix}")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 90_000_000) + b" " * 100,
        struct.pack("<Q", 10) + b"[" * 10,
        struct.pack("<Q", 62) + b'{"a":{"dtype":"F32","shape":[4294967296],"data_offsets":[0,4]}}',
        b"",
    ],
    ids=["endless header", "large header", "nested", "tensor beyond the file", "empty"],
)
def test_a_safetensors_file_that_claims_more_than_it_holds_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    with refused(r"a\.safetensors: cannot read \((damaged|the header is too large)"):
        read_weights(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "content",
    [b"\x80\x02" + b"(" * 10_000, pickle.dumps(bytearray), pickle.dumps(2**100_000), b"\x80\x04\x96" + b"\xff" * 8],
    ids=["marks", "class", "long", "endless bytes"],
)
def test_a_hostile_pickle_is_refused_without_advice_to_load_it_anyway(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    with refused(r"a\.pth: cannot read \(") as caught:
        read_weights(tmp_path / "a.pth")
    assert caught is None


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (LAUGHS, "it contains a YAML alias"),
        ("a: &a {b: *a}\n", "it contains a YAML alias"),
        ("a: " + "[" * 100_000, "it has more than 20 levels"),
        ("a: " + "{a: " * 5000, "it has more than 20 levels"),
        ("".join("  " * level + "a:\n" for level in range(500)), "it has more than 20 levels"),
        ("a: [" + "1," * 50_000 + "]", "20,000 values"),
        ("a: " + "b" * 20_000, "a value has more than 10,000 characters"),
        ("a: 1" + ":1" * 100_000, "a value has more than 10,000 characters"),
        ("a: " + "b" * 2_000_000, "it has more than 1,048,576 bytes"),
        ("a: ${oc.env:HOME}\n", r"it contains \$\{oc\.env:HOME\}"),
        ("${oc.env:HOME}: 1\n", r"it contains \$\{oc\.env"),
        ('a: "\\x24{oc.env:HOME}"\n', r"it contains \$\{oc\.env"),
        ("a: {b: [c, '${oc.decode:1}']}\n", r"it contains \$\{oc\.decode"),
        ("a: ${oc.create:{b:1}}\n", r"it contains \$\{oc\.create"),
        ("a: ${hydra:runtime.cwd}\n", r"it contains \$\{hydra"),
        ("a: ${unique:}\n", r"it contains \$\{unique"),
        ("a: ${b}\nb: 1\n", r"it contains \$\{b\}"),
        ("a: ???\n", r"it contains \?\?\?"),
        ("a: !!python/object/apply:os.getcwd []\n", "it contains a YAML tag"),
        ("a: !!python/object/apply:pathlib.PosixPath [b]\n", "it contains a YAML tag"),
        ("a: !!binary aGVsbG8=\n", "it contains a YAML tag"),
        ("a: 1\na: 2\n", "duplicate key"),
        ("a: {true: b}\n", "a key is not a text"),
        ("[1, 2]\n", "it is not a mapping"),
        ("5\n", "it is not a mapping"),
        ("a: [\n", "expected"),
        ("a: 1\n---\nb: 2\n", "expected a single document"),
        ("a: \x00\n", "not allowed|control"),
        (f"a: {'9' * 9_000}\n", "Exceeds the limit"),
    ],
    ids=lambda value: value[:30].strip().replace("\x00", "NUL"),
)
def test_a_hostile_yaml_is_refused_before_its_values_are_built(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with refused(rf"config\.yaml: cannot read \(.*({why})"):
        read_saved(path)
    with refused(r"config\.yaml: cannot read"):
        RunFolder.open(tmp_path).config(trust=True)


def test_a_config_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(b"a: \xff\xfe")
    with refused(r"config\.yaml: cannot read \('utf-8' codec"):
        read_saved(tmp_path / "config.yaml")


def spec_text(**changes: Any) -> str:
    return json.dumps({key: value for key, value in (SPEC.to_dict() | changes).items() if value != "missing"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "it is not JSON"),
        ("", "it is not JSON"),
        ("[" * 200_000, "it has too many levels|not JSON"),
        ("[1]", "it is not a mapping of fields"),
        ("null", "it is not a mapping of fields"),
        (spec_text(mean=[float("nan")]), "it is not JSON: it contains NaN"),
        (spec_text(std=[float("inf")]), "it contains Infinity"),
        (spec_text().replace("0.25", "1e999"), "field 'std'"),
        (spec_text(labels="missing"), "field 'labels' is missing"),
        (spec_text(colour=1), "field 'colour' is unknown"),
        (spec_text(labels=[1, 2]), "field 'labels'"),
        (spec_text(labels="no"), "field 'labels'"),
        (spec_text(input_shape=8), "field 'input_shape'"),
        (spec_text(input_shape=[1, 8, 8.5]), "field 'input_shape'"),
        (spec_text(input_shape=[True, 8, 8]), "field 'input_shape'"),
        (spec_text(margin=None), "field 'margin'"),
        (spec_text(size="large"), "field 'size'"),
        (spec_text(input_shape=[]), "shape .* is impossible"),
        (spec_text(input_shape=[1, -8, 8]), "shape .* is impossible"),
        (spec_text(input_shape=[3, 10**6, 10**6]), "shape .* is impossible"),
        (spec_text(num_outputs=10**9), "with 1,000,000,000 outputs is impossible"),
    ],
    ids=lambda value: value[-40:],
)
def test_a_damaged_or_hostile_spec_is_refused(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(text)
    with refused(rf"spec\.json: cannot read \(.*({why})"):
        RunFolder(tmp_path).spec()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "it is not JSON"),
        ("[" * 200_000, "it has too many levels|not JSON"),
        ("[]", "not a flat mapping"),
        ('{"a": {"b": 1}}', "not a flat mapping"),
        ('{"a": [1]}', "not a flat mapping"),
        ('{"val/loss": NaN}', "it contains NaN"),
    ],
)
def test_damaged_or_hostile_metrics_are_refused(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with refused(rf"metrics\.json: cannot read \(.*({why})"):
        RunFolder(tmp_path).metrics()


@pytest.mark.parametrize("read", [RunFolder.spec, RunFolder.metrics])
def test_a_json_file_without_end_is_refused_unread(read: Callable[[RunFolder], Any], tmp_path: Path) -> None:
    for name in ("spec.json", "metrics.json"):
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, 8 * GIGABYTE)  # takes no space on the disk
    with refused(r"\.json: cannot read \(it has more than 16,777,216 bytes\)", megabytes=1):
        read(RunFolder(tmp_path))


def test_honest_files_of_a_run_are_read_as_they_were_written(tmp_path: Path) -> None:
    many = replace(SPEC, num_outputs=50_000, labels=tuple(f"the word {number}" for number in range(50_000)))
    folder = RunFolder(tmp_path)
    for spec in (SPEC, many, replace(SPEC, size=224, target_mean=(1,), target_std=(2.5,))):
        folder.write_spec(spec)
        assert folder.spec() == spec
    metrics = {"status": "completed", "val/loss": 0.25, "val/accuracy": None, "epoch": 3}
    folder.write_metrics(metrics)
    assert folder.metrics() == metrics


def test_the_largest_honest_tar_member_is_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("ä" * 200 + ".bin")  # needs an extended header
        member.size = 5_000_000
        archive.addfile(member, io.BytesIO(b"7" * member.size))
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(buffer.getvalue(), compresslevel=1))
    ((name, content),) = tar_files(tmp_path / "a.tar.gz")
    assert name == "ä" * 200 + ".bin"
    assert content == b"7" * 5_000_000
