"""run.json: where a run was trained, and in which direction each of its metrics improves."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from firstlight.files import cannot_read, read_json, write_json

_MAX_BYTES = 2**20
_FIX = "delete this file; then the pages leave out what it says."
_PACKAGES = ("firstlight", "torch", "lightning", "numpy")


@dataclass(frozen=True)
class About:
    """The content of run.json; empty for runs of earlier versions.

    Attributes:
        environment: versions, git commit, machine and device of the latest start, as texts.
        directions: "min" or "max" by the name of the metric, without its split; None where it is unknown.
    """

    environment: dict[str, str] = field(default_factory=dict)
    directions: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "About":
        """Return the content of run.json in a run folder.

        Raises:
            ValueError: the file is damaged.
        """
        path = folder / "run.json"
        if not path.is_file():
            return cls()
        values = read_json(path, _MAX_BYTES, _FIX)
        values = values if isinstance(values, dict) else {}
        environment, directions = values.get("environment"), values.get("directions")
        if not isinstance(environment, dict) or not isinstance(directions, dict):
            raise cannot_read(path, "it has no environment and directions", _FIX)
        known = {name: mode if mode in ("min", "max") else None for name, mode in directions.items()}
        return cls({key: str(value) for key, value in environment.items()}, known)

    def write(self, folder: Path) -> None:
        """Write run.json to a run folder."""
        write_json(folder / "run.json", vars(self))


def describe(device: str, processes: int, commit: str | None) -> dict[str, str]:
    """Return the environment of this process.

    Args:
        device: the device that trains, such as "cpu" or "NVIDIA H100".
        processes: the number of processes that train together.
        commit: the commit of the code, see `git_commit`.
    """
    found: Mapping[str, Any] = {
        "started": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        "device": device if processes == 1 else f"{processes} x {device}",
        "machine": f"{platform.node()}, {os.cpu_count()} cores",
        "system": platform.platform(),
        "git commit": commit or "none",
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
    }
    return {key: str(value) for key, value in found.items()}


def _version(package: str) -> str:
    if package in sys.modules and hasattr(sys.modules[package], "__version__"):
        return str(sys.modules[package].__version__)
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def git_commit() -> str | None:
    """Return the commit of the working directory, with "-dirty" if tracked files have changed; None without git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=Path.cwd(),
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()
