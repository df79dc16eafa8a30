"""The results of a sweep, written at its end."""

from firstlight.files import write_text
from firstlight.runs.command_line import command, relative_path
from firstlight.runs.sweeps.best import experiment, winner
from firstlight.runs.sweeps.folder import SweepFolder
from firstlight.runs.sweeps.seeds import Repeated


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
    return found


def _comment(folder: SweepFolder, best: Repeated) -> str:
    """Return why a job is the best, as one line."""
    values = ", ".join(f"{name} {best.mean(name):.4g}" for name in best.directions)
    over = f" as mean of {len(best.counted)} seeds" if len(best.counted) > 1 else ""
    return f"job {best.first.number} of {folder.path}, the best of {len(folder.jobs)}: {values}{over}"
