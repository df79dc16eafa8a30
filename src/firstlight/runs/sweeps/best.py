"""best.yaml: the words of the best job, as an experiment that trains it again."""

import math
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from firstlight.checks import printable
from firstlight.config.project import groups
from firstlight.runs.sweeps.ranking import Directions
from firstlight.runs.sweeps.record import JobRecord
from firstlight.runs.sweeps.seeds import Repeated, repeated

_INCLUDED = ("experiment", "debug")  # an experiment cannot override these groups, but it can contain their files
_NOT_OF_THE_RUN = ("hydra", "sweep", "resume", "run_dir")


def winner(records: Sequence[JobRecord], metrics: Directions | None = None) -> Repeated | None:
    """Return the best job that has completed, or the best mean over seeds.

    None if no job has completed with a value, or if the jobs monitor different metrics.

    Args:
        records: the jobs.
        metrics: the metrics that rank, see `ranking`.
    """
    found = repeated(records, metrics)
    kinds = {tuple(each.directions) for each in found if each.directions}
    is_won = len(kinds) == 1 and found[0].first.state == "completed"
    return found[0] if is_won and not any(math.isnan(found[0].mean(name)) for name in found[0].directions) else None


def experiment(words: Sequence[str], comment: str = "") -> str:
    """Return words of the command line as the YAML text of an experiment.

    Options of groups become entries of its list of defaults, other words become values. What an experiment cannot
    express, which is the deletion of a key (`~key`), is a comment.

    Args:
        words: overrides of Hydra, each with one value.
        comment: the first line of the text.
    """
    included: dict[str, list[str]] = {}
    overridden: dict[str, Any] = {}
    values = OmegaConf.create()
    left_out: list[str] = []
    for override in _parsed(words):
        key, value = override.key_or_group, override.value()
        if key.partition(".")[0].partition("/")[0] in _NOT_OF_THE_RUN:
            continue
        if key in _INCLUDED and not override.is_delete():
            included[key] = [f"/{key}/{name}" for name in ([value] if isinstance(value, str) else value)]
        elif override.is_delete() and key not in groups():
            left_out.append(override.input_line)
        elif key in groups() and (override.is_delete() or not isinstance(value, dict)):
            overridden[key] = value
        else:
            OmegaConf.update(values, key, value, force_add=True)
    remarks = [comment, *(f"not part of an experiment: {word}" for word in left_out)]
    files = [name for key in _INCLUDED for name in included.get(key, ())]
    head = ["# @package _global_", *(f"# {printable(line)}" for line in remarks if line)]
    return "\n".join([*head, _yaml(files, overridden, values)])


def _parsed(words: Sequence[str]) -> Sequence[Any]:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    from firstlight.config.overrides import replacing_files, with_quotes

    parsed: Sequence[Any] = OverridesParser.create().parse_overrides(replacing_files(with_quotes(words)))
    return parsed


def _yaml(included: Sequence[str], overridden: dict[str, Any], values: DictConfig) -> str:
    """Return the list of defaults, in the order that Hydra requires, and the values."""
    first = [*included, "_self_"] if included else []
    defaults = [*first, *({f"override /{group}": option} for group, option in overridden.items())]
    node = OmegaConf.create({"defaults": defaults} if defaults else {})
    return (OmegaConf.to_yaml(node) if defaults else "") + (OmegaConf.to_yaml(values) if values else "")
