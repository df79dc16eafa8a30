"""What a sweep prints: a line for each job, and the ranking."""

from firstlight.runs.sweeps import JobRecord, Ranked, SweepFolder


class Lines:
    """Prints a line when a job begins and when it ends.

    Args:
        folder: the folder of the sweep.
    """

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder

    def begin(self, record: JobRecord) -> None:
        """Print the words of a job."""
        print(f"\n[job {record.number}] {' '.join(record.overrides)}", flush=True)

    def end(self, record: JobRecord) -> None:
        """Print how a job has ended, unless its run has printed it."""
        if not record.has_result:
            print(f"[job {record.number}] {_state(record)}", flush=True)

    def update(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Print the jobs from the best to the worst, and the path of summary.csv."""
        print(f"\nsweep {self.folder.path}")
        for ranked in self.folder.ranked():
            words = " ".join(ranked.record.overrides)
            print(f"{ranked.rank:3}. [job {ranked.record.number}] {words}  {outcome(ranked)}".rstrip())
        print(f"summary {self.folder.summary_path}", flush=True)


def outcome(ranked: Ranked) -> str:
    """Return the metrics of a job, and how it has ended if it is not complete."""
    record = ranked.record
    values = [f"{name} {record.value(name):.4f}" for name in ranked.directions]
    return "  ".join([*values, *([] if record.state == "completed" else [_state(record)])])


def _state(record: JobRecord) -> str:
    is_plain = record.cause in ("", record.state)
    return record.state if is_plain else f"{record.state}: {record.cause.splitlines()[0]}"
