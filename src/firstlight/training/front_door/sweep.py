"""Train several runs, one for each combination of values, and rank them."""

import itertools
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from firstlight.config.compose import composed_by_hydra, to_plain
from firstlight.config.overrides import with_quotes
from firstlight.runs.sweeps import SequentialSweep
from firstlight.runs.sweeps.shown import outcome
from firstlight.training import run as engine
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
    """Train a run for each combination of values, one after the other, as train.py -m does.

    A job that fails is reported at once, and the others go on.

    Args:
        overrides: the words of the command line. A value with commas stands for several: "model=mlp,lenet".
        path: the folder of the sweep; None for a new one under `output_dir`.

    Raises:
        ValueError: a word is wrong, or all jobs have failed; the message is that of the first one.
        KeyboardInterrupt: the user has stopped a run.
    """
    jobs = list(_jobs(overrides))
    folder = Path(_folder(jobs[0]) if path is None else path)
    ranked = SequentialSweep(folder, overrides)
    runs: dict[int, Run] = {}
    errors: list[Exception] = []
    try:
        for number, job in enumerate(jobs):
            ranked.begin(number, job)
            try:
                metrics = _run(job, ranked.folder.path / str(number))
            except Exception as error:  # the other jobs go on
                errors.append(error)
                ranked.failed(_explained(error, job))
            else:
                runs[number] = Run(metrics["run_dir"], trust=True)
                ranked.finished(metrics)
    except KeyboardInterrupt:
        ranked.failed("interrupted", state="interrupted")
        raise
    finally:
        ranked.close()
    if not runs:
        raise errors[0]
    places = ranked.folder.ranked()
    lines = [(each.rank, " ".join(each.record.overrides), outcome(each.record)) for each in places]
    ordered = [runs[each.record.number] for each in places if each.record.number in runs]
    return Ranking(ranked.folder.path, ordered, lines)


def _jobs(overrides: Sequence[str]) -> Iterator[list[str]]:
    """Yield the words of each job, in the order of Hydra's own sweeps."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    choices: dict[str, list[str]] = {}
    for override in OverridesParser.create().parse_overrides(with_quotes(overrides)):
        key = override.get_key_element()
        if override.is_sweep_override():
            choices[key] = [f"{key}={value}" for value in override.sweep_string_iterator()]
        else:
            choices[key] = [f"{key}={override.get_value_element_as_str()}"]
    yield from map(list, itertools.product(*choices.values()))


def _folder(job: list[str]) -> str:
    with composed_by_hydra(*job) as config:
        return str(config.hydra.sweep.dir)


def _run(job: list[str], run_dir: Path) -> dict[str, Any]:
    with composed_by_hydra(*job) as config:
        plain = to_plain(config)
    if plain["run_dir"] is not None or plain["resume"] is not None:
        raise ValueError("run_dir: must be left out of a sweep, as must resume. To fix: sweep(path=FOLDER).")
    return engine.train(plain, run_dir=run_dir)


def _explained(error: Exception, job: list[str]) -> str:
    from firstlight.config.errors import explain

    return explain(error, job)
