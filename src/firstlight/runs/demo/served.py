"""Serve the page of a run to the browsers of this machine."""

import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from firstlight.checks import check_range
from firstlight.data.images.reading import refuse_decompression_bombs
from firstlight.runs.demo.library import gradio, theme
from firstlight.runs.demo.page import STYLE, build_page, parts_for
from firstlight.runs.demo.subject import MAX_PIXELS, Subject
from firstlight.runs.predict.screen import show

HOST = "127.0.0.1"  # not reachable from other machines
MAX_MEGABYTES = 20
_LAST_PORT = 65535
_LOCAL = (None, False, False)  # of `launch`: not in a notebook, opens no browser, has no public address


def demo(
    run: str | Path,
    port: int = 7860,
    checkpoint: str = "best",
    accelerator: str = "auto",
    max_megabytes: float = MAX_MEGABYTES,
    max_pixels: int = MAX_PIXELS,
    trust: bool = False,
) -> None:
    """Serve a page on which a trained run answers, until Ctrl-C.

    Only this machine can open the page, and it loads nothing from another one. Uploads lie in a temporary folder: each
    for ten minutes at most, and all are deleted at the end.

    Args:
        run: the run folder.
        port: of the page; 0 chooses a free one.
        checkpoint: "best" or "last".
        accelerator: see `pick_device`.
        max_megabytes: a larger upload is refused.
        max_pixels: an image with more pixels is refused, because it may be a decompression bomb.
        trust: whether the run's config may name any class or function, see `RunFolder.config`.

    Raises:
        ValueError: the run or the checkpoint does not exist, its task has no page, the port is taken, an option is out
            of its range, or Gradio is not installed.
    """
    with _ended_by_signals(), served(run, port, checkpoint, accelerator, max_megabytes, max_pixels, trust) as address:
        show(f"{address}  (Ctrl-C ends the page)")
        while True:
            time.sleep(3600)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that no upload stays on the disk."""

    def stop(number: int, _: Any) -> None:
        raise KeyboardInterrupt(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def served(
    run: str | Path,
    port: int = 0,
    checkpoint: str = "best",
    accelerator: str = "auto",
    max_megabytes: float = MAX_MEGABYTES,
    max_pixels: int = MAX_PIXELS,
    trust: bool = False,
) -> Iterator[str]:
    """Serve the page during the block, and yield its address; arguments and errors are those of `demo`."""
    check_range("port", port, at_least=0, at_most=_LAST_PORT)
    check_range("max_megabytes", max_megabytes, above=0)
    check_range("max_pixels", max_pixels, at_least=1)
    chosen = _free_port(port)
    with _own_folder() as folder, refuse_decompression_bombs(max_pixels):
        gradio()  # raises its error before the network is loaded
        subject = Subject.of(run, folder, checkpoint, accelerator, max_pixels, trust)
        page = build_page(subject, parts_for(subject.task, str(run)))
        try:
            page.launch(
                *_LOCAL,
                server_name=HOST,
                server_port=chosen,
                prevent_thread_lock=True,
                quiet=True,
                max_file_size=int(max_megabytes * 2**20),
                theme=theme(),
                css=STYLE,
                footer_links=[],
                ssr_mode=False,
                show_error=True,
            )
            yield f"http://{HOST}:{chosen}"
        finally:
            page.close(verbose=False)


def _free_port(port: int) -> int:
    """Return the port, or a free one for 0.

    Raises:
        ValueError: another program uses it.
    """
    with socket.socket() as probe:
        if os.name != "nt":  # on Windows this option would let two programs have one port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ValueError(
                f"port={port}: must be free ({error.strerror}). To fix: set another one, or port=0 for any free port."
            ) from error
        return int(probe.getsockname()[1])


@contextmanager
def _own_folder() -> Iterator[Path]:
    """Yield a temporary folder for all files of the page, which is deleted at the end."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    with tempfile.TemporaryDirectory(prefix="firstlight-demo-", ignore_cleanup_errors=True) as path:
        os.environ["GRADIO_TEMP_DIR"] = path
        try:
            yield Path(path)
        finally:
            if before is None:
                del os.environ["GRADIO_TEMP_DIR"]
            else:
                os.environ["GRADIO_TEMP_DIR"] = before
