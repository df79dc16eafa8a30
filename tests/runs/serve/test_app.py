"""The pages of the server: what they answer, for every kind of data, and what they refuse."""

import io
import json
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from firstlight.config import compose
from firstlight.runs.export import export
from firstlight.runs.export.portable import Portable
from firstlight.runs.load import load_task
from firstlight.runs.predict import predict
from firstlight.runs.serve.limits import Limits
from firstlight.runs.serve.models.exported import as_task
from firstlight.runs.serve.models.served import Served, open_served
from firstlight.training import train

from .conftest import SHORT, Client

Upload = tuple[str, tuple[str, bytes]]
IS_FORM = {"content-type": "multipart/form-data; boundary=x"}
FORM = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'


def png(mode: str = "L", size: tuple[int, int] = (8, 8), seed: int = 0, format: str = "png") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], len(mode)), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(file, format)
    return file.getvalue()


def upload(*contents: bytes, field: str = "files") -> list[Upload]:
    return [(field, (f"{number}.png", content)) for number, content in enumerate(contents)]


def test_images_get_the_rows_of_predict_in_order_and_bad_ones_an_error(
    trained_run: Path, client: Client, tmp_path: Path
) -> None:
    contents = [png("RGBA", (30, 90), 1), png(), png("RGB", (64, 64), 2, "jpeg"), b"<svg/>", png("L", (500, 300), 3)]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.png").write_bytes(content)
    expected = predict(trained_run, tmp_path, tmp_path / "rows.csv", accelerator="cpu")
    found = client(trained_run).post("/predict", files=upload(*contents)).json()["predictions"]
    assert [entry["file"] for entry in found] == [f"{number}.png" for number in range(5)]
    bad = found.pop(3)
    assert bad.keys() == {"file", "error"}
    assert bad["error"].startswith("must be an image in one of the formats PNG")
    for row, entry in zip(expected, found, strict=True):
        assert list(entry)[1:] == list(row)[1:]
        assert entry["probability"] == pytest.approx(row["probability"], abs=1e-5)
        assert (entry["label"], entry["warning"]) == (row["label"], row["warning"])


