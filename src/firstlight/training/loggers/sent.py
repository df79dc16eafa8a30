"""What a logger has sent to a service, so that a resumed run continues it there and repeats nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firstlight.files import read_json, write_json

_MAX_BYTES = 2**20
_FIX = "delete this file; the resumed run then begins a new run in the service."


class Sent:
    """The id of a run in a service, and the last step of each of its metrics.

    A service takes nothing back. A run that was killed repeats, bit for bit, the steps after its checkpoint. So what
    the service has of them is right, and is not sent again.

    Args:
        folder: the run folder. Its file loggers.json keeps the values of all services.
        service: the name of the service.

    Attributes:
        id: the id of the run in the service; None if it has none yet.
        rows: the number of the next row, for a service that counts them.

    Raises:
        ValueError: loggers.json is damaged.
    """

    def __init__(self, folder: Path, service: str) -> None:
        self._path = folder / "loggers.json"
        self._service = service
        known = self._read().get(service)
        known = known if isinstance(known, dict) else {}
        self.id: str | None = str(known["id"]) if "id" in known else None
        self.rows = int(known.get("rows", 0))
        last = known.get("last_steps")
        self._before: dict[str, int] = last if isinstance(last, dict) else {}
        self._last = dict(self._before)

    def _read(self) -> dict[str, Any]:
        content = read_json(self._path, _MAX_BYTES, _FIX) if self._path.is_file() else {}
        return content if isinstance(content, dict) else {}

    def unsent(self, metrics: Mapping[str, Any], step: int | None) -> dict[str, Any]:
        """Return the metrics that an earlier process has not sent; those without a step always count as such."""
        if step is None:
            return dict(metrics)
        new = {name: value for name, value in metrics.items() if step > self._before.get(name, -1)}
        self._last |= dict.fromkeys(new, step)
        return new

    def save(self) -> None:
        """Write loggers.json."""
        own = {"id": self.id, "rows": self.rows, "last_steps": self._last}
        if self._read().get(self._service) != own:
            write_json(self._path, self._read() | {self._service: own})
