"""Train several runs, one for each combination of values, and rank them."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, overload

from firstlight.training.front_door.mistakes import short_mistakes
from firstlight.training.front_door.run import Run

if TYPE_CHECKING:
    import polars as pl


class Ranking(Sequence[Run]):
    """The runs of a sweep, from the best to the worst; those that failed are only in `table`.

    Args:
        path: the folder of the sweep.
        runs: the runs.
        lines: rank, words and outcome of each job.

    Attributes:
        path: the folder of the sweep.
    """

    def __init__(self, path: Path, runs: Sequence[Run], lines: Sequence[tuple[int, str, str]]) -> None:
        self.path = path
        self._runs = list(runs)
        self._lines = list(lines)

    @property
    def table(self) -> "pl.DataFrame":
        """The content of summary.csv: a data frame with a row for each job: its rank, words and metrics, or error."""
        import polars as pl

        return pl.read_csv(self.path / "summary.csv", infer_schema_length=None)

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> list[Run]: ...
    def __getitem__(self, index: int | slice) -> Run | list[Run]:
        return self._runs[index]

    def __repr__(self) -> str:
        return f"<Ranking {self.path}, {len(self)} runs>"

    def _repr_html_(self) -> str:
        """Return the ranking as a table for notebooks."""
        from firstlight.training.front_door.display import html_table

        return f"{html_table(['rank', 'words', 'outcome'], self._lines)}<code>{escape(str(self.path))}</code>"


@short_mistakes
def sweep(*overrides: str, path: str | Path | None = None) -> Ranking:
    """Train a run for each combination of values, or search for good ones, as train.py -m does.

    All jobs are built before any is trained. Then a job that fails is reported, and the others go on.

    Args:
        overrides: the words of the command line. A value with commas stands for several: "model=mlp,lenet".
            "resume=FOLDER" continues a sweep that was stopped.
        path: the folder of the sweep; None for a new one under `output_dir`.

    Raises:
        ValueError: a word is wrong, jobs cannot be built, or all have failed; the message is that of the first one.
        KeyboardInterrupt: the user has stopped the sweep.
    """
    from firstlight.runs.sweeps.shown import outcome  # here, because other commands need no sweeps
    from firstlight.training.sweeps.run import run_words

    folder = run_words(overrides, path).folder
    ranked = folder.ranked() if folder else []
    runs = [Run(each.record.run_dir, trust=True) for each in ranked if each.record.has_result]
    failed = [each.record for each in ranked if not each.record.has_result]
    if failed and not runs:
        raise ValueError(min(failed, key=lambda record: record.number).cause)
    lines = [(each.rank, " ".join(each.record.overrides), outcome(each.record)) for each in ranked]
    return Ranking(folder.path if folder else Path(), runs, lines)
