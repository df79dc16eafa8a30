"""The config of one job of a sweep."""

from collections.abc import Sequence
from typing import Any

from firstlight.config.checking.lightning_classes import check_words
from firstlight.config.compose import composed_by_hydra, to_plain

_RUN_DIR = "hydra.sweep.dir=FOLDER names the folder in which the folders of all runs lie."


def compose_job(words: Sequence[str]) -> dict[str, Any]:
    """Return the composed config of a job as plain values.

    Raises:
        ValueError: a word has no effect, or names the folder of a single run.
        hydra.errors.HydraException: a group, an option or a key is unknown.
    """
    with composed_by_hydra(*words) as composed:
        plain = to_plain(composed)
    check_words(plain, words)
    for key in ("run_dir", "resume"):
        if plain[key] is not None:
            raise ValueError(f"{key}={plain[key]}: must be left out of a sweep. To fix: {_RUN_DIR}")
    return plain
