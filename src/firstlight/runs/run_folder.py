"""The folder that a run leaves: everything after training needs it and nothing else."""

import contextlib
import json
import secrets
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
        self._made: list[Path] = []  # folders that were not there before, the innermost first

    @classmethod
    def create(cls, config: dict[str, Any], path: str | Path | None = None) -> "RunFolder":
        """Make the folder of a new run, at `path` or under the config's `output_dir`, and put the config into it.

        Raises:
            ValueError: `path` holds something already, or no folder can be made.
        """
        parent = Path(config["output_dir"]).expanduser().absolute() / config["name"]
        while True:
            name = f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{secrets.token_hex(3)}"
            folder = cls(path or parent / name)
            if path and folder.config_path.exists():
                raise ValueError(f"run_dir={path}: there is a run already. Go on with it by resume={path}")
            if path and folder.path.is_dir() and any(folder.path.iterdir()):
                raise ValueError(f"run_dir={path}: this folder is not empty. Name another one.")
            folder._made = [place for place in (folder.path, *folder.path.parents) if not place.exists()]
            try:
                folder.path.mkdir(parents=True, exist_ok=bool(path))
            except FileExistsError:
                if path:
                    raise ValueError(f"run_dir={path}: there is a file of this name.") from None
                continue  # another run has just taken the name
            except OSError as error:
                key = f"run_dir={path}" if path else f"output_dir={config['output_dir']}"
                raise ValueError(f"{key}: no run folder can be made there ({error}).") from error
            folder.checkpoint_dir.mkdir()
            folder.write_config(config)
            return folder

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

    def write_config(self, config: dict[str, Any]) -> None:
        """Keep the complete config of the run."""
        write_text(self.config_path, OmegaConf.to_yaml(config))

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
        """Take back what `create` has made; whatever else lies there stays."""
        for path in (self.config_path, self.log_path, self.metrics_path):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty: somebody uses it
            for folder in (self.checkpoint_dir, *self._made):
                folder.rmdir()


def _newest_hint(path: Path) -> str:
    """The newest run near `path`, as what to type instead."""
    near = next((p for p in path.parents if p.is_dir()), Path())
    outputs = Path("outputs")
    runs = [*near.glob("*/config.yaml"), *outputs.glob("*/*/config.yaml"), *outputs.glob("sweeps/*/*/config.yaml")]
    if not runs:
        return ""
    newest = max(runs, key=lambda run: run.stat().st_mtime)
    return f"\nThe newest run there is {newest.parent}"
