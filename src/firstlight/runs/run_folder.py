"""The folder of a run: its paths, its config and its metrics."""

import contextlib
import csv
import os
import secrets
import shutil
import time
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from firstlight.checks import unknown
from firstlight.config import RunConfig
from firstlight.config.checking.targets import check_targets, elsewhere
from firstlight.config.project import use_project
from firstlight.config.saved import read_saved, to_yaml
from firstlight.files import (
    LOCK_FILES,
    atomic_write,
    cannot_read,
    is_unfinished,
    only_process,
    read_json,
    user_path,
    write_json,
    write_text,
)
from firstlight.spec import DataSpec

_MAX_BYTES = 2**24  # of spec.json, which lists the classes or the vocabulary, and of metrics.json
_FIX = "get this file again, or train the run again."

SWEEP_FILE = "sweep.json"
"""The file that marks the folder of a sweep."""


class RunFolder:
    """The folder of one run. The README has a table of its files.

    Args:
        path: the folder, which may not exist yet.
        key: the key of the config that names it, for messages.
    """

    def __init__(self, path: str | Path, key: str = "run_dir") -> None:
        self.path = user_path(path, key)
        self.config_path = self.path / "config.yaml"
        self.spec_path = self.path / "spec.json"
        self.record_path = self.path / "data.json"
        self.metrics_path = self.path / "metrics.json"
        self.history_path = self.path / "metrics.csv"
        self.log_path = self.path / "train.log"
        self.images_path = self.path / "images.npy"
        self.calibration_path = self.path / "calibration.json"
        self.checkpoint_dir = self.path / "checkpoints"
        self._created: list[Path] = []  # the folders that `create` has made, innermost first

    @classmethod
    def create(cls, config: RunConfig, path: str | Path | None = None) -> "RunFolder":
        """Create the folder of a new run, with its config.

        Args:
            config: the config of the run.
            path: the folder; by default a new one under the config's `output_dir`.

        Raises:
            ValueError: the folder is not empty, or cannot be created.
        """
        parent = user_path(config.output_dir, "output_dir") / config.name
        while True:
            name = f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{secrets.token_hex(3)}"
            folder = cls(parent / name if path is None else path)
            folder._check_unused(path)
            folder._created = [place for place in (folder.path, *folder.path.parents) if not place.exists()]
            try:
                folder.path.mkdir(parents=True, exist_ok=bool(path))
                with folder.lock("run_dir"):
                    folder._check_unused(path)  # another process may have created a run since the first check
                    folder.write_config(config)
                    folder.repair()
            except FileExistsError:
                if path:
                    raise ValueError(f"run_dir={path}: must be a folder, not a file.") from None
                continue  # another run has just used the name
            except OSError as error:
                folder.remove()
                key = f"run_dir={path}" if path else f"output_dir={config.output_dir}"
                raise ValueError(f"{key}: cannot create a run folder ({error}).") from error
            return folder

    def _check_unused(self, path: str | Path | None) -> None:
        """Check that a folder named by the user is new, or contains nothing but leftovers of a killed process."""
        if path and self.config_path.exists():
            raise ValueError(f"run_dir={path}: must be a new folder. To fix: continue the run in it with resume={path}")
        if path and self.path.is_dir() and any(not _is_left_by_creation(found) for found in self.path.iterdir()):
            raise ValueError(f"run_dir={path}: must be an empty or a new folder.")

    @property
    def has_started(self) -> bool:
        """Whether the training has begun. Before, the folder holds nothing of use."""
        return self.spec_path.exists() or self.record_path.exists()

    @property
    def is_job(self) -> bool:
        """Whether the run is a job of a sweep."""
        return (self.path.parent / SWEEP_FILE).is_file()

    def lock(self, key: str) -> AbstractContextManager[None]:
        """Let no other process write to the folder during the block.

        Args:
            key: the name of the option that names the folder, for the message.

        Raises:
            ValueError: another process writes to it.
        """
        return only_process(self.path, f"{key}={self.path}")

    def repair(self) -> None:
        """Delete the unfinished files of a process that was killed, and make missing folders. Requires the lock."""
        self.checkpoint_dir.mkdir(exist_ok=True)
        for folder, children, names in os.walk(self.path):
            children[:] = [child for child in children if not RunFolder(Path(folder, child)).config_path.exists()]
            for path in filter(is_unfinished, (Path(folder, name) for name in names)):
                path.unlink()

    @classmethod
    def await_first_process(cls, path: str | Path, seconds: float = 60) -> "RunFolder":
        """Wait for the folder that the first of several processes creates, and return it.

        Raises:
            ValueError: the folder does not exist after `seconds`.
        """
        folder = cls(path)
        deadline = time.monotonic() + seconds
        while not folder.config_path.exists():
            if time.monotonic() > deadline:
                raise ValueError(
                    f"run_dir={path}: the first process has not created it after {seconds:.0f} s. To fix: read what"
                    " that process has printed. All processes must see the same file system."
                )
            time.sleep(0.1)
        return folder

    @classmethod
    def open(cls, path: str | Path, key: str = "run") -> "RunFolder":
        """Return the folder of an existing run.

        Args:
            path: the folder.
            key: the name of the option that names the folder, for the message.

        Raises:
            ValueError: there is no run at `path`.
        """
        folder = cls(path, key)
        if (folder.path / SWEEP_FILE).is_file():
            fix = "continue it with -m" if key == "resume" else "name the folder of a job, such as"
            raise ValueError(
                f"{key}={path}: must be a run folder, and this is the folder of a sweep. To fix: {fix} {key}={path}"
                f"{'' if key == 'resume' else '/0'}"
            )
        if not folder.config_path.is_file():
            raise ValueError(
                f"{key}={path}: must be a run folder, which contains a config.yaml.{_newest_hint(folder.path)}"
            )
        return folder

    def config(self, trust: bool = False) -> RunConfig:
        """Return the config of the run.

        Args:
            trust: whether the config may name any class or function, see `check_targets`.

        Raises:
            ValueError: a key or a value is wrong, or the config names something to call that is not known.
        """
        config = read_saved(self.config_path)
        use_project()
        if not trust:
            check_targets(config, self.path)
        try:
            return RunConfig.parse(config)
        except ValueError as error:
            hint = elsewhere(config) if "must be installed" in str(error) else ""  # a module of another project
            raise ValueError(f"{error}{hint}") from error

    def check_links(self) -> None:
        """Check that no file that a resumed run writes to is a link to another place.

        Raises:
            ValueError: there is such a link.
        """
        inside = self.path.resolve()
        written = [self.path / name for name in ("csv", "mlflow", "wandb", "profile.txt")]
        written += [self.log_path, self.history_path, self.checkpoint_dir, *self.checkpoint_dir.glob("*")]
        for path in written:
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                raise ValueError(
                    f"{path}: must be a file of the run folder, not a link to {path.resolve()}."
                    " To fix: if you trust the author of the run folder, set trust=true."
                )

    def write_config(self, config: RunConfig) -> None:
        """Write the config of the run."""
        write_text(self.config_path, to_yaml(config.to_plain()))

    def spec(self) -> DataSpec:
        """Return the spec of the run's data.

        Raises:
            ValueError: the run ended before it wrote the spec, or the file is damaged.
        """
        if not self.spec_path.is_file():
            raise ValueError(f"{self.path}: must be a run that has trained, and this one ended before its first step.")
        values = read_json(self.spec_path, _MAX_BYTES, _FIX)
        try:
            return DataSpec.from_dict(values)
        except ValueError as error:
            raise cannot_read(self.spec_path, str(error), _FIX) from error

    def write_spec(self, spec: DataSpec) -> None:
        """Write the spec of the run's data."""
        write_json(self.spec_path, spec.to_dict())

    def metrics(self) -> dict[str, Any]:
        """Return the content of metrics.json; empty before the run has ended.

        Raises:
            ValueError: the file is damaged.
        """
        metrics = read_json(self.metrics_path, _MAX_BYTES, _FIX) if self.metrics_path.is_file() else {}
        if not isinstance(metrics, dict) or any(isinstance(value, dict | list) for value in metrics.values()):
            raise cannot_read(self.metrics_path, "it is not a flat mapping of metrics", _FIX)
        return metrics

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write metrics.json."""
        write_json(self.metrics_path, metrics)

    def history(self) -> list[dict[str, str]]:
        """Return the complete rows of metrics.csv; empty before the training."""
        if not self.history_path.is_file():
            return []
        with self.history_path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return [row for row in rows if all(value is not None for value in row.values())]

    def checkpoint_path(self, name: str) -> Path:
        """Return the path of the checkpoint "best" or "last", which need not exist."""
        return self.checkpoint_dir / f"{name}.ckpt"

    def existing_checkpoint(self, name: str = "best") -> Path:
        """Return the path of an existing checkpoint.

        Raises:
            ValueError: the checkpoint does not exist.
        """
        path = self.checkpoint_path(name)
        if not path.is_file():
            folds = sorted(self.path.glob("fold_*"))
            if folds:
                raise ValueError(f"run={self.path}: must be one of its folds, such as {folds[0]}")
            known = sorted(found.stem for found in self.checkpoint_dir.glob("*.ckpt"))
            if not known:
                raise ValueError(f"run={self.path}: must have a checkpoint, and no epoch of this run has ended.")
            raise unknown("checkpoint", name, known, f"checkpoint of {self.checkpoint_dir}")
        return path

    def copy_last_to_best(self) -> None:
        """Copy last.ckpt to best.ckpt atomically."""
        last, best = self.checkpoint_path("last"), self.checkpoint_path("best")
        with atomic_write(best) as file, last.open("rb") as source:
            shutil.copyfileobj(source, file)

    def remove(self) -> None:
        """Delete the files of a run that has not trained, and the folders that `create` has made. Other files stay."""
        files = [self.config_path, self.log_path, self.metrics_path, *(self.path / name for name in LOCK_FILES)]
        for path in files:
            with contextlib.suppress(OSError):  # Windows does not delete files that are open, such as the lock
                path.unlink()
        with contextlib.suppress(OSError):  # a folder is not empty, because it contains files that are not of this run
            for folder in filter(Path.exists, (self.checkpoint_dir, *self._created)):
                folder.rmdir()


def _is_left_by_creation(path: Path) -> bool:
    """Return whether a file is one that stays if a process is killed while it creates a run folder."""
    return path.name in LOCK_FILES or is_unfinished(path)


def _newest_hint(path: Path) -> str:
    """Return a line that names the newest run near `path` or in outputs/; empty if there are no runs."""
    near = next((p for p in path.parents if p.is_dir()), Path())
    outputs = Path("outputs")
    runs = [*near.glob("*/config.yaml"), *outputs.glob("*/*/config.yaml"), *outputs.glob("sweeps/*/*/config.yaml")]
    if not runs:
        return ""
    newest = max(runs, key=lambda run: run.stat().st_mtime)
    return f"\nThe newest run is {newest.parent}"