def test_a_table_gets_the_rows_of_predict_and_a_row_costs_no_other(
    table_run: Path, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("a,b,kind\n1,2,k0\n2.5,3,other\n,4,k1\n")
    expected = predict(table_run, tmp_path / "t.csv", tmp_path / "rows.csv", accelerator="cpu")
    pages = client(table_run)
    rows = [
        {"a": 1, "b": 2, "kind": "k0"},
        {"a": "2.5", "b": 3, "kind": "other"},
        {"a": None, "b": 4, "kind": "k1", "new": True},
    ]
    found = pages.post("/predict", json={"rows": rows}).json()["predictions"]
    assert [entry["row"] for entry in found] == [1, 2, 3]
    assert [entry["warning"] for entry in found] == [row["warning"] for row in expected]
    values = [next(value for key, value in row.items() if key not in ("row", "warning")) for row in expected]
    found_values = [next(value for key, value in row.items() if key not in ("row", "warning")) for row in found]
    assert found_values == pytest.approx(values, rel=1e-5)

    mixed = pages.post("/predict", json={"rows": [rows[0], {"a": "much", "b": 1, "kind": "k0"}, [1, 2]]}).json()
    good, *bad = mixed["predictions"]
    assert list(good.values())[1] == pytest.approx(values[0], rel=1e-5)
    assert [(entry["row"], list(entry)) for entry in bad] == [(2, ["row", "error"]), (3, ["row", "error"])]
    only = pages.post("/predict", json={"rows": [{"b": 1}]})
    assert only.status_code == 422
    assert "are missing, such as 'a'" in only.json()["error"]


def test_texts_of_any_length_get_the_rows_of_predict(text_run: Path, client: Client, tmp_path: Path) -> None:
    texts = ["the quick", "t", "lazy dog " * 30, "ÄÖ"]
    (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    expected = predict(text_run, tmp_path / "texts.txt", tmp_path / "rows.csv", accelerator="cpu")
    pages = client(text_run, Limits(characters=300))
    found = pages.post("/predict", json={"texts": [*texts, "", "x" * 301]}).json()["predictions"]
    for row, entry in zip(expected, found[:4], strict=True):
        assert list(entry) == list(row)
        assert entry["loss"] == pytest.approx(row["loss"], abs=1e-4)
        assert entry["next_1"][:3] == row["next_1"][:3]
    assert [entry["error"] for entry in found[4:]] == [
        "must have at least one character.",
        "must have at most 300 characters.",
    ]
    made = [pages.post("/sample", json={"prompt": "the", "length": 5}).json()["text"] for _ in range(2)]
    assert made[0] == made[1]
    assert len(made[0]) == 8


def test_generators_answer_a_sheet_of_images(client: Client, tmp_path: Path) -> None:
    train(compose("model=vae", *SHORT), run_dir=tmp_path / "run")
    answer = client(tmp_path / "run").post("/sample", json={"number": 3})
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size[0] > 64


@pytest.mark.slow
def test_an_exported_file_answers_as_its_run(trained_run: Path, client: Client, tmp_path: Path) -> None:
    file = export(trained_run, output=tmp_path / "model.onnx")
    light = np.full((40, 40), 255, dtype=np.uint8)
    light[10:30, 18:22] = 0
    content = io.BytesIO()
    Image.fromarray(light).save(content, "png")
    files = upload(png("RGBA", (30, 90), 1), png("L", (500, 300), 3), content.getvalue())
    one, other = (client(source).post("/predict", files=files).json()["predictions"] for source in (trained_run, file))
    assert "inverted" in other[2]["warning"]
    for row, entry in zip(one, other, strict=True):
        assert list(entry) == list(row)
        assert entry["label"] == row["label"]
        assert entry["probability"] == pytest.approx(row["probability"], abs=1e-4)


def test_what_a_file_computes_becomes_the_rows_of_its_run(trained_run: Path, table_run: Path, text_run: Path) -> None:
    for run in (trained_run, table_run, text_run):
        task = load_task(run)
        portable = Portable(task)
        other = as_task(task.task_name, task.spec, lambda raw, compute=portable: compute(raw)[0])  # type: ignore[misc]
        raw = torch.randint(0, 9, (3, *task.spec.stored_shape), generator=torch.Generator().manual_seed(0))
        raw = raw.to({"images": torch.uint8, "numbers": torch.float32, "tokens": torch.int32}[task.spec.kind])
        for one, two in zip(task.predict_rows(raw), other.predict_rows(raw), strict=True):
            assert list(one) == list(two)
            numbers = [(a, two[key]) for key, a in one.items() if isinstance(a, float)]
            assert numbers
            assert all(b == pytest.approx(a, abs=1e-4) for a, b in numbers)


@pytest.mark.slow
def test_exported_tables_and_texts_answer_as_their_runs(
    table_run: Path, text_run: Path, client: Client, tmp_path: Path
) -> None:
    row, text = {"rows": [{"a": 1, "b": 2, "kind": "k0"}]}, {"texts": ["the quick"]}
    for run, body in ((table_run, row), (text_run, text)):
        file = export(run, "torch_export", tmp_path / f"{run.parent.name}.pt2")
        one, other = (client(source).post("/predict", json=body).json()["predictions"][0] for source in (run, file))
        assert list(one) == list(other)
        pairs = [(a, b) for a, b in zip(one.values(), other.values(), strict=True) if isinstance(a, float)]
        assert pairs
        assert [a for a, _ in pairs] == pytest.approx([b for _, b in pairs], abs=1e-3)


def test_files_that_are_not_exported_ones_are_refused(trained_run: Path, tmp_path: Path) -> None:
    for name, message in (
        ("none.onnx", "must be an existing file"),
        ("text.txt", "must end in .onnx or .pt2"),
        ("bad.onnx", "cannot read"),
        ("bad.pt2", "must be a .onnx file unless trust=true"),
    ):
        if not name.startswith("none"):
            (tmp_path / name).write_bytes(b"no network")
        with pytest.raises(ValueError, match=message):
            open_served(None, tmp_path / name, "best", "cpu", trust=False)
    for run, file in ((None, None), (trained_run, tmp_path / "bad.onnx")):
        with pytest.raises(ValueError, match="run: must be set"):
            open_served(run, file, "best", "cpu", trust=False)


def bomb(side: int) -> bytes:
    file = io.BytesIO()
    Image.new("1", (side, side)).save(file, "png")
    return file.getvalue()


@pytest.mark.parametrize(
    ("limits", "request_of", "status", "message"),
    [
        ({"bytes": 2000}, lambda: {"files": upload(bytes(3000))}, 413, "at most 2,000 bytes"),
        (
            {"bytes": 2000},
            lambda: {"content": iter([FORM, bytes(1500), bytes(1500)]), "headers": IS_FORM},
            413,
            "at most 2,000 bytes",
        ),
        ({"items": 2}, lambda: {"files": upload(*[png()] * 3)}, 400, "Too many files"),
        ({"pixels": 10_000}, lambda: {"files": upload(bomb(200))}, 422, "at most 10,000 pixels"),
        ({"pixels": 10_000}, lambda: {"files": upload(png("RGB", (99, 99), 0, "webp"))}, 422, "decoding takes"),
        ({}, lambda: {"files": upload(b"")}, 422, "empty"),
        ({}, lambda: {"files": upload(b"hello")}, 422, "must be an image in one of the formats PNG"),
        ({}, lambda: {"files": upload(b"<svg xmlns='http://www.w3.org/2000/svg'/>")}, 422, "must be an image"),
        ({}, lambda: {"files": upload(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")}, 422, "must be an image"),
        ({}, lambda: {"files": upload(png("RGB", (99, 99), 0, "jpeg")[:900])}, 422, "cannot read (image file is trunc"),
        ({}, lambda: {"files": upload(png(), field="file")}, 422, "field `files`"),
        ({}, lambda: {"data": {"files": "text"}, "files": upload(png(), field="x")}, 422, "field `files`"),
        ({}, lambda: {"json": {"files": []}}, 415, "multipart/form-data"),
        ({}, lambda: {"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "boundary"),
        ({}, lambda: {}, 415, "multipart/form-data"),
    ],
)
def test_bad_uploads_are_refused_with_a_sentence(
    limits: dict[str, Any],
    request_of: Callable[[], dict[str, Any]],
    status: int,
    message: str,
    trained_run: Path,
    client: Client,
) -> None:
    pages = client(trained_run, Limits(**limits))
    answer = pages.post("/predict", **request_of())
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    error = answer.json()["error"]
    assert message in error
    assert not any(word in error for word in ("0x", "Traceback", str(trained_run), "To fix"))
    assert pages.post("/predict", files=upload(png())).status_code == 200  # the others go on


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"[" * 100_000, 400, "parsing the body"),
        (b'{"rows": [' + b'{"a":' * 5000, 400, "parsing the body"),
        (b"{", 422, "JSON decode error"),
        (b'{"rows": []}', 422, "rows: must have 1 to 3 entries, not 0"),
        (json.dumps({"rows": [{"a": 1}] * 4}).encode(), 422, "rows: must have 1 to 3 entries, not 4"),
        (b'{"rows": [{"a": {"b": 1}}]}', 422, "rows.0"),
        (b'{"rows": [[1, 2]]}', 422, "must be lists of 5 finite numbers"),
        (b'{"rows": [[1, 2, 3, 4, NaN]]}', 422, "must be lists of 5 finite numbers"),
        (b'{"rows": [{"a": 1' + b"0" * 5000 + b"}]}", 422, ""),
        (b'{"texts": ["a"]}', 422, "rows: Field required"),
        (b'{"rows": "' + b"x" * 9000 + b'"}', 413, "at most 8,000 bytes"),
        (b"\xff", 422, ""),
    ],
)
def test_bad_json_is_refused_with_a_sentence(
    content: bytes, status: int, message: str, table_run: Path, client: Client
) -> None:
    limits = Limits(items=3, bytes=16 * (200_000 if content.count(b"[") > 99 or content.count(b"{") > 99 else 8000))
    answer = client(table_run, limits).post("/predict", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (status, 400)
    assert message in answer.json()["error"]
    assert len(answer.content) < 300


def test_a_slow_answer_gets_503_and_too_many_requests_too(
    trained_run: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, release = Served.rows, threading.Event()

    def slow(self: Served, samples: Any) -> Any:
        release.wait(5)
        return rows(self, samples)

    monkeypatch.setattr(Served, "rows", slow)
    monkeypatch.setattr(Served, "example", lambda self: {})
    slow_pages = client(trained_run, Limits(seconds=1, requests=1))
    answers: list[Any] = []
    first = threading.Thread(target=lambda: answers.append(slow_pages.post("/predict", files=upload(png()))))
    first.start()
    time.sleep(0.3)
    busy = slow_pages.post("/predict", files=upload(png()))
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
    assert slow_pages.get("/health").status_code == 200
    first.join()
    assert answers[0].status_code == 503
    assert "was not answered within 1 seconds" in answers[0].json()["error"]
    release.set()
    text = slow_pages.get("/metrics").text
    assert 'firstlight_errors_total{kind="busy"} 2.0' in text


def test_an_error_of_the_network_is_answered_without_details_and_costs_no_other_request(
    trained_run: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Served.rows

    def fails(self: Served, samples: Any) -> Any:
        if any(sample.names.get("file") == "bad.png" for sample in samples):
            raise RuntimeError("a secret of the server")
        return rows(self, samples)

    monkeypatch.setattr(Served, "rows", fails)
    pages = client(trained_run, max_wait_ms=200)
    answers: dict[str, Any] = {}

    def post(name: str) -> None:
        answers[name] = pages.post("/predict", files=[("files", (name, png()))])

    threads = [threading.Thread(target=post, args=(name,)) for name in ("bad.png", "1.png", "2.png", "3.png")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "bad.png": 500,
        "1.png": 200,
        "2.png": 200,
        "3.png": 200,
    }
    assert answers["bad.png"].json() == {"error": "internal error"}


def test_numbers_that_json_lacks_become_null(
    trained_run: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = client(trained_run)
    served = open_served(trained_run, None, "best", "cpu", trust=False)
    for parameter in served.task.parameters():
        torch.nn.init.constant_(parameter, float("nan"))
    assert served.example()["probability"] is None
    assert pages.get("/health").json()["status"] == "ready"


def test_the_pages_describe_themselves_without_anything_from_elsewhere(table_run: Path, client: Client) -> None:
    pages = client(table_run)
    health = pages.get("/health").json()
    assert health == {
        "status": "ready",
        "name": "run",
        "task": "regression",
        "device": "cpu",
        "predicts": True,
        "samples": False,
    }
    docs = pages.get("/docs")
    assert "default-src 'none'" in docs.headers["content-security-policy"]
    assert "Columns: a, b, kind." in docs.text
    assert "POST /predict" in docs.text
    for word in ("<script", "http://", "https://", "src=", "@import", "url("):
        assert word not in docs.text
    schema = pages.get("/openapi.json").json()
    assert {"/health", "/metrics", "/predict"} == schema["paths"].keys()
    assert "rows" in schema["components"]["schemas"]["Rows"]["properties"]
    assert pages.get("/nothing").json() == {"error": "Not Found"}
    text = pages.get("/metrics").text
    assert 'firstlight_requests_total{path="other",status="404"} 1.0' in text
    assert "process_resident_memory_bytes" in text


def test_a_zip_is_no_image(trained_run: Path, client: Client) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.png", png())
    answer: Any = client(trained_run).post("/predict", files=upload(file.getvalue(), png())).json()["predictions"]
    assert "error" in answer[0]
    assert "label" in answer[1]
