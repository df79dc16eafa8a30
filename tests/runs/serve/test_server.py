"""The server as a process: hostile clients, slow ones, a taken port, Ctrl-C."""

import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from firstlight.runs.serve import server
from firstlight.runs.serve.connections import Impatient
from helpers.runs import REPOSITORY

FORM = "multipart/form-data; boundary=x"


@contextmanager
def serving(run: Path, *words: str, folder: Path | None = None) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start scripts/serve.py for the block; yield the process and its port."""
    command = [sys.executable, str(REPOSITORY / "scripts/serve.py"), f"run={run}", "port=0", "accelerator=cpu", *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | ({"TMPDIR": str(folder)} if folder else {})
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        line = next(line for line in process.stdout if line.startswith("http://127.0.0.1:"))
        yield process, int(line.split()[0].rpartition(":")[2])
    finally:
        process.kill()
        process.communicate()


def post(port: int, body: Any, kind: str = FORM, seconds: float = 60) -> tuple[int, Any]:
    """Send a request; return status and answer, or 0 if the server has closed the connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("POST", "/predict", body, {"Content-Type": kind}, encode_chunked=not isinstance(body, bytes))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except (ConnectionError, http.client.HTTPException):
        return 0, {}
    finally:
        connection.close()


def received(connection: socket.socket) -> bytes:
    """Return an answer, which ends with its JSON."""
    answer = b""
    while not answer.endswith(b"}"):
        part = connection.recv(10_000)
        assert part, answer
        answer += part
    return answer


def form(content: bytes, field: str = "files") -> bytes:
    return part(field) + content + b"\r\n--x--\r\n"


def part(field: str = "files") -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="%s"; filename="a.png"\r\n\r\n' % field.encode()


def encoded(image: Image.Image, format: str = "png", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(10_000_000))
    return file.getvalue()


def gigabyte() -> Iterable[bytes]:
    yield part()
    for _ in range(1000):
        yield bytes(1_000_000)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="reads TMPDIR")
