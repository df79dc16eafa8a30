"""The signals that stop a run: Ctrl-C (SIGINT), and SIGTERM, which clusters send before they end a process."""

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

_SECONDS_OF_ONE_REQUEST = 1.0


class StopSignals:
    """Lets a run end at its next step when a signal asks it to stop; a later second signal ends it at once.

    Within the `with` block, a signal raises `KeyboardInterrupt(number)`. While `is_deferring` is set, the first signal
    only sets `number`, and the training ends itself where it can be continued exactly. Signals within a second of the
    first are the same request: a terminal sends it to all processes, and their parent may pass it on. A signal that the
    process ignores stays ignored.

    Attributes:
        number: the number of the signal that was received; 0 before.
        is_deferring: whether the first signal waits for the training to notice it.
    """

    def __init__(self) -> None:
        self.number = 0
        self.is_deferring = False
        self._received = 0.0
        self._replaced: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # others cannot set handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._replaced[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.is_deferring = False
        for number, handler in self._replaced.items():
            signal.signal(number, handler)

    def defer(self) -> None:
        """Let the first signal wait from now on. Lightning has put its own handler of SIGTERM in front of ours."""
        self.is_deferring = True
        for number in self._replaced:
            signal.signal(number, self._handle)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if not self.number:
            self.number, self._received = number, time.monotonic()
        is_second = time.monotonic() - self._received > _SECONDS_OF_ONE_REQUEST
        if is_second or not self.is_deferring:
            raise KeyboardInterrupt(number)


def exit_status(interrupt: KeyboardInterrupt) -> int:
    """Return the exit status of a process that a signal has stopped: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + (interrupt.args[0] if interrupt.args else signal.SIGINT)
