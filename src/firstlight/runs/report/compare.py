"""compare.html: several runs beside each other."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from firstlight.files import output_file, user_path
from firstlight.log import aligned
from firstlight.runs.command_line import relative_path
from firstlight.runs.figures.canvas import FORMATS, save_figure
from firstlight.runs.report.differences import differing, labels
from firstlight.runs.report.pages import embedded, inline, number, write_page
from firstlight.runs.report.report import COMPARISON, REPORT
from firstlight.runs.report.runs import ComparedRun, best_first, best_of, find_runs, names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COSTS = {"parameters": "parameters", "samples_per_second": "samples/s", "seconds/total": "total, s"}
_PRINTED = 10  # columns of metrics on the screen


def compare(runs: list[str] | str, output: str = COMPARISON) -> None:
    """Compare runs: print what differs in their configs and results, and write a page with their curves.

    Nothing in the run folders is executed, and torch is not imported.

    Args:
        runs: run folders, and folders of sweeps, which stand for the runs in them.
        output: the HTML file; or a figure, such as .png or .svg, of the curves alone.

    Raises:
        ValueError: there is no run at a path, a file of a run is damaged, or the page cannot be written.
    """
    found = _read([runs] if isinstance(runs, str) else runs)
    changed, results = differing([run.settings for run in found.values()]), _results(found)
    print(_screen(found, changed, results))
    path = user_path(output, "output")
    is_figure = path.suffix.lower() in FORMATS
    with output_file("output", path):
        if is_figure:
            save_figure(_curves(found), path)
        else:
            _write(path, found, changed, results)
    print(f"\n{'figure' if is_figure else 'page'} {relative_path(path)}")


def write_comparison(folder: Path) -> None:
    """Write the page for the runs in the folder of a sweep into it, and print nothing.

    Raises:
        ValueError: there is no run, or a file of a run is damaged.
        OSError: the page cannot be written.
    """
    found = _read([str(folder)])
    _write(folder / COMPARISON, found, differing([run.settings for run in found.values()]), _results(found))


def _read(runs: Sequence[str]) -> dict[str, ComparedRun]:
    """Return the runs that the user names, the best first."""
    paths = find_runs(runs)
    if not paths:
        raise ValueError("runs: must name at least one run folder, as in compare.py RUN RUN.")
    found = dict(zip(names(paths), map(ComparedRun.read, paths), strict=True))
    return {name: found[name] for name in best_first(found)}


def _results(runs: Mapping[str, ComparedRun]) -> dict[str, list[Any]]:
    """Return the values of all runs by metric: those of test first, None where a run has none."""
    keys = dict.fromkeys(key for run in runs.values() for key in run.results)
    order = sorted(keys, key=lambda key: ("test", "val", "train").index(key.partition("/")[0]))
    return {key: [run.results.get(key) for run in runs.values()] for key in order}


def _best(runs: Mapping[str, ComparedRun], results: Mapping[str, Sequence[Any]]) -> set[tuple[str, int]]:
    """Return the metric and the place of each best value. Runs that contradict each other about a metric have none.

    The losses of different tasks are different numbers, so none of them is the best.
    """
    best = set()
    has_one_task = len({run.settings.get("task") for run in runs.values()}) == 1
    for key, values in results.items():
        if key.endswith("/loss") and not has_one_task:
            continue
        known = {run.direction(key) for run in runs.values()} - {None}
        best |= {(key, place) for place in best_of(values, known.pop() if len(known) == 1 else None)}
    return best


def _screen(
    runs: Mapping[str, ComparedRun], changed: Mapping[str, Sequence[str]], results: Mapping[str, Sequence[Any]]
) -> str:
    """Return a table with a row for each run: what differs in its config, and its results; `*` marks the best value."""
    best, shown = _best(runs, results), list(results)[:_PRINTED]
    rows = [["run", *changed, *shown, "status"]]
    for place, (name, run) in enumerate(runs.items()):
        values = [number(results[key][place]) + " *" * ((key, place) in best) for key in shown]
        rows.append([name, *(column[place] for column in changed.values()), *values, _status(run)])
    return aligned(rows)


def _status(run: ComparedRun) -> str:
    return str(run.metrics.get("status", "has not ended"))


def _write(
    path: Path,
    runs: Mapping[str, ComparedRun],
    changed: Mapping[str, Sequence[str]],
    results: Mapping[str, Sequence[Any]],
) -> None:
    from firstlight.runs.figures.comparison import MAX_RUNS, comparison  # imports matplotlib

    best, columns = _best(runs, results), list(results)
    rows = [
        [name, _status(run), *(number(values[place]) for values in results.values())]
        + [number(run.metrics.get(key)) for key in _COSTS]
        for place, (name, run) in enumerate(runs.items())
    ]
    histories = {name: run.folder.history() for name, run in list(runs.items())[:MAX_RUNS]}
    write_page(
        path,
        "compare.html",
        title=f"Comparison of {len(runs)} runs",
        links={name: _link(run.folder.path, path.parent) for name, run in runs.items()},
        header=["run", "status", *columns, *_COSTS.values()],
        rows=rows,
        best=[(place, columns.index(key) + 2) for key, place in best],
        curves=inline(comparison(histories)) if any(histories.values()) else None,
        num_drawn=min(len(runs), MAX_RUNS),
        sweep=_sweep_figure(runs),
        has_tasks=sorted({task for run in runs.values() if (task := run.settings.get("task"))}),
        names=list(runs),
        changed=[[key, *values] for key, values in changed.items()],
        environment=[[key, *values] for key, values in _environments(runs).items()],
    )


def _curves(runs: Mapping[str, ComparedRun]) -> "Figure":
    """Return the curves of the first runs, named by what differs in their configs."""
    from firstlight.runs.figures.comparison import MAX_RUNS, comparison  # imports matplotlib

    shown = list(runs.values())[:MAX_RUNS]
    histories = dict(zip(labels(list(runs), [run.settings for run in shown]), map(_history, shown), strict=False))
    if not any(histories.values()):
        raise ValueError("runs: must be runs in which an epoch has ended.")
    return comparison(histories)


def _history(run: ComparedRun) -> list[dict[str, str]]:
    return run.folder.history()


def _sweep_figure(runs: Mapping[str, ComparedRun]) -> str | None:
    """Return the figure of the sweep that all runs are jobs of, if it has one."""
    parents = {run.folder.path.parent for run in runs.values()}
    return embedded(parents.pop() / "sweep.png") if len(parents) == 1 else None


def _environments(runs: Mapping[str, ComparedRun]) -> dict[str, list[str]]:
    """Return what differs between the environments, without the time."""
    return differing([{k: v for k, v in run.about.environment.items() if k != "started"} for run in runs.values()])


def _link(run: Path, place: Path) -> str | None:
    """Return the address of a run's report, relative to the page; None if it has none or lies on another drive."""
    if not (run / REPORT).is_file():
        return None
    try:
        return quote(Path(os.path.relpath(run / REPORT, place)).as_posix())
    except ValueError:
        return None
