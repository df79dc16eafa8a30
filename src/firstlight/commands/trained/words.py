"""Words of the command line that are paths: run folders without `run=`."""

from firstlight.files import user_path

_WITH_VALUE = ("--cfg", "-c", "--package", "-p")  # options of Hydra that the next word belongs to


def paths_in(argv: list[str]) -> list[str]:
    """Return the words that are paths: no option, no value of one, and `key=value` only if such a folder exists."""
    return [word for before, word in zip(["", *argv], argv, strict=False) if _is_path(word, before)]


def with_run(argv: list[str]) -> list[str]:
    """Return the words of the command line, in which `run=PATH` takes the place of a path.

    Raises:
        ValueError: there are several paths, or `run` is given too.
    """
    from firstlight.config.overrides import quoted

    paths = paths_in(argv)
    if not paths:
        return argv
    if len(paths) > 1 or any(word.startswith("run=") for word in argv):
        extra = paths[-1]
        raise ValueError(f"{extra}: must be key=value, because the run is named already.")
    return [quoted(f"run={word}") if word == paths[0] else word for word in argv]


def _is_path(word: str, before: str) -> bool:
    if not word or word.startswith("-") or before in _WITH_VALUE:
        return False
    return "=" not in word or user_path(word).exists()
