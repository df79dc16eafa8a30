"""Folders of runs that were written by hand: a page needs nothing but their files."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from firstlight.files import write_json
from firstlight.runs.report.environment import About

Write = Callable[..., Path]
EVIL = "<script>alert('x')</script>"


@pytest.fixture
def write_run(tmp_path: Path) -> Write:
    """Return a function that writes a run folder: its name, its metrics, the values of its config that differ."""

    def write(name: str, metrics: dict[str, Any], losses: tuple[float, ...] = (2.0, 1.0), **config: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        settings = {"name": "digits-lenet", "seed": 1, "notes": EVIL, "tags": [EVIL], "task": {"_target_": "a.Task"}}
        (folder / "config.yaml").write_text(yaml.safe_dump(settings | config))
        write_json(folder / "metrics.json", metrics)
        with (folder / "metrics.csv").open("w", newline="") as file:
            rows = [["epoch", "step", "val/loss", "lr", "seconds"]]
            csv.writer(file).writerows([*rows, *([epoch, epoch, loss, 1, 1] for epoch, loss in enumerate(losses, 1))])
        About({"device": name}, {"loss": "min", "accuracy": "max"}).write(folder)
        Image.new("RGB", (40, 30), "red").save(folder / "confusion.png")
        (folder / "per_class.csv").write_text(f"class,precision,support\n{EVIL},0.5,3\n")
        (folder / "samples.txt").write_text(EVIL)
        return folder

    return write
