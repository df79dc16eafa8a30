"""The last phases of a run: train, test the best checkpoint, and report."""

import math
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch

from firstlight.data.images.contact_sheet import contact_sheet, write_image
from firstlight.files import write_text
from firstlight.log import logger
from firstlight.networks.network import num_parameters
from firstlight.runs.findings import write
from firstlight.runs.report import write_report
from firstlight.runs.report.environment import About, describe, git_commit
from firstlight.runs.summary import closing_text
from firstlight.training.assemble import Parts
from firstlight.training.loggers.build import ending
from firstlight.training.loggers.event_log import FOLDER as EVENTS
from firstlight.training.module import TrainingModule
from firstlight.training.options.computation import compiled, explained_determinism
from firstlight.training.range_test.run import NAME as LR_FIND
from firstlight.training.range_test.run import run_range_test, suggested
from firstlight.training.recovery.loss_guard import Diverged
from firstlight.training.recovery.saved_state import SavedState
from firstlight.training.recovery.stop_signals import StopSignals
from firstlight.training.session import Session, prepare

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def fit(parts: Parts, started: float, signals: StopSignals) -> None:
    """Train in this process, and write the results to the run folder.

    Args:
        parts: see `assemble`.
        started: `time.perf_counter()` at the start of the run.
        signals: the signals that end the training at its next step.

    Raises:
        ValueError: the parts do not fit together. Raised before the first step.
    """
    session = prepare(parts, started, signals)
    with (
        explained_determinism() if parts.config.deterministic else nullcontext(),
        ending(session.recorder.loggers if session.trainer.is_global_zero else ()) as outcome,
    ):
        outcome["status"] = _train_test_report(session)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _train_test_report(session: Session) -> str:
    """Train, test and report; return the status of the run."""
    started_training = time.perf_counter()
    status = _train(session)
    seconds = time.perf_counter() - started_training
    tested = test_best(session) if session.checkpoints.best else {}
    if session.trainer.is_global_zero:
        report(session, status, seconds, tested)
    return status


def _train(session: Session) -> str:
    """Train to the end, from the last checkpoint if the run is resumed; return "completed", "pruned" or "diverged"."""
    parts, trainer, trainee = session.parts, session.trainer, session.trainee
    tested = run_range_test(parts.folder, trainee, trainer) if parts.config.lr_find and not parts.is_resumed else None
    if tested is not None:  # before the records, which hold the config
        session.recorder.config = tested.config
    if trainer.is_global_zero:
        begin_records(session)
    if tested is not None and tested.image is not None:
        session.recorder.add_image(LR_FIND, tested.image)
    if trainee.evaluates_untrained and not parts.is_resumed:
        show_untrained(session)
    last = parts.folder.checkpoint_path("last") if parts.is_resumed else None
    trainee.seed_data(trainer)
    try:
        with compiled(trainee.task) if parts.config.compile and trainee.task else nullcontext():
            trainer.fit(trainee.module, datamodule=trainee.data, ckpt_path=last, weights_only=True)
        if not session.checkpoints.best:  # the run ended before its first validation
            trainee.evaluate(trainer, "val")
            session.checkpoints.save(trainer, trainee.learner, trainer.current_epoch)
    except Diverged as error:
        logger.warning(f"{error} To fix: try a smaller optimizer.lr")
        return "diverged"
    finally:
        session.signals.is_deferring = False
    return "pruned" if session.pruning and session.pruning.has_pruned else "completed"


def show_untrained(session: Session) -> None:
    """Print the metrics of the module before its first step."""
    found = session.trainee.evaluate(session.trainer, "val")
    values = "  ".join(f"{name} {value:.4f}" for name, value in found.items())
    logger.info(f"before the first step  {values}")


