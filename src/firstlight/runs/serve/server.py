"""Start the server: read the network, take the port, answer until Ctrl-C."""

import importlib.util
import math
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from firstlight.checks import check_range
from firstlight.runs.serve.limits import Limits

if TYPE_CHECKING:
    from fastapi import FastAPI

_PACKAGES = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")


def serve(
    run: str | Path | None = None,
    file: str | Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    checkpoint: str = "best",
    accelerator: str = "auto",
    trust: bool = False,
    invert: Literal["auto", True, False] = "auto",
    batch_size: int = 32,
    max_wait_ms: float = 5,
    limits: Limits | None = None,
) -> None:
    """Answer requests with a trained network, until Ctrl-C; requests that have begun are answered first.

    FastAPI and uvicorn run in this process, the network in one thread of it. LitServe, which is made for models, starts
    processes of its own and reads uploads before it can bound them.

    Args:
        run: the run folder; None if `file` is given.
        file: an exported file, .onnx or .pt2; None if `run` is given.
        host: the address to listen at.
        port: the port; 0 takes a free one. The address is printed.
        checkpoint: "best" or "last" of the run.
        accelerator: see `pick_device`. Exported files run on the CPU.
        trust: whether the run's config may name any class or function, see `RunFolder.config`, and whether a .pt2 file
            may be read, which can hold code.
        invert: see `predict`.
        batch_size: inputs per forward pass, of all requests that wait.
        max_wait_ms: milliseconds that a batch waits for other requests that are on their way.
        limits: the bounds of requests; None for the defaults.

    Raises:
        ValueError: a package, the run or the file is missing or cannot be read; the port is taken; an option is out of
            its range.
    """
    check_range("batch_size", batch_size, at_least=1)
    check_range("max_wait_ms", max_wait_ms, at_least=0, at_most=10_000)
    check_range("port", port, at_least=0, at_most=65_535)
    if invert not in ("auto", True, False):
        raise ValueError(f"invert={invert}: must be auto, true or false.")
    check_installed()
    with listening_socket(host, port) as listener:  # before the network is read, which takes longer
        from firstlight.runs.serve.app import create_app
        from firstlight.runs.serve.models.served import open_served

        served = open_served(run, file, checkpoint, accelerator, trust, invert)
        bounds = limits or Limits()
        app = create_app(served, bounds, batch_size, max_wait_ms)
        listener.listen()  # who reads the next line may connect
        address = _address(listener)
        print(f"{served.name}: {served.task.task_name} of {served.task.spec.kind} on {served.task.device}")
        print(f"{address}  (pages: /predict /sample /health /metrics /docs; Ctrl-C ends)", flush=True)
        answer(app, listener, bounds)


def answer(app: "FastAPI", listener: socket.socket, limits: Limits) -> None:
    """Answer requests at a socket until Ctrl-C, and then those that have begun."""
    import uvicorn

    from firstlight.runs.serve.connections import Impatient

    config = uvicorn.Config(
        app,
        http=Impatient,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=4 * limits.requests,  # connections, most of which may wait
        timeout_graceful_shutdown=math.ceil(limits.seconds),
    )
    with suppress(KeyboardInterrupt):  # uvicorn raises it after the last answer
        uvicorn.Server(config).run(sockets=[listener])


def check_installed() -> None:
    """Check that the packages of the extra are installed.

    Raises:
        ValueError: one is missing.
    """
    for package in _PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise ValueError(f'serve: must have the package {package}. To fix: pip install "firstlight[serve]".')


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address.

    Raises:
        ValueError: the port is taken, or the host is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ValueError(f"host={host}: must be an address of this machine ({error.strerror}).") from error
    found = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # on Windows two servers could have the port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        found.close()
        raise ValueError(
            f"port={port}: must be a free port of {host} ({error.strerror}). To fix: port=0 takes any."
        ) from error
    return found


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
