"""The results of a sweep, written at its end."""

from firstlight.config.saved import read_saved
from firstlight.files import write_text
from firstlight.log import logger
from firstlight.runs.command_line import command, relative_path
from firstlight.runs.report.report import COMPARISON
from firstlight.runs.sweeps.best import experiment, winner
from firstlight.runs.sweeps.folder import SweepFolder
from firstlight.runs.sweeps.ranking import Directions
from firstlight.runs.sweeps.seeds import Repeated

_MAX_COMPARED = 100  # jobs; the page of more takes a minute, and is too long to read


def write_results(folder: SweepFolder) -> dict[str, str]:
    """Write the results of a sweep, and return the path of each file by its name for the user.

    Raises:
        OSError: a file cannot be written.
    """
    folder.write_summary()
    found = {"summary": str(folder.summary_path)}
    if folder.seeds_path.is_file():
        found["seeds"] = str(folder.seeds_path)
    best = winner(folder.jobs, folder.metrics)
    if best is not None and (best.first.run_dir / "config.yaml").is_file():
        path = folder.path / "best.yaml"
        write_text(path, experiment(best.first.overrides, _comment(folder, best)))
        found["best"] = f"{command('train')} experiment={relative_path(path)}"
        if read_saved(best.first.run_dir / "config.yaml").get("figures"):
            found |= _write_figures(folder, best.directions)
    return found


def _write_figures(folder: SweepFolder, directions: Directions) -> dict[str, str]:
    """Write sweep.png and the page that compares the jobs; a failure of either is logged, and ends nothing."""
    from firstlight.runs.figures.canvas import save_figure
    from firstlight.runs.report.compare import write_comparison
    from firstlight.runs.sweeps.shown.figure import sweep_figure

    found = {}
    try:
        figure = sweep_figure(folder.jobs, directions)
        if figure is not None:
            path = folder.path / "sweep.png"
            save_figure(figure, path)
            found["figure"] = str(path)
        if len(folder.jobs) <= _MAX_COMPARED:
            write_comparison(folder.path)
            found["page"] = str(folder.path / COMPARISON)
    except (ValueError, OSError) as error:
        logger.warning(f"{folder.path}: the figures of the sweep are not complete ({error}).")
    return found


def _comment(folder: SweepFolder, best: Repeated) -> str:
    """Return why a job is the best, as one line."""
    values = ", ".join(f"{name} {best.mean(name):.4g}" for name in best.directions)
    over = f" as mean of {len(best.counted)} seeds" if len(best.counted) > 1 else ""
    return f"job {best.first.number} of {folder.path}, the best of {len(folder.jobs)}: {values}{over}"
