"""Weights & Biases: a run on its server, or in the run folder until `wandb sync` uploads it."""

import html
import os
import secrets
from collections.abc import Mapping
from typing import Any

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image

from firstlight.log import logger
from firstlight.training.loggers.run_logger import RunLogger, results
from firstlight.training.loggers.sent import Sent

_SECONDS_TO_CONNECT = 5
_SETTINGS = {
    "quiet": True,  # the numbers that it would print are in the log of the run
    "login_timeout": 60,  # for the question for an API key, on a terminal
    "init_timeout": 30,
    "finish_timeout": 120,  # what is not uploaded by then stays in the run folder
}


class WandB(RunLogger, WandbLogger):
    """Logs to Weights & Biases. Without a network or an API key, the run is logged offline, below wandb/ in its folder.

    The variables of Weights & Biases, such as WANDB_MODE, WANDB_ENTITY and WANDB_API_KEY, keep their meaning.

    Args:
        project: the project; None for WANDB_PROJECT, or "firstlight" if that is not set.
        offline: whether to upload nothing now, in any case.
    """

    def __init__(self, *, project: str | None = None, offline: bool = False) -> None:
        project = project or os.environ.get("WANDB_PROJECT", "firstlight")
        WandbLogger.__init__(self, project=project, offline=offline)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The run of Weights & Biases."""
        assert self._experiment is not None, "the run has not begun, or has ended"
        return self._experiment

    def begin(self, epochs: int, steps: int) -> None:
        super().begin(epochs, steps)
        self._sent = Sent(self.run.path, "wandb")
        self._sent.id = self._sent.id or os.environ.get("WANDB_RUN_ID") or secrets.token_hex(4)
        self._sent.save()
        self._experiment = self._start()
        self._experiment.define_metric("trainer/global_step")
        self._experiment.define_metric("*", step_metric="trainer/global_step", step_sync=True)

    def _start(self) -> Any:
        """Start the run; offline if its server cannot be used."""
        import wandb

        mode: Any = "offline" if self._offline else os.environ.get("WANDB_MODE", "online")
        if mode == "online" and not _is_reachable(wandb.Settings().base_url):
            logger.warning("logger=wandb: the server cannot be reached, so the run is logged offline.")
            mode = "offline"
        options: dict[str, Any] = {
            "project": self._project,
            "name": self.run.name,
            "group": self.run.group,
            "tags": list(self.run.tags) or None,
            "notes": self.run.notes or None,
            "id": self._sent.id,
            "dir": str(self.run.path),
            "reinit": "create_new",
            "settings": wandb.Settings(**_SETTINGS),
        }
        if mode == "online":
            try:
                return wandb.init(**options, mode=mode, resume="allow")
            except wandb.Error as error:
                logger.warning(f"logger=wandb: the run is logged offline ({' '.join(str(error).split())}).")
                mode = "offline"
        return wandb.init(**options, mode=mode)  # `resume` would only cause a warning

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        new = self._sent.unsent(metrics, step)
        if new:
            self._log(new | ({} if step is None else {"trainer/global_step": step}), step or 0)

    def _log(self, values: dict[str, Any], step: int = 0) -> None:
        """Log values in a row after all others, because Weights & Biases would drop them in an earlier row."""
        row = max(step, self._sent.rows, self.experiment.step)
        self.experiment.log(values, step=row, commit=True)
        self._sent.rows = row + 1

    def log_results(self, metrics: dict[str, float], step: int, epoch: int) -> None:
        super().log_results(metrics, step, epoch)
        self.experiment.summary.update(results(metrics))

    def add_text(self, name: str, text: str, step: int = 0) -> None:
        import wandb

        self._log_media(name, wandb.Html(f"<pre>{html.escape(text)}</pre>", inject=False), step)

    def add_image(self, name: str, image: Image.Image, step: int = 0) -> None:
        import wandb

        self._log_media(name, wandb.Image(image), step)

    def _log_media(self, name: str, media: Any, step: int) -> None:
        if not step:
            self._log({name: media})
        elif self._sent.unsent({name: media}, step):
            self._log({name: media, "trainer/global_step": step}, step)

    @rank_zero_only
    def save(self) -> None:
        self._sent.save()

    def end(self, status: str) -> None:
        if self._experiment is None:
            return
        self.save()
        if status == "interrupted":
            self._experiment.mark_preempting()  # with an exit code, the run is then shown as preempted
        self._experiment.finish(exit_code=0 if status in ("completed", "pruned") else 1)
        self._experiment = None


def _is_reachable(url: str) -> bool:
    import requests

    try:
        requests.head(url, timeout=_SECONDS_TO_CONNECT)
    except requests.RequestException:
        return False
    return True
