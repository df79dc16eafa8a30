"""Checks the accuracies that the README states, on real data with the default settings."""

import csv
from pathlib import Path
from statistics import mean

import pytest

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.runs.predict import predict
from firstlight.tasks.build import build_source
from firstlight.training.run import train
from helpers.runs import history

pytestmark = pytest.mark.real


@pytest.mark.slow
@pytest.mark.parametrize(("model", "accuracy"), [("lenet", 0.988), ("mlp", 0.980), ("linear", 0.92)])
def test_accuracy_on_mnist(model: str, accuracy: float, real_data: Path, tmp_path: Path) -> None:
    metrics = train(compose("data=mnist", f"data.dir={real_data}", f"model={model}"), run_dir=tmp_path / "run")
    assert metrics["test/accuracy"] >= accuracy


@pytest.mark.parametrize(
    ("words", "epochs", "accuracy"),
    [(("data=mnist", "model=lenet"), 3, 0.98), (("experiment=asl",), 25, 0.92)],
)
def test_accuracy_after_a_part_of_the_epochs(
    words: tuple[str, ...], epochs: int, accuracy: float, real_data: Path, tmp_path: Path
) -> None:
    config = compose(*words, f"data.dir={real_data}", f"trainer.max_epochs={epochs}")
    assert train(config, run_dir=tmp_path / "run")["test/accuracy"] >= accuracy


@pytest.mark.slow
def test_accuracy_on_digits_with_five_seeds(real_data: Path, tmp_path: Path) -> None:
    overrides = [f"data.dir={real_data}"]
    runs = [train(compose(*overrides, f"seed={seed}"), run_dir=tmp_path / str(seed)) for seed in range(1, 6)]
    assert runs[0]["test/accuracy"] >= 0.975
    assert mean(run["test/accuracy"] for run in runs) >= 0.98


@pytest.mark.parametrize(
    ("overrides", "samples", "shape", "labels"),
    [
        (["data=mnist"], (60_000, 10_000), (1, 28, 28), "0 9"),
        (["data=cifar10"], (50_000, 10_000), (3, 32, 32), "airplane truck"),
        (["data=asl"], (5_155, 1_080), (1, 28, 28), "A Y"),
        (["data=dogs"], (175, 75), (3, 64, 64), "american bulldog yorkshire terrier"),
        (["data=dogs", "data.target=all_breeds"], (259, 111), (3, 64, 64), "Abyssinian yorkshire terrier"),
        (["data=dogs", "data.target=species"], (259, 111), (3, 64, 64), "cat dog"),
        (["data=folder", "doggy-door"], (800, 200), (3, 64, 64), "dog not_dog"),
    ],
)
def test_official_files_have_the_known_sizes_and_labels(
    overrides: list[str], samples: tuple[int, int], shape: tuple[int, ...], labels: str, real_data: Path
) -> None:
    data, *more = overrides
    folder = real_data / more.pop() if more == ["doggy-door"] else real_data
    store = build_source(RunConfig.from_overrides(data, *more, f"data.dir={folder}")).store()
    assert tuple(len(store.splits[name]) for name in ("train", "test")) == samples
    assert store.spec.input_shape == shape
    assert f"{store.spec.labels[0]} {store.spec.labels[-1]}" == labels


@pytest.mark.slow  # four minutes
def test_accuracy_on_asl_with_augmentation(real_data: Path, tmp_path: Path) -> None:
    metrics = train(compose("experiment=asl", f"data.dir={real_data}"), run_dir=tmp_path / "run")
    assert metrics["test/accuracy"] >= 0.95


@pytest.mark.slow  # three minutes
def test_regularisation_closes_the_gap_between_training_and_validation(real_data: Path, tmp_path: Path) -> None:
    """Both runs lie in one folder, which one TensorBoard shows."""
    last = {}
    for name in ("overfit", "regularised"):
        train(compose(f"experiment={name}", f"data.dir={real_data}"), run_dir=tmp_path / name)
        last[name] = {key: float(value) for key, value in history(tmp_path / name)[-1].items()}
        assert list((tmp_path / name / "tensorboard" / "gap").glob("events.out.tfevents.*"))
    assert last["overfit"]["gap/accuracy"] > 0.15
    assert last["regularised"]["gap/accuracy"] < 0.03
    assert last["regularised"]["val/accuracy"] > last["overfit"]["val/accuracy"]


def test_accuracy_of_the_doggy_door(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "doggy-door"
    metrics = train(compose("experiment=doggy_door", f"data.dir={folder}"), run_dir=tmp_path / "run")
    assert metrics["test/accuracy"] >= 0.98


@pytest.mark.figures
def test_spam_is_recognized(real_data: Path, tmp_path: Path) -> None:
    folder, run = real_data / "spam", tmp_path / "run"
    metrics = train(compose("experiment=spam", f"data.dir={folder}"), run_dir=run)
    assert metrics["test/accuracy"] >= 0.985
    with (run / "per_class.csv").open(newline="") as file:
        spam = next(row for row in csv.DictReader(file) if row["class"] == "spam")
    assert float(spam["f1"]) >= 0.975
    mail = "Dear friend, you are a winner! Click here to claim free money and lower mortgage rates, no obligation."
    (row,) = predict(run, mail, tmp_path / "predictions.csv")
    assert (row["label"], row["probability"] > 0.5) == ("spam", True)


@pytest.mark.slow
def test_accuracy_on_breeds_with_five_seeds(real_data: Path, tmp_path: Path) -> None:
    overrides = ("experiment=dog_breeds", "data.target=all_breeds", f"data.dir={real_data}")
    runs = [train(compose(*overrides, f"seed={seed}"), run_dir=tmp_path / str(seed)) for seed in range(1, 6)]
    assert mean(run["test/accuracy"] for run in runs) >= 0.86