def test_hostile_uploads_cost_neither_valid_ones_nor_memory_nor_disk(trained_run: Path, tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8))
    hostile: list[tuple[Callable[[], Any], str, set[int]]] = [
        (gigabyte, FORM, {413, 0}),
        (lambda: form(encoded(Image.new("1", (30_000, 30_000)))), FORM, {422}),
        (lambda: form(encoded(Image.new("RGB", (6300, 6300)), "webp")), FORM, {422}),
        (lambda: form(b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"), FORM, {422}),
        (lambda: form(b"only text"), FORM, {422}),
        (lambda: form(encoded(noise, "jpeg")[:20_000]), FORM, {422}),
        (lambda: form(zipped()), FORM, {422}),
        (lambda: form(b""), FORM, {422}),
        (lambda: form(encoded(noise), "other"), FORM, {422}),
        (lambda: b'{"rows": [' + b"1," * 20_000_000 + b"1]}", "application/json", {413, 415, 0}),
        (lambda: b"[" * 1_000_000, "application/json", {415}),
        (lambda: part() + b"no end", FORM, {400, 422}),
    ]
    made = {number: body() for number, (body, *_) in enumerate(hostile) if body is not gigabyte}
    valid = [form(encoded(Image.fromarray(np.full((8, 8), 20 * i, dtype=np.uint8)))) for i in range(5)]
    with serving(trained_run, folder=tmp_path) as (process, port):
        expected = [post(port, body) for body in valid]
        assert {status for status, _ in expected} == {200}
        watched, peak, ended = psutil.Process(process.pid), [0], threading.Event()
        before = watched.memory_info().rss

        def watch() -> None:
            while not ended.wait(0.02):
                peak[0] = max(peak[0], watched.memory_info().rss)

        def attack(number: int) -> None:
            body, kind, statuses = hostile[number % len(hostile)]
            status, answer = post(port, made.get(number % len(hostile)) or body(), kind)
            assert status in statuses, (number, status, answer)
            assert not status or list(answer) == ["error"]

        def use(number: int) -> None:
            status, answer = post(port, valid[number % 5])
            assert (status, answer) == expected[number % 5]

        watcher = threading.Thread(target=watch)
        watcher.start()
        with ThreadPoolExecutor(8) as attackers, ThreadPoolExecutor(4) as users:
            attacks = [attackers.submit(attack, number) for number in range(100)]
            uses = [users.submit(use, number) for number in range(200)]
            for future in [*attacks, *uses]:
                future.result()
        ended.set()
        watcher.join()
        assert (peak[0] - before) / 1e6 < 200, (peak[0], before)
        assert list(tmp_path.iterdir()) == []
        assert process.poll() is None
        files = {Path(file.path) for file in watched.open_files()}
        assert not any(path.is_relative_to(tmp_path) for path in files)


@pytest.mark.slow
def test_slow_clients_are_given_up_and_ctrl_c_answers_what_has_begun(trained_run: Path) -> None:
    with serving(trained_run, "limits.seconds=2") as (process, port):
        body = form(encoded(Image.new("L", (8, 8))))
        lines = "POST /predict HTTP/1.1", "Host: x", f"Content-Type: {FORM}", f"Content-Length: {len(body)}", "", ""
        head = "\r\n".join(lines).encode()
        address = "127.0.0.1", port
        with socket.create_connection(address, 20) as late, socket.create_connection(address, 20) as slow:
            late.sendall(head + body[:50])
            answer = received(late)
            assert answer.startswith(b"HTTP/1.1 408")
            assert b"did not arrive within 2 seconds" in answer
            slow.sendall(head + body[:50])
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            slow.sendall(body[50:])
            assert received(slow).startswith(b"HTTP/1.1 200")
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_connection_that_sends_no_headers_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from uvicorn import Config
    from uvicorn.server import ServerState

    monkeypatch.setattr("firstlight.runs.serve.connections.HEADER_SECONDS", 0.1)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def closes(*sent: bytes) -> bytes:
        """Return all that a server answers to these parts of requests until it closes the connection."""
        state = ServerState()
        config = Config(app, http=Impatient, ws="none", log_config=None)
        started = await asyncio.get_running_loop().create_server(
            lambda: Impatient(config, state, {}),
            "127.0.0.1",
            0,
        )
        async with started:
            reader, writer = await asyncio.open_connection(*started.sockets[0].getsockname())
            for each in sent:
                writer.write(each)
                await asyncio.sleep(0.02)
            answer = await asyncio.wait_for(reader.read(), 2)
            writer.close()
        return answer

    assert asyncio.run(closes()) == b""
    assert asyncio.run(closes(b"GET / HT", b"TP/1.1\r\nHo")) == b""
    assert asyncio.run(closes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HT")).startswith(b"HTTP/1.1 204")


def test_a_taken_port_an_unknown_host_and_a_missing_package_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with server.listening_socket("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=rf"port={port}: must be a free port of 127.0.0.1 .* port=0 takes any"):
            server.serve(run="no-run", port=port)
    for host in ("192.0.2.1", "no host"):
        with pytest.raises(ValueError, match=f"{host}"):
            server.listening_socket(host, 0)
    for options, message in (
        ({"batch_size": 0}, "batch_size=0: must be at least 1"),
        ({"port": 70_000}, "port=70000: must be"),
        ({"max_wait_ms": -1}, "max_wait_ms=-1: must be at least 0"),
        ({"invert": "yes"}, "invert=yes: must be auto, true or false"),
    ):
        with pytest.raises(ValueError, match=message):
            server.serve(**options)
    monkeypatch.setattr(server, "_PACKAGES", ("json", "no_package"))
    with pytest.raises(ValueError, match=r'no_package.*pip install "firstlight\[serve\]"'):
        server.serve(run="no-run")
