"""The results of a sweep, written at its end."""

from firstlight.runs.sweeps.folder import SweepFolder


def write_results(folder: SweepFolder) -> dict[str, str]:
    """Write the results of a sweep, and return the path of each file by its name for the user.

    Raises:
        OSError: a file cannot be written.
    """
    folder.write_summary()
    found = {"summary": folder.summary_path}
    if folder.seeds_path.is_file():
        found["seeds"] = folder.seeds_path
    return {name: str(path) for name, path in found.items()}
