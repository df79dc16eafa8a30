"""What an evaluation decides on the validation split, and checks on another: a temperature, and a threshold."""

from firstlight.checks import choose
from firstlight.log import aligned
from firstlight.runs.command_line import command, relative_path
from firstlight.runs.findings.classified import Classified
from firstlight.runs.findings.temperature import fit_temperature, is_at_limit, loss_and_error, write_temperature
from firstlight.runs.findings.threshold import CRITERIA, best_threshold, decision
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks import Classification, Task
from firstlight.tasks.outcomes import Outcomes


def check_decisions(task: Task, calibrate: bool, threshold: str | None) -> None:
    """Check that the task decides between classes, and between two if there is to be a threshold.

    Raises:
        ValueError: it does not, or `threshold` is unknown.
    """
    if calibrate and not isinstance(task, Classification):
        raise ValueError(f"calibrate=true: must be false with task={task.task_name}, which predicts no classes.")
    if threshold is not None:
        choose("threshold", threshold, CRITERIA, "criterion")
        if not isinstance(task, Classification) or task.spec.num_outputs != 2:
            classes = f"{task.spec.num_outputs} classes" if isinstance(task, Classification) else "no classes"
            raise ValueError(f"threshold={threshold}: must be null, because the run has {classes}, not 2.")


def calibrate_task(
    folder: RunFolder, checkpoint: str, task: Classification, validation: Outcomes, name: str, outcomes: Outcomes
) -> dict[str, float]:
    """Fit a temperature on the validation split, print loss and ECE before and after, and write it if it helps.

    Args:
        folder: the run folder.
        checkpoint: "best" or "last".
        task: gets the temperature if it is written.
        validation: the samples that the temperature is fitted on.
        name: the split of `outcomes`.
        outcomes: the samples that show whether it helps.
    """
    temperature = fit_temperature(validation.outputs, validation.targets)
    splits = {"val": validation, name: outcomes}
    numbers: dict[str, float] = {}
    table = [["", "", "loss", "ece"]]
    for split, found in splits.items():
        for word, divisor in (("before", 1.0), ("after", temperature)):
            loss, error = loss_and_error(found.outputs, found.targets, divisor)
            numbers |= {f"{split}/loss_{word}": loss, f"{split}/ece_{word}": error}
            table.append([split, word, f"{loss:.6f}", f"{error:.6f}"])
    print(f"\ntemperature {temperature:.4f}, with the lowest loss on the validation split\n{aligned(table)}")
    is_worse = numbers[f"{name}/loss_after"] > numbers[f"{name}/loss_before"]
    if is_worse or is_at_limit(temperature):
        why = f"the loss on {name} is higher than before" if is_worse else "the lowest loss is beyond the temperatures"
        print(
            f"it is not used, because {why}: {len(validation):,} validation samples may be too few."
            " To fix: hold out more with data.val_fraction="
        )
    else:
        write_temperature(folder, checkpoint, temperature, numbers)
        task.temperature = temperature
        print(f"predictions and exports of this checkpoint use it from now on: {folder.calibration_path}")
    calibrated = {f"{name}/calibrated_{key}": numbers[f"{name}/{key}_after"] for key in ("loss", "ece")}
    return {"temperature": temperature, **calibrated}


def choose_threshold(
    folder: RunFolder, task: Classification, validation: Outcomes, name: str, outcomes: Outcomes, criterion: str
) -> dict[str, float]:
    """Choose a threshold for the second class on the validation split, and print what it does on another.

    The probabilities are those of predictions: calibrated, if the run is.
    """
    chosen, found = (Classified.of(each, task.spec, task.temperature) for each in (validation, outcomes))
    threshold = best_threshold(chosen.probabilities[:, 1].numpy(), chosen.targets.numpy() == 1, criterion)
    samples = found.probabilities[:, 1].numpy(), found.targets.numpy() == 1
    usual, own = decision(*samples, 0.5), decision(*samples, threshold)
    decisions = {0.5: usual, threshold: own}  # one row, if the best threshold is 0.5
    rows = [[f"{at:.4f}", *(f"{value:.4f}" for value in row.values())] for at, row in decisions.items()]
    label = task.spec.labels[1]
    print(f"\nthreshold for {label}, with the best {criterion} on the validation split; results on {name}")
    print(aligned([["threshold", *own], *rows]))
    if threshold != 0.5:
        run = relative_path(folder.path)
        print(f"predict with it: {command('predict')} run={run} input=... predict.threshold={threshold:.4g}")
    return {"threshold": threshold, **{f"{name}/threshold_{key}": value for key, value in own.items()}}