def begin_records(session: Session) -> None:
    """Let the files of a resumed run end where its last checkpoint is."""
    parts = session.parts
    saved = SavedState()
    if parts.is_resumed:
        saved = SavedState.of(parts.folder)
        saved.complete_best(parts.folder)
    parts.folder.calibration_path.unlink(missing_ok=True)  # it is that of other weights
    trainee = session.trainee
    parameters = num_parameters(trainee.module if trainee.task is None else trainee.task.network)
    commit = git_commit()
    _write_environment(session, commit)
    session.recorder.begin(trainee.metric_names, parameters, saved.epochs, saved.steps, commit)


def _write_environment(session: Session, commit: str | None) -> None:
    """Write where the run is trained, and in which directions its metrics improve."""
    trainer, trainee = session.trainer, session.trainee
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    About(describe(name, trainer.world_size, commit), trainee.directions).write(session.parts.folder.path)


def test_best(session: Session) -> dict[str, float]:
    """Return the metrics of the best checkpoint on the test split."""
    session.trainer.strategy.barrier()  # the first rank may still be writing the best checkpoint
    session.trainee.load_weights("best")
    return session.trainee.evaluate(session.trainer, "test")


def report(session: Session, status: str, fit_seconds: float, tested: dict[str, float]) -> None:
    """Write the metrics and the example output, and print the summary."""
    trainee, recorder, checkpoints, folder = (
        session.trainee,
        session.recorder,
        session.checkpoints,
        session.parts.folder,
    )
    config = session.parts.config
    if checkpoints.best:
        _write_examples(session)
    figures = _write_figures(session) if config.figures else {}
    if checkpoints.best and session.figures:
        session.figures.finish(folder)
    trainee.finish()
    costs = trainee.costs(recorder.samples_per_second)
    metrics: dict[str, Any] = checkpoints.best | tested | (suggested(folder) if config.lr_find else {})
    metrics |= config.annotations | {
        "status": status,
        "monitor": config.monitor,
        "monitor_mode": trainee.mode,
        "seconds/total": time.perf_counter() - session.started,
        "seconds/fit": fit_seconds,
        "seconds/to_first_step": recorder.seconds_to_first_step,
        "samples_per_second": recorder.samples_per_second,
        **costs,
    }
    recorder.finish(metrics)
    metrics_on_disk = {name: _json_number(value) for name, value in metrics.items()}
    if config.figures:
        write_report(folder.path, metrics_on_disk, figures)
    folder.write_metrics(metrics_on_disk)  # last, because it says that the run has ended
    result = trainee.task.result_line() if trainee.task else None
    has_curves = (folder.path / EVENTS).is_dir()
    in_python = config.has_live_network
    text = closing_text(folder, metrics, trainee.predictor, result, has_curves=has_curves, in_python=in_python)
    if config.computation:
        text += f"\ncomputed    {config.computation}"
    logger.info(text)


def _write_examples(session: Session) -> None:
    """Write the example output of the task, if it has one, to the run folder and to TensorBoard."""
    folder, output = session.parts.folder, session.trainee.examples()
    if isinstance(output, str):
        write_text(folder.path / "samples.txt", output)
        session.recorder.add_text("samples", output)
    elif output is not None:
        sheet = contact_sheet(output)
        write_image(folder.path / "samples.png", sheet)
        session.recorder.add_image("samples", sheet)


def _write_figures(session: Session) -> "dict[str, Figure]":
    """Write the curves of the training, and what the best checkpoint has found in the test split, as figures."""
    folder, trainee = session.parts.folder, session.trainee
    trainee.draw(session.recorder)
    figures = write.write_curves(folder, session.checkpoints.best.get("epoch"))
    if isinstance(trainee.module, TrainingModule) and trainee.module.outcomes is not None:
        outcomes = trainee.module.outcomes
        figures |= write.write_findings(folder.path, trainee.module.task, outcomes, trainee.test_samples)
    return figures


def _json_number(value: Any) -> Any:
    """Replace NaN and Inf by None, because JSON does not have them."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
