import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
from tensorboard.plugins.hparams import plugin_data_pb2

from helpers.records import events as all_events
from helpers.runs import history


@pytest.fixture
def events(trained_run: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(trained_run / "tensorboard"))
    accumulator.Reload()
    return accumulator


def test_metrics_json_is_flat_and_complete(trained_run: Path) -> None:
    metrics = json.loads((trained_run / "metrics.json").read_text())
    names = ("loss", "accuracy", "precision", "recall", "f1")
    assert metrics.keys() > {f"{split}/{name}" for split in ("train", "val", "test") for name in names}
    assert metrics.keys() > {"seconds/total", "seconds/fit", "seconds/to_first_step", "samples_per_second"}
    assert metrics["status"] == "completed"
    assert metrics["parameters"] == 650
    assert metrics["flops_per_sample"] == 2 * 640
    assert 0.5 < metrics["test/accuracy"] <= 1


def test_tensorboard_draws_training_and_validation_in_one_chart(trained_run: Path) -> None:
    """TensorBoard draws a chart for each tag, with a line for each folder: as its own reader finds them."""
    reader = EventMultiplexer().AddRunsFromDirectory(str(trained_run))
    reader.Reload()
    found = {Path(run).name: set(content["scalars"]) for run, content in reader.Runs().items()}
    names = {"loss", "accuracy", "precision", "recall", "f1", "top5"}
    assert found == {"tensorboard": {"lr"}, "train": names | {"loss_of_step"}, "val": names}


def test_tensorboard_has_each_metric_of_an_epoch_once(trained_run: Path) -> None:
    rows, found = history(trained_run), all_events(trained_run)
    for name in set(rows[0]) - {"epoch", "step"}:
        assert found[name] == [(int(row["step"]), pytest.approx(float(row[name]))) for row in rows]


def test_tensorboard_has_the_loss_of_every_fiftieth_step(trained_run: Path) -> None:
    assert [step for step, _ in all_events(trained_run)["train/loss_of_step"]] == [50]


def test_tensorboard_has_the_final_metrics_beside_the_hyperparameters(
    events: EventAccumulator, trained_run: Path
) -> None:
    metadata = events.SummaryMetadata("_hparams_/session_start_info")
    data = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
    metrics = json.loads((trained_run / "metrics.json").read_text())
    columns = data.session_start_info.hparams
    assert columns["optimizer.lr"].number_value == pytest.approx(2e-3)
    assert columns["test/accuracy"].number_value == pytest.approx(metrics["test/accuracy"])
    assert columns["best/val/loss"].number_value == pytest.approx(metrics["val/loss"])
    (text,) = events.Tensors("results/text_summary")
    assert f"| test/accuracy | {metrics['test/accuracy']:.6g} |" in text.tensor_proto.string_val[0].decode()


def test_tensorboard_has_the_config_as_text(events: EventAccumulator) -> None:
    (text,) = events.Tensors("config/text_summary")
    assert b"optimizer:" in text.tensor_proto.string_val[0]


def test_the_line_of_an_epoch_has_both_splits(trained_run: Path) -> None:
    (line,) = (line for line in (trained_run / "train.log").read_text().splitlines() if "epoch 2/2" in line)
    row = history(trained_run)[-1]
    shown = [f"{split}/{name}" for name in ("loss", "accuracy") for split in ("train", "val")]
    assert "  ".join(f"{name} {float(row[name]):.4f}" for name in shown) in line
