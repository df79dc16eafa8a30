"""The folder of a sweep: what it runs, and its jobs, which survive a kill of the sweep."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from firstlight.files import cannot_read, only_process, read_json, user_path, write_csv, write_json
from firstlight.runs.run_folder import SWEEP_FILE
from firstlight.runs.sweeps.job import Ending, Job
from firstlight.runs.sweeps.ledger import Ledger
from firstlight.runs.sweeps.ranking import Directions, Ranked, ranking
from firstlight.runs.sweeps.record import JobRecord
from firstlight.runs.sweeps.seeds import has_repetitions, repeated

_MAX_BYTES = 2**24  # of sweep.json
_FIX = "get this file again, or begin a new sweep."


class SweepFolder:
    """The folder of one sweep.

    It holds sweep.json (words and settings), jobs.jsonl (a line for each beginning and end of a job), summary.csv (the
    jobs from the best to the worst), seeds.csv (means over seeds), and a run folder for each job, named by its number.

    Args:
        path: the folder. `create`, `resume` and `read` return one that is ready for use.

    Attributes:
        words: the words of the command line.
        settings: how the sweep runs, such as its method.
        metrics: the metrics by which jobs are ranked, with "min" or "max"; None for the monitored metric of each job.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = user_path(path)
        self.summary_path = self.path / "summary.csv"
        self.seeds_path = self.path / "seeds.csv"
        self.words: tuple[str, ...] = ()
        self.settings: dict[str, Any] = {}
        self.metrics: dict[str, str] | None = None
        self._records: dict[int, JobRecord] = {}
        self._ledger = Ledger(self.path / "jobs.jsonl")
        self._lock = ExitStack()

    @classmethod
    def create(
        cls,
        path: str | Path,
        words: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
        metrics: Directions | None = None,
    ) -> Self:
        """Begin a sweep in a folder that no other sweep uses; `close` ends it.

        Args:
            path: the folder.
            words: see `words`.
            settings: see `settings`, with values for JSON.
            metrics: see `metrics`.

        Raises:
            ValueError: another sweep uses the folder, or has written its results into it.
        """
        folder = cls(path)
        folder.path.mkdir(parents=True, exist_ok=True)
        folder._enter(f"hydra.sweep.dir={path}")
        if any(each.exists() for each in (folder.summary_path, folder._ledger.path, folder.path / SWEEP_FILE)):
            folder.close()
            raise ValueError(
                f"hydra.sweep.dir={path}: must be a new folder, because it holds the summary of a sweep."
                f" To fix: continue that sweep with -m resume={path}"
            )
        folder.words, folder.settings = tuple(words), dict(settings or {})
        folder.metrics = dict(metrics) if metrics else None
        folder.write()
        return folder

    @classmethod
    def resume(cls, path: str | Path) -> Self:
        """Continue a sweep that was stopped, or prolong one that has ended; `close` ends it.

        Raises:
            ValueError: there is no sweep at `path`, another process runs it, or a file of it is damaged.
        """
        folder = cls(path)
        folder._check_exists(f"resume={path}")
        folder._enter(f"resume={path}")
        try:
            folder._ledger.repair()
            folder._read()
            folder._records = {number: record.stopped() for number, record in folder._records.items()}
        except BaseException:
            folder.close()
            raise
        return folder

    @classmethod
    def read(cls, path: str | Path, key: str = "sweep") -> Self:
        """Return a sweep without the right to write, so that it may be running.

        Args:
            path: the folder.
            key: the key of the config that names it, for messages.

        Raises:
            ValueError: there is no sweep at `path`, or a file of it is damaged.
        """
        folder = cls(path)
        folder._check_exists(f"{key}={path}")
        folder._read()
        return folder

    @property
    def jobs(self) -> list[JobRecord]:
        """The jobs in the order of their numbers."""
        return [self._records[number] for number in sorted(self._records)]

    def begin(self, job: Job) -> None:
        """Record that a job begins, for the first time or again.

        Raises:
            OSError: the folder cannot be written.
        """
        self._ledger.begin(job)
        self._records[job.number] = JobRecord.of(job)

    def end(self, ending: Ending) -> JobRecord:
        """Record how a job has ended, write the summary anew, and return the record of the job.

        Raises:
            OSError: the folder cannot be written.
        """
        record = self._records[ending.number].ended(ending)
        self._ledger.end(record)
        self._records[ending.number] = record
        self.write_summary()
        return record

    def ranked(self) -> list[Ranked]:
        """Return the jobs from the best to the worst, see `ranking`."""
        return ranking(self.jobs, self.metrics)

    def write(self) -> None:
        """Write sweep.json, for example after a change of `settings`.

        Raises:
            OSError: the folder cannot be written.
        """
        values = {"words": list(self.words), "settings": self.settings, "metrics": self.metrics}
        write_json(self.path / SWEEP_FILE, values)

    def write_summary(self) -> None:
        """Write summary.csv: a row for each job with its rank, words and metrics, or the cause of its failure.

        If jobs differ only in their seed, seeds.csv has a row for all of them, with mean and standard deviation.

        Raises:
            OSError: the folder cannot be written.
        """
        write_csv(self.summary_path, [{"rank": each.rank} | _row(each.record) for each in self.ranked()])
        if has_repetitions(self.jobs):
            write_csv(self.seeds_path, [each.row() for each in repeated(self.jobs, self.metrics)])

    def close(self) -> None:
        """Let other processes write to the folder."""
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _enter(self, key: str) -> None:
        self._lock.enter_context(only_process(self.path, key))

    def _check_exists(self, key: str) -> None:
        if not (self.path / SWEEP_FILE).is_file():
            raise ValueError(f"{key}: must be the folder of a sweep, which contains a {SWEEP_FILE}.")

    def _read(self) -> None:
        path = self.path / SWEEP_FILE
        values = read_json(path, _MAX_BYTES, _FIX)
        try:
            self.words, self.settings, self.metrics = tuple(values["words"]), values["settings"], values["metrics"]
        except (KeyError, TypeError) as error:
            raise cannot_read(path, f"it has no {error}", _FIX) from error
        self._records = self._ledger.records()


def _row(record: JobRecord) -> dict[str, Any]:
    metrics = {name: value for name, value in record.metrics.items() if name != "status"}
    cause = {"error": " ".join(record.cause.split())} if record.cause else {}
    return {"job": record.number, "status": record.state} | record.choices | metrics | cause
