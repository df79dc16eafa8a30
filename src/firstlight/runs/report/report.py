"""report.html: everything that there is to see of one run, in one file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstlight.config.saved import read_saved
from firstlight.files import read_bounded
from firstlight.runs.report.differences import from_defaults
from firstlight.runs.report.environment import About
from firstlight.runs.report.pages import embedded, inline, number, write_page
from firstlight.runs.report.tables import class_table, metric_table
from firstlight.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPORT = "report.html"
COMPARISON = "compare.html"
"""The page about several runs; that of a sweep lies in its folder."""

_MAX_TEXT = 2**20  # bytes of samples.txt
_FIX = "delete this file, or train the run again."
# The figures of a run folder in the order of the page, each with its title and what it shows.
_FIGURES = {
    "curves": ("Curves", "Each metric after each epoch; the dotted line is the epoch of the best checkpoint."),
    "lr_find": ("Range test", "The loss at each learning rate, on a copy of the untrained network."),
    "line": ("Line", "Points and lines, and the path of slope and intercept over the mean squared error."),
    "confusion": ("Confusion matrix", "Rows are true classes of the test split, columns predicted ones."),
    "mistakes": ("Mistakes", "The test samples with the highest losses among the wrong predictions."),
    "predicted_true": ("Predicted against true", "Samples on the line are predicted exactly."),
    "calibration": (
        "Calibration",
        "Predictions on the diagonal are correct as often as they are confident.",
    ),
    "precision_recall": ("Precision and recall", "What a higher threshold for a class costs and gains."),
    "filters": ("Filters", "The weights of the first layer; 0 is grey."),
    "channels": ("Channels", "What convolutions return for one test sample, a row for each layer."),
    "filtered": ("Filtered images", "What the fixed kernels make of test samples."),
    "samples": ("Example output", "What the trained network produces."),
}
_TIMES = {
    "seconds/total": "total, s",
    "seconds/fit": "training and validation, s",
    "seconds/to_first_step": "start to first step, s",
    "samples_per_second": "samples per second",
    "gflops_per_second": "GFLOP/s",
    "parameters": "parameters",
    "flops_per_sample": "operations per sample, forward",
}


@dataclass(frozen=True)
class _Shown:
    """A figure of the page, as `svg` in the page's colours or as `png`."""

    name: str
    svg: Any = None
    png: str | None = None

    @property
    def anchor(self) -> str:
        return self.name.replace("_", "-")

    @property
    def title(self) -> str:
        return _FIGURES[self.name][0]

    @property
    def caption(self) -> str:
        return _FIGURES[self.name][1]

    @property
    def is_pixels(self) -> bool:
        return self.name == "samples"


def write_report(
    run: str | Path, metrics: Mapping[str, Any] | None = None, figures: "Mapping[str, Figure] | None" = None
) -> Path:
    """Write report.html into a run folder, from the files that are there, whatever their number.

    The page needs no network and no script. Texts of the user are escaped.

    Args:
        run: the run folder.
        metrics: the content of metrics.json if it is not yet written.
        figures: figures by the names of their files, such as "confusion". They are drawn in the colours of the page.
            For the others, the page has the PNG files.

    Returns:
        The path of the page.

    Raises:
        ValueError: there is no run at `run`, or one of its files is damaged.
        OSError: the page cannot be written.
    """
    folder = RunFolder.open(run)
    metrics = folder.metrics() if metrics is None else metrics
    shown = list(_figures(folder, metrics, figures or {}))
    values = _content(folder, metrics) | {"figures": shown}
    sections = [("Results", "results"), *((figure.title, figure.anchor) for figure in shown)]
    for name, key in {"Classes": "classes", "Example output": "sample_text"}.items():
        sections += [(name, key.replace("_", "-"))] if values[key] else []
    sections += [("Times", "times"), ("Config", "config")]
    sections += [("Environment", "environment")] if values["environment"] else []
    path = folder.path / REPORT
    write_page(path, "report.html", sections=sections, **values)
    return path


def _content(folder: RunFolder, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the template shows, except for figures."""
    config = read_saved(folder.config_path)
    about = About.read(folder.path)
    tags = config.get("tags") or []
    return {
        "title": f"{config.get('name', 'run')} {folder.path.name}",
        "summary": _summary(metrics, about),
        "error": metrics.get("error"),
        "tags": [tags] if isinstance(tags, str) else tags,
        "notes": config.get("notes"),
        "sweep": f"../{COMPARISON}" if folder.is_job and config.get("figures") else None,
        "metrics": metric_table(metrics, folder.history(), about.directions),
        "classes": class_table(folder.path / "per_class.csv"),
        "sample_text": _sample_text(folder.path / "samples.txt"),
        "times": [(label, number(metrics[key])) for key, label in _TIMES.items() if key in metrics],
        "changed": [(key, *values) for key, values in from_defaults(config).items()],
        "config": folder.config_path.read_text(encoding="utf-8"),
        "environment": list(about.environment.items()),
    }


def _summary(metrics: Mapping[str, Any], about: About) -> str:
    status = metrics.get("status", "has not ended")
    started = about.environment.get("started")
    best = f"best epoch {metrics['epoch']} by {metrics['monitor']}" if {"epoch", "monitor"} <= metrics.keys() else None
    return ", ".join(part for part in (status, best, f"started {started}" if started else None) if part)


def _sample_text(path: Path) -> str | None:
    return read_bounded(path, _MAX_TEXT, _FIX).decode(errors="replace") if path.is_file() else None


def _figures(folder: RunFolder, metrics: Mapping[str, Any], given: "Mapping[str, Figure]") -> Iterator[_Shown]:
    """Yield the figures that there are. The curves are drawn anew, which needs nothing but metrics.csv."""
    for name in _FIGURES:
        if name in given:
            yield _Shown(name, svg=inline(given[name]))
        elif name == "curves" and (rows := folder.history()):
            from firstlight.runs.figures.curves import curves  # imports matplotlib

            yield _Shown(name, svg=inline(curves(rows, metrics.get("epoch"))))
        elif png := embedded(folder.path / f"{name}.png"):
            yield _Shown(name, png=png)
