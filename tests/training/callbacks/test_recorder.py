import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from helpers.runs import history


@pytest.fixture
def events(trained_run: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(trained_run))
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


def test_tensorboard_has_each_metric_by_step_and_by_epoch(events: EventAccumulator, trained_run: Path) -> None:
    rows = history(trained_run)
    for name in ("train/loss", "val/accuracy", "lr"):
        by_step, by_epoch = events.Scalars(name), events.Scalars(f"by_epoch/{name}")
        assert [event.step for event in by_step] == [41, 82]
        assert [event.step for event in by_epoch] == [1, 2]
        assert [event.value for event in by_epoch] == pytest.approx([float(row[name]) for row in rows])


def test_tensorboard_has_the_loss_of_every_fiftieth_step(events: EventAccumulator) -> None:
    assert [event.step for event in events.Scalars("train/loss_of_step")] == [50]


def test_tensorboard_has_the_hyperparameters_with_the_final_metrics(
    events: EventAccumulator, trained_run: Path
) -> None:
    metadata = events.SummaryMetadata("_hparams_/session_start_info")
    data = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
    assert data.session_start_info.hparams["optimizer.lr"].number_value == pytest.approx(2e-3)
    metrics = json.loads((trained_run / "metrics.json").read_text())
    assert events.Scalars("test/accuracy")[-1].value == pytest.approx(metrics["test/accuracy"])


def test_tensorboard_has_the_config_as_text(events: EventAccumulator) -> None:
    (text,) = events.Tensors("config/text_summary")
    assert b"optimizer:" in text.tensor_proto.string_val[0]
