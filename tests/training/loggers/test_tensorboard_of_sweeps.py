from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, get_experiment, list_session_groups
from tensorboard.plugins.hparams.backend_context import Context

from firstlight.training.loggers import TensorBoard
from firstlight.training.loggers.run_logger import RunDetails


def write_job(path: Path, options: dict[str, Any], loss: float) -> None:
    board = TensorBoard()
    board.attach(RunDetails(path, "x/0", "x"))
    board.begin(0, 0)
    board.log_hyperparams(options)
    board.log_metrics({"val/loss": 2 * loss}, 1)
    board.log_metrics({"val/loss": loss}, 2)
    board.log_results({"test/loss": loss + 1}, 2, 2)
    board.end("completed")


def test_tensorboard_shows_all_jobs_of_a_sweep_with_hyperparameters_and_metrics(tmp_path: Path) -> None:
    write_job(tmp_path / "0", {"model": "linear", "optimizer.lr": 0.1, "seed": 1}, 0.5)
    write_job(tmp_path / "1", {"model": "mlp", "optimizer.lr": 0.01, "seed": 1, "model.dropout": 0.2}, 0.25)
    runs = EventMultiplexer()
    runs.AddRunsFromDirectory(str(tmp_path))
    runs.Reload()
    provider = MultiplexerDataProvider(runs, str(tmp_path))
    context = Context(TBContext(data_provider=provider, logdir=str(tmp_path)))
    experiment = get_experiment.Handler(RequestContext(), context, "", api_pb2.GetExperimentRequest()).run()
    differs = {info.name: info.differs for info in experiment.hparam_infos}
    assert differs["optimizer.lr"]
    assert differs["model"]
    assert not differs["seed"]
    assert "model.dropout" in differs  # an option of the second network alone
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0, slice_size=10, allowed_statuses=[api_pb2.STATUS_SUCCESS], include_metrics=True
    )
    groups = list_session_groups.Handler(RequestContext(), context, "", request).run().session_groups
    assert [group.name for group in groups] == ["0/tensorboard", "1/tensorboard"]
    assert [group.hparams["model"].string_value for group in groups] == ["linear", "mlp"]
    assert [group.hparams["test/loss"].number_value for group in groups] == [1.5, 1.25]
    values = [
        {(value.name.group, value.name.tag): value.value for value in group.metric_values}[("val", "loss")]
        for group in groups
    ]
    assert values == [0.5, 0.25]
