"""The folder that a run leaves: everything after training needs it and nothing else."""

import contextlib
import json
import secrets
import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from firstlight.files import write_json, write_text
from firstlight.spec import DataSpec


class RunFolder:
    """Paths and small files of one run; see the table in the README."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().absolute()
        self.config_path = self.path / "config.yaml"
        self.spec_path = self.path / "spec.json"
        self.metrics_path = self.path / "metrics.json"
        self.history_path = self.path / "metrics.csv"
        self.log_path = self.path / "train.log"
        self.checkpoint_dir = self.path / "checkpoints"

    @classmethod
    def create(cls, config: dict[str, Any], path: str | Path | None = None) -> "RunFolder":
        """Make the folder of a new run, at `path` or under the config's `output_dir`, and put the config into it.

        Raises:
            ValueError: `path` holds a run already, or cannot be made.
        """
        try:
            folder = cls(path) if path else cls._unique(config)
            if folder.config_path.exists():
                raise ValueError(f"run_dir={path}: there is a run already. Go on with it by resume={path}")
            folder.checkpoint_dir.mkdir(parents=True, exist_ok=True)
            write_text(folder.config_path, OmegaConf.to_yaml(config))
        except OSError as error:
            raise ValueError(f"The run folder cannot be made ({error}). Choose another with output_dir=") from error
        return folder

    @classmethod
    def _unique(cls, config: dict[str, Any]) -> "RunFolder":
        parent = Path(config["output_dir"]).expanduser() / config["name"]
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            path = parent / f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{secrets.token_hex(3)}"
            try:
                path.mkdir()  # fails where another run has just taken the name
            except FileExistsError:
                continue
            return cls(path)

    @classmethod
    def await_first_process(cls, path: str | Path, seconds: float = 60) -> "RunFolder":
        """The folder that the first of several processes makes, as soon as it is there."""
        folder = cls(path)
        deadline = time.monotonic() + seconds
        while not folder.config_path.exists():
            if time.monotonic() > deadline:
                raise ValueError(f"run_dir={path}: the first process made no run there in {seconds:.0f} s.")
            time.sleep(0.1)
        return folder

    @classmethod
    def open(cls, path: str | Path, key: str = "run") -> "RunFolder":
        """The folder of a run that was started before.

        Raises:
            ValueError: there is no run at `path`.
        """
        folder = cls(path)
        if not folder.config_path.is_file():
            raise ValueError(
                f"{key}={path}: no run folder, for there is no config.yaml in it.{_newest_hint(folder.path)}"
            )
        return folder

    def config(self) -> DictConfig:
        """The complete config of the run."""
        config = OmegaConf.load(self.config_path)
        assert isinstance(config, DictConfig)
        return config

    def spec(self) -> DataSpec:
        """The facts of the run's data.

        Raises:
            ValueError: the run ended before it knew its data.
        """
        if not self.spec_path.is_file():
            raise ValueError(f"{self.path}: this run ended before it began to train; there is nothing to use.")
        return DataSpec.from_dict(json.loads(self.spec_path.read_text()))

    def write_spec(self, spec: DataSpec) -> None:
        """Keep the facts of the run's data."""
        write_json(self.spec_path, spec.to_dict())

    def metrics(self) -> dict[str, Any]:
        """What metrics.json holds; empty before the run has ended."""
        return json.loads(self.metrics_path.read_text()) if self.metrics_path.is_file() else {}

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Replace metrics.json."""
        write_json(self.metrics_path, metrics)

    def checkpoint_path(self, name: str) -> Path:
        """Where the checkpoint `best` or `last` lies."""
        return self.checkpoint_dir / f"{name}.ckpt"

    def existing_checkpoint(self, name: str = "best") -> Path:
        """The path of a checkpoint that is there.

        Raises:
            ValueError: there is none of this name.
        """
        path = self.checkpoint_path(name)
        if not path.is_file():
            there = ", ".join(sorted(p.stem for p in self.checkpoint_dir.glob("*.ckpt"))) or "none"
            raise ValueError(f"checkpoint={name}: not in {self.checkpoint_dir} (there: {there}).")
        return path

    def remove(self) -> None:
        """Delete the folder with all that is in it, and the one above where it held nothing else."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()


def _newest_hint(path: Path) -> str:
    """The newest run near `path`, as what to type instead."""
    near = next((p for p in path.parents if p.is_dir()), Path())
    places = [*path.glob("*/config.yaml"), *near.glob("*/config.yaml"), *Path("outputs").glob("*/*/config.yaml")]
    if not places:
        return ""
    newest = max(places, key=lambda place: place.stat().st_mtime)
    return f"\nThe newest run there is {newest.parent}"
