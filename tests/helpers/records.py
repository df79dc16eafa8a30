"""Compare everything that two runs have recorded: weights, metrics.csv, metrics.json and TensorBoard."""

import json
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

from helpers.runs import history, same_weights

_TIMES = ("seconds/", "samples_per_second", "gflops_per_second")


def final_metrics(folder: Path) -> dict[str, object]:
    """Return the content of metrics.json, without times."""
    metrics = json.loads((folder / "metrics.json").read_text())
    return {key: value for key, value in metrics.items() if not key.startswith(_TIMES)}


def events(folder: Path) -> dict[str, list[tuple[int, float | bytes]]]:
    """Return the steps and values of each tag in the event files, in the order in which they were written.

    The tags of train/ and val/ begin with the name of their folder.
    """
    found: dict[str, list[tuple[int, float | bytes]]] = {}
    for path in sorted((folder / "tensorboard").rglob("events.out.tfevents.*")):
        split = "" if path.parent.name == "tensorboard" else f"{path.parent.name}/"
        for event in LegacyEventFileLoader(str(path)).Load():
            for value in event.summary.value:
                is_scalar = value.WhichOneof("value") == "simple_value"
                content = value.simple_value if is_scalar else value.SerializeToString()
                holds_time = value.tag.startswith(("_hparams_/", "results"))
                found.setdefault(split + value.tag, []).append((event.step, b"" if holds_time else content))
    return found


def same_run(one: Path, other: Path) -> None:
    """Assert that two runs have recorded the same, bit for bit, except for times."""
    for checkpoint in ("best", "last"):
        assert same_weights(one, other, checkpoint)
    assert history(one) == history(other)
    assert final_metrics(one) == final_metrics(other)
    expected, found = (_without_findings(events(folder)) for folder in (one, other))
    assert found.keys() == expected.keys()
    for tag, values in expected.items():
        assert repr(found[tag]) == repr(values), tag  # NaN equals NaN
    for values in found.values():
        steps = [step for step, _ in values]
        assert steps == sorted(set(steps))


def _without_findings(found: dict[str, Any]) -> dict[str, Any]:
    """Leave out copies of the figures in the run folder, which most tests do not draw."""
    return {tag: values for tag, values in found.items() if not tag.startswith("test/") or "latent" in tag}
