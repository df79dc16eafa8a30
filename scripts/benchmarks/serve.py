"""Compare the requests per second of a server with and without batching, for 1, 8 and 64 clients.

    uv run scripts/benchmarks/serve.py run=RUN [seconds=3 rounds=2]

Each server runs in a process of its own, and each client has a connection that it keeps. The two servers are tried
alternately, and the best of the rounds are compared. The images are random, of the size of the run's.
"""

import asyncio
import io
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from firstlight.runs import RunFolder

SERVE = Path(__file__).parents[1] / "serve.py"
CLIENTS = (1, 8, 64)
BATCHES = (32, 1)


def main() -> None:
    """Print a table of requests per second."""
    words = dict(word.split("=", 1) for word in sys.argv[1:])
    seconds, rounds = float(words.get("seconds", 3)), int(words.get("rounds", 2))
    request = _request(words["run"])
    best: dict[tuple[int, int], float] = {}
    with _server(words["run"], BATCHES[0]) as first, _server(words["run"], BATCHES[1]) as second:
        for _ in range(rounds):
            for number in CLIENTS:
                for batch_size, port in zip(BATCHES, (first, second), strict=True):
                    found = asyncio.run(_rate(port, request, number, seconds))
                    best[number, batch_size] = max(best.get((number, batch_size), 0), found)
    print(f"clients  batch_size={BATCHES[0]:<3} batch_size={BATCHES[1]:<3} ratio   (requests per second)")
    for number in CLIENTS:
        one, other = (best[number, batch_size] for batch_size in BATCHES)
        print(f"{number:7}  {one:14.0f} {other:14.0f} {one / other:5.2f}")


@contextmanager
def _server(run: str, batch_size: int) -> Iterator[int]:
    """Start a server for the block, and yield its port."""
    command = [sys.executable, str(SERVE), f"run={run}", "port=0", f"batch_size={batch_size}", "accelerator=cpu"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield next(int(line.split()[0].rpartition(":")[2]) for line in process.stdout if line.startswith("http://"))
    finally:
        process.terminate()
        process.wait()


def _request(run: str) -> bytes:
    """Return a request with one image, as bytes."""
    channels, height, width = RunFolder.open(run).spec().input_shape
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(file, "png")
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    body = head + file.getvalue() + b"\r\n--x--\r\n"
    lines = "POST /predict HTTP/1.1", "Host: x", "Content-Type: multipart/form-data; boundary=x"
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


async def _rate(port: int, request: bytes, clients: int, seconds: float) -> float:
    """Return the requests per second that clients get answered in this time."""
    end = time.monotonic() + seconds
    counts = await asyncio.gather(*(_client(port, request, end) for _ in range(clients)))
    return sum(counts) / seconds


async def _client(port: int, request: bytes, end: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.monotonic() < end:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        count += 1
    writer.close()
    return count


if __name__ == "__main__":
    main()
