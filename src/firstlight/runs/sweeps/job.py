"""One job of a sweep, and how it ended."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

State = Literal["completed", "pruned", "diverged", "failed", "killed", "timeout", "out_of_memory", "interrupted"]
"""How a job has ended; "completed", "pruned" and "diverged" have a result."""


@dataclass(frozen=True)
class Job:
    """A training run of a sweep, complete enough to be run by another process or another machine.

    Attributes:
        number: the number of the job, from 0; its run folder has this name.
        overrides: the words of its config.
        config: the composed config as plain values.
        run_dir: its run folder.
        log_path: the file that takes what the job prints.
        resumes: whether the run folder holds a stopped run, which the job continues.
        environment: further environment variables of its process.
        stacked: further jobs that the same process trains at once, see `training.stacked`.
    """

    number: int
    overrides: tuple[str, ...]
    config: dict[str, Any]
    run_dir: Path
    log_path: Path
    resumes: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    stacked: "tuple[Job, ...]" = ()


@dataclass(frozen=True)
class Ending:
    """How a job ended.

    Attributes:
        number: the number of the job.
        state: "completed", or why it has no result.
        cause: for the user; the first line says what happened, others how the log ends. Empty if it has completed.
        metrics: the content of metrics.json with "run_dir"; empty if the job wrote none.
        seconds: the time from its start to its end.
    """

    number: int
    state: State
    cause: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
