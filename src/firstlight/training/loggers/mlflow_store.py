"""MLflow: a run on a tracking server, or in a store in the run folder."""

import os
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from lightning.pytorch.loggers import MLFlowLogger
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image

from firstlight.training.loggers.run_logger import RunDetails, RunLogger
from firstlight.training.loggers.sent import Sent

_STATUS = {"completed": "FINISHED", "pruned": "FINISHED", "interrupted": "KILLED"}  # all others: FAILED
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # a run sends nothing to third parties
    "MLFLOW_ALLOW_FILE_STORE": "true",  # a database in each run folder would take seconds to create
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # by default a run waits some minutes for a server
}


class MLflow(RunLogger, MLFlowLogger):
    """Logs to MLflow. The experiment is named as the data and the model, the run as its folder.

    Args:
        tracking_uri: the tracking server or the store; None for MLFLOW_TRACKING_URI, or for the folder mlflow/ in the
            run folder if that is not set.
        experiment: the name of the experiment; None for "<data>-<model>".
    """

    def __init__(self, *, tracking_uri: str | None = None, experiment: str | None = None) -> None:
        self._uri = tracking_uri
        self._given_name = experiment
        self._initialized = False

    def attach(self, run: RunDetails) -> None:
        super().attach(run)
        self._is_local = not (self._uri or os.environ.get("MLFLOW_TRACKING_URI"))

    def begin(self, epochs: int, steps: int) -> None:
        """Connect to the server, and start the run or continue it.

        Raises:
            ValueError: the server cannot be reached, or refuses the run.
        """
        super().begin(epochs, steps)
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from mlflow.exceptions import MlflowException

        uri = self._uri or os.environ.get("MLFLOW_TRACKING_URI") or (self.run.path / "mlflow").as_uri()
        self._sent = Sent(self.run.path, "mlflow")
        MLFlowLogger.__init__(self, tracking_uri=uri, tags=self._tags(), run_id=self._sent.id, run_name=self.run.name)
        try:
            self._start()
        except MlflowException as error:
            reason = " ".join(str(error).split())[:300]
            raise ValueError(
                f"logger.mlflow.tracking_uri={uri}: must be a store that takes the run ({reason})."
            ) from error

    def _tags(self) -> dict[str, str]:
        tags = dict.fromkeys(self.run.tags, "true")
        tags |= {"mlflow.note.content": self.run.notes} if self.run.notes else {}
        return tags | ({"sweep": self.run.group} if self.run.group else {})

    def _start(self) -> None:
        client = self._mlflow_client
        if self._sent.id is None:
            name = self._given_name or self.run.project
            found = client.get_experiment_by_name(name)
            self._experiment_id = found.experiment_id if found else client.create_experiment(name)
        self._sent.id = self.run_id  # makes the run, or reads the existing one
        self._sent.save()
        if self._is_local:
            self._check_place(client.get_run(self._sent.id).info.artifact_uri)
        client.update_run(self._sent.id, status="RUNNING")

    def _check_place(self, uri: str) -> None:
        """Check that the run's files lie in the run folder, which may have been moved or come from another person."""
        place = Path(url2pathname(urlsplit(uri).path))
        if not place.resolve().is_relative_to(self.run.path.resolve()):
            raise ValueError(
                f"{place}: must lie in the run folder. To fix: delete the folder mlflow and loggers.json there."
            )

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Log the hyperparameters that are not known yet: MLflow refuses another value, such as a new max_epochs."""
        known = self._mlflow_client.get_run(self.run_id).data.params
        given = params if isinstance(params, dict) else vars(params)
        MLFlowLogger.log_hyperparams(self, {name: value for name, value in given.items() if name not in known})

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        new = self._sent.unsent(metrics, step)
        if new:
            MLFlowLogger.log_metrics(self, {name: float(value) for name, value in new.items()}, step)

    def add_text(self, name: str, text: str, step: int = 0) -> None:
        self._mlflow_client.log_text(self.run_id, text, f"{name}.txt")

    def add_image(self, name: str, image: Image.Image, step: int = 0) -> None:
        """Log an image; an artifact of that name is replaced, so that the latest one remains."""
        self._mlflow_client.log_image(self.run_id, image, f"{name}.png")

    @rank_zero_only
    def save(self) -> None:
        if self._initialized:
            self._sent.save()

    def end(self, status: str) -> None:
        self.save()
        if self._initialized:
            self._mlflow_client.set_terminated(self.run_id, _STATUS.get(status, "FAILED"))
