"""The connection between a worker and the process that has started it, its parent: a local socket.

A worker sends an empty line every second as a sign of life, and may send one line that says how it ends. Each end
sees from the closed socket that the other process has ended, on every system and however that process ended.
"""

import contextlib
import ctypes
import json
import os
import secrets
import selectors
import signal
import socket
import sys
import threading
from typing import Self

_VARIABLE = "FIRSTLIGHT_PARENT"  # port, token and number of the worker
_SECONDS_PER_BEAT = 1.0

_parent: socket.socket | None = None


def connect_to_parent() -> None:
    """Connect to the parent, if this process is a worker. From now on, this process ends when its parent ends.

    Linux kills the worker together with its parent, even if the worker is stopped. Other systems do not, so a thread
    of the worker waits for the end of the connection.
    """
    global _parent
    address = os.environ.pop(_VARIABLE, None)  # the processes that a worker starts are not workers
    if address is None:
        return
    if sys.platform == "linux":
        pr_set_pdeathsig = 1  # a constant of linux/prctl.h
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    port, token, number = address.split(":")
    try:
        _parent = socket.create_connection(("127.0.0.1", int(port)))
        _parent.sendall(f"{token} {number}\n".encode())
    except OSError:  # the parent has ended already
        os._exit(1)
    threading.Thread(target=_end_with, args=(_parent,), daemon=True).start()


def _end_with(parent: socket.socket) -> None:
    """Send signs of life until the parent closes the connection; then end this process."""
    parent.settimeout(_SECONDS_PER_BEAT)
    with contextlib.suppress(ConnectionError):
        while True:
            with contextlib.suppress(TimeoutError):
                parent.sendall(b"\n")
                if not parent.recv(1):
                    break
    os._exit(1)


def report_to_parent(outcome: str, message: str = "") -> bool:
    """Send the parent how this process ends; return False if this process has no parent that listens.

    Args:
        outcome: "refused", "failed" or "interrupted".
        message: the text for the user, or the number of the signal that interrupted this process.
    """
    if _parent is None:
        return False
    _parent.sendall(json.dumps([outcome, message]).encode() + b"\n")
    return True


class Connections:
    """The parent's ends of the connections to its workers."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._token = secrets.token_hex(16)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()

    def environment(self, number: int) -> dict[str, str]:
        """Return the variable by which worker `number` finds its parent."""
        return {_VARIABLE: f"{self._server.getsockname()[1]}:{self._token}:{number}"}

    def receive(self, seconds: float) -> list[tuple[int, str]]:
        """Wait at most `seconds` for lines of workers, and return the number of the worker and the text of each."""
        lines = []
        while events := self._selector.select(seconds):
            seconds = 0
            for key, _ in events:
                assert isinstance(key.fileobj, socket.socket)
                if key.fileobj is self._server:
                    self._selector.register(self._server.accept()[0], selectors.EVENT_READ, _Lines())
                else:
                    lines += self._read(key.fileobj, key.data)
        return lines

    def _read(self, connection: socket.socket, received: "_Lines") -> list[tuple[int, str]]:
        try:
            data = connection.recv(2**16)
        except OSError:
            data = b""
        *lines, received.rest = (received.rest + data).split(b"\n")
        if received.number is None and lines:
            token, _, number = lines.pop(0).decode(errors="replace").partition(" ")
            if token == self._token:
                received.number = int(number)
            else:
                data = b""
        if not data:  # the worker has ended, or the connection is not that of a worker
            self._selector.unregister(connection)
            connection.close()
        return [] if received.number is None else [(received.number, line.decode()) for line in lines]


class _Lines:
    """What has arrived on a connection.

    Attributes:
        number: the worker, once it has named itself.
        rest: the beginning of a line whose end has not arrived.
    """

    number: int | None = None
    rest = b""
