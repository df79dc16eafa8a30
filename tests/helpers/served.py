"""A web server on this machine for tests of downloads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """The files of a server and the requests that it received.

    Attributes:
        content: the content of each file, by name.
        missing_bytes: number by which the announced length of a file exceeds its content.
        asked: names of the requested files.
        url: address of the server.
    """

    content: dict[str, bytes]
    missing_bytes: int = 0
    asked: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def served(content: dict[str, bytes]) -> Iterator[Site]:
    """Serve files at `url` + name until the block ends."""
    site = Site(content)

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            name = self.path.removeprefix("/files/")
            if with_body:
                site.asked.append(name)
            body = site.content.get(name, b"")
            self.send_response(200 if name in site.content else 404)
            self.send_header("Content-Length", str(len(body) + site.missing_bytes))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.url = f"http://127.0.0.1:{server.server_port}/files/"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
