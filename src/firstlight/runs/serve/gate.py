"""The gate in front of the pages: how many requests come in, how large they are, and how long they take."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firstlight.runs.serve.limits import Limits
from firstlight.runs.serve.metrics import Metrics

_LINGER = 2.0  # seconds in which the rest of a refused request is read, so that the client can read the answer


class Gate:
    """Middleware of ASGI that bounds requests. It answers what is refused, and counts all answers.

    Args:
        app: the pages.
        limits: the bounds.
        max_bytes: the largest size of a request.
        metrics: counts the answers.
    """

    def __init__(self, app: ASGIApp, limits: Limits, max_bytes: int, metrics: Metrics) -> None:
        self.app = app
        self.limits = limits
        self.max_bytes = max_bytes
        self.metrics = metrics
        self.active = 0
        self.memory = _Memory(2 * max_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.monotonic()
        exchange = _Exchange(receive, send, self.max_bytes)
        try:
            await self._answer(scope, exchange)
        except ClientDisconnect:
            exchange.status = 499  # as web servers log it; there is no one to answer
        finally:
            self.metrics.answered(scope, exchange.status, time.monotonic() - started)
        await exchange.finish()

    async def _answer(self, scope: Scope, exchange: "_Exchange") -> None:
        try:
            async with asyncio.timeout(self.limits.seconds), self._admitted(scope):
                await self.app(scope, exchange.receive, exchange.send)
        except TimeoutError:
            late = exchange.more
            why = "the request did not arrive" if late else "the request was not answered"
            status = 408 if late else 503
            await exchange.refuse(scope, status, f"{why} within {self.limits.seconds:g} seconds.")
        except HTTPException as error:
            await exchange.refuse(scope, error.status_code, error.detail)

    @asynccontextmanager
    async def _admitted(self, scope: Scope) -> AsyncIterator[None]:
        """Count a request, and reserve memory for its body.

        Raises:
            HTTPException: there are too many requests, or the body is too large.
        """
        if scope["method"] != "POST":
            yield
            return
        if self.active >= self.limits.requests:
            raise HTTPException(503, "too many requests at a time; try again.")
        size = _declared_bytes(scope)
        if size is not None and size > self.max_bytes:
            raise too_large(self.max_bytes)
        self.active += 1
        try:
            async with self.memory.take(self.max_bytes if size is None else size):
                yield
        finally:
            self.active -= 1


def too_large(max_bytes: int) -> HTTPException:
    """Return the error for a request with too many bytes."""
    return HTTPException(413, f"the request must have at most {max_bytes:,} bytes.")


def _declared_bytes(scope: Scope) -> int | None:
    """Return the Content-Length, which the server has checked to be a number; None for a body that comes in chunks."""
    headers = dict(scope["headers"])
    if b"transfer-encoding" in headers:
        return None
    return int(headers.get(b"content-length", b"0"))


class _Memory:
    """Bytes of requests in memory: a request waits while the others hold so many that its own do not fit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.changed = asyncio.Condition()

    @asynccontextmanager
    async def take(self, part: int) -> AsyncIterator[None]:
        async with self.changed:
            await self.changed.wait_for(lambda: self.used + part <= self.limit)
            self.used += part
        try:
            yield
        finally:
            self.used -= part
            async with self.changed:
                self.changed.notify_all()


class _Exchange:
    """A request and its answer: counts the bytes that come in, and keeps the end of an answer that comes early.

    Attributes:
        more: whether a part of the request has not been received.
        status: status of the answer; 0 before it starts.
    """

    def __init__(self, receive: Receive, send: Send, max_bytes: int) -> None:
        self._receive = receive
        self._send = send
        self.max_bytes = max_bytes
        self.received = 0
        self.more = True
        self.status = 0
        self.held: Message | None = None

    async def receive(self) -> Message:
        """Return the next part of the request.

        Raises:
            HTTPException: the request has too many bytes.
        """
        message = await self._receive()
        self.received += len(message.get("body", b""))
        self.more = message.get("more_body", False)
        if self.received > self.max_bytes:
            self.more = True
            raise too_large(self.max_bytes)
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer. The end is held back while the client still sends."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.more:
                message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
        elif self.more and not message.get("more_body", False):
            self.held = {"type": "http.response.body", "body": b""}
            message = {**message, "more_body": True}
        await self._send(message)

    async def refuse(self, scope: Scope, status: int, why: str) -> None:
        """Answer with an error, unless an answer has started."""
        if self.status:
            return
        headers = {"retry-after": "1"} if status == 503 else None
        await JSONResponse({"error": why}, status, headers)(scope, self.receive, self.send)

    async def finish(self) -> None:
        """Read the rest of the request for a short time, and end the answer."""
        if self.held is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER):
                while self.more:
                    message: Any = await self._receive()
                    self.more = message.get("more_body", False)
        await self._send(self.held)
