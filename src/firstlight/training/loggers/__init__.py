"""Where the records of a run go: TensorBoard, CSV files, Weights & Biases, MLflow, and any logger of Lightning."""

from firstlight.training.loggers.csv_files import CSV
from firstlight.training.loggers.mlflow_store import MLflow
from firstlight.training.loggers.run_logger import RunDetails, RunLogger
from firstlight.training.loggers.tensorboard import TensorBoard
from firstlight.training.loggers.weights_and_biases import WandB

__all__ = ["CSV", "MLflow", "RunDetails", "RunLogger", "TensorBoard", "WandB"]
