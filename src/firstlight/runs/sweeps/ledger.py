"""jobs.jsonl: a line when a job of a sweep begins, and one when it ends. Nothing in it is ever changed."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firstlight.files import cannot_read, naming, read_bounded
from firstlight.runs.sweeps.job import Ending, Job
from firstlight.runs.sweeps.record import JobRecord

_MAX_BYTES = 2**29  # a job has about 2 kB
_FIX = "delete this line, or begin a new sweep."


class Ledger:
    """The file jobs.jsonl. Each line is on the disk before the sweep goes on, so it survives a kill of any kind.

    Args:
        path: the file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, job: Job) -> None:
        """Write that a job begins.

        Raises:
            OSError: the file cannot be written.
        """
        self._append({"begin": job.number, "overrides": list(job.overrides), "run_dir": str(job.run_dir)})

    def end(self, record: JobRecord) -> None:
        """Write how a job has ended.

        Raises:
            OSError: the file cannot be written.
        """
        values = {"state": record.state, "cause": record.cause, "metrics": record.metrics, "seconds": record.seconds}
        self._append({"end": record.number, **values})

    def _append(self, line: dict[str, Any]) -> None:
        content = (json.dumps(line, default=str) + "\n").encode()
        with naming(self.path), self.path.open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def records(self) -> dict[int, JobRecord]:
        """Return the jobs by their numbers, in the order in which they began. A torn last line is ignored.

        Raises:
            ValueError: another line is damaged.
        """
        records: dict[int, JobRecord] = {}
        for place, line in enumerate(self._lines(), start=1):
            try:
                values = json.loads(line)
                if "begin" in values:
                    number = values["begin"]
                    records[number] = JobRecord(number, tuple(values["overrides"]), Path(values["run_dir"]))
                else:
                    number = values.pop("end")
                    records[number] = records[number].ended(Ending(number, **values))
            except (ValueError, KeyError, TypeError) as error:
                raise cannot_read(
                    self.path, f"it is not the beginning or the end of a job: {error!r}", _FIX, place
                ) from error
        return records

    def _lines(self) -> Iterator[bytes]:
        if self.path.is_file():
            yield from read_bounded(self.path, _MAX_BYTES, _FIX).split(b"\n")[:-1]  # the last part is empty, or torn

    def repair(self) -> None:
        """Cut off a torn last line, which a killed process has left."""
        if not self.path.is_file():
            return
        content = read_bounded(self.path, _MAX_BYTES, _FIX)
        end = content.rfind(b"\n") + 1
        if end < len(content):
            os.truncate(self.path, end)
