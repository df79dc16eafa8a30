import asyncio
import json
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import firstlight as fl
from firstlight.commands.train import main
from firstlight.config import CONFIG_DIR
from helpers.runs import TINY, same_weights

ONE_EPOCH = ("data=digits", "model=linear", "trainer.accelerator=cpu", "trainer.max_epochs=1")


def net() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))


def without_times(metrics: dict[str, Any]) -> dict[str, Any]:
    timed = ("seconds/", "samples_per_second", "gflops_per_second")
    return {name: value for name, value in metrics.items() if not name.startswith(timed)}


def test_the_numbers_are_those_of_the_command_line_to_the_last_digit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["train", *TINY, f"run_dir={tmp_path / 'command'}", "seed=5"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    run = fl.train(model="linear", epochs=2, seed=5, run_dir=tmp_path / "python", trainer={"accelerator": "cpu"})
    assert without_times(run.metrics) == without_times(json.loads((tmp_path / "command" / "metrics.json").read_text()))
    assert same_weights(run.path, tmp_path / "command")


def test_a_config_may_be_changed_before_the_training(tmp_path: Path) -> None:
    config = fl.compose(*ONE_EPOCH)
    config.optimizer.lr = 1e-2
    changed = fl.train(config, run_dir=tmp_path / "config")
    assert without_times(changed.metrics) == without_times(
        fl.train(*ONE_EPOCH, "optimizer.lr=1e-2", run_dir=tmp_path / "words").metrics
    )
    with pytest.raises(ValueError, match=r"^config: must be the only argument\. To fix: give the other words to"):
        fl.train(config, epochs=2)


def test_a_module_is_trained_in_place_and_its_run_predicts_evaluates_and_loads_with_it(tmp_path: Path) -> None:
    module = net()
    before = module[1].weight.detach().clone()  # type: ignore[index]
    run = fl.train(*ONE_EPOCH[:1], *ONE_EPOCH[2:], model=module, run_dir=tmp_path / "run")
    assert not torch.equal(module[1].weight, before)  # type: ignore[index]
    assert all(torch.equal(value, module.state_dict()[name]) for name, value in run.network.state_dict().items())
    assert run.config.name == "digits-Sequential"
    assert run.config.model["name"] == "torch.nn.modules.container.Sequential"
    assert "Linear(in_features=64" in run.config.model["description"]
    assert run.evaluate()["test/loss"] == run.metrics["test/loss"]
    image = np.full((8, 8), 200, np.uint8)
    loaded = fl.load_run(run.path, model=net())
    assert loaded.predict(image) == run.predict(image)
    with pytest.raises(ValueError, match=r"^model: must be given as an object, because .* class torch\.nn.*load_run"):
        fl.load_run(run.path).predict(image)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Linear(8, 10), r"^model: Linear must return a tensor of shape 2x10 for .*2x1x8x8, .*not 2x1x8x10\.$"),
        (nn.Conv2d(3, 8, 3), r"^model: Conv2d must take a batch of shape 2x1x8x8 \(RuntimeError: "),
        (nn.Linear, r"^model: must be the name of a network, or a torch\.nn\.Module, .* To fix: build it"),
        (nn.Flatten(), r"^model: Flatten must return a tensor of shape 2x10"),
        (7, r"^model: must be the name of a network, or a torch\.nn\.Module, not 7\.$"),
        ("lenett", r"^model=lenett: unknown model, did you mean 'lenet'\?$"),
    ],
)
def test_a_module_that_does_not_fit_is_refused_before_the_training(model: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        fl.train("data=digits", model=model, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_module_is_refused_on_several_devices_and_with_the_config_of_another_network() -> None:
    with pytest.raises(ValueError, match=r"^trainer\.devices: must be 1 with a module as model, .* To fix: "):
        fl.train("data=digits", "trainer.devices=2", "trainer.accelerator=cpu", model=net())
    with pytest.raises(ValueError, match=r"^model: must be left out, because the config names another network\.$"):
        fl.train(fl.compose("data=digits"), model=net())


@pytest.mark.parametrize("form", ["pair", "data set", "splits"])
def test_arrays_and_data_sets_are_trained_evaluated_and_resumed_like_any_data(form: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (80, 9, 7, 3), dtype=np.uint8)
    classes = np.array(["left", "right"])[images[:, :, :3].mean((1, 2, 3)).argsort().argsort() % 2]
    data: Any = images, classes
    if form == "data set":
        data = TensorDataset(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255, torch.arange(80) % 2)
    if form == "splits":
        data = {"train": (images[:50], classes[:50]), "test": (images[50:], classes[50:])}
    run = fl.train(
        "data.batch_size=16",
        "trainer.accelerator=cpu",
        f"data.dir={tmp_path}",
        data=data,
        model="linear",
        epochs=1,
        run_dir=tmp_path / "run",
    )
    assert run.spec.input_shape == (3, 9, 7)
    assert run.spec.labels == (("0", "1") if form == "data set" else ("left", "right"))
    assert run.config.name == "arrays-linear"
    assert run.evaluate("val")["val/loss"] == run.metrics["val/loss"]
    assert fl.resume(run, epochs=2).metrics["epoch"] in (1, 2)
    for store in (tmp_path / ".firstlight").iterdir():
        for path in [*store.iterdir()]:
            path.unlink()
        store.rmdir()
    with pytest.raises(ValueError, match=r"^data\.checksum=\w+: must be arrays in .* To fix: give the same arrays"):
        fl.resume(run, epochs=3)
    with pytest.raises(ValueError, match=r"^data: must be the samples of the run"):
        fl.resume(run, epochs=3, data=(images[:40], classes[:40]))
    assert len(fl.resume(run, epochs=3, data=data).history) == 3


def test_numbers_in_memory_select_a_network_for_tables_and_a_task_for_their_targets(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(60, 4))
    run = fl.train(
        f"data.dir={tmp_path}", *ONE_EPOCH[2:], data=(table, table @ [1.0, 2, 3, 4]), run_dir=tmp_path / "run"
    )
    assert (run.config.name, run.task.task_name) == ("arrays-mlp", "regression")
    assert [row["row"] for row in run.predict(table[:3])] == [1, 2, 3]
    assert list(run.predict(table[0])[0]) == ["row", "target", "warning"]
    with pytest.raises(ValueError, match=r"^input: must be finite numbers \(rows, 4\), the inputs of the network"):
        run.predict(table[:, :3])


class Interrupted(nn.Module):
    """Sends Ctrl-C to its own process in the step with this number."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.inner, self.step, self.steps = net(), step, 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.steps += self.training
        if self.training and self.steps == self.step:
            signal.raise_signal(signal.SIGINT)
        outputs: Tensor = self.inner(inputs)
        return outputs


def test_ctrl_c_raises_keyboard_interrupt_and_the_run_resumes_bit_for_bit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, handler = ("data=digits", "trainer.accelerator=cpu"), signal.getsignal(signal.SIGINT)
    whole = fl.train(*words, model=Interrupted(0), epochs=2, run_dir=tmp_path / "whole")
    module = Interrupted(50)
    with pytest.raises(KeyboardInterrupt) as stopped:
        fl.train(*words, model=module, epochs=2, run_dir=tmp_path / "stopped")
    assert len(stopped.traceback) == 2  # this test, and the front door
    assert signal.getsignal(signal.SIGINT) is handler
    stopped_run = fl.load_run(tmp_path / "stopped")
    assert "interrupted" in repr(stopped_run)
    assert fl.resume(stopped_run, model=module).metrics["test/loss"] == whole.metrics["test/loss"]
    assert same_weights(tmp_path / "stopped", whole.path, "last")


def test_a_program_that_uses_hydra_lightning_and_logging_itself_finds_them_as_they_were(tmp_path: Path) -> None:
    import lightning.pytorch

    def state() -> Any:
        names = ("firstlight", "py.warnings", "lightning.pytorch", "lightning.pytorch.callbacks.model_summary")
        logs = [(log.level, log.propagate, list(log.handlers)) for log in map(logging.getLogger, names)]
        return (
            logs,
            list(warnings.filters),
            signal.getsignal(signal.SIGTERM),
            dict(os.environ),
            torch.get_rng_state()[:64].tolist(),
        )

    assert lightning.pytorch.__name__
    fl.train(*ONE_EPOCH, run_dir=tmp_path / "first")
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.2"):
        before = state()
        fl.train(*ONE_EPOCH, run_dir=tmp_path / "second")
        assert state() == before
        assert hydra_compose("evaluate", ["run=x"]).split == "test"  # the program's own Hydra is still there


def test_a_run_is_trained_in_a_thread_and_in_an_event_loop(tmp_path: Path) -> None:
    found: list[fl.Run] = []

    def train(name: str) -> None:
        found.append(fl.train(*ONE_EPOCH, run_dir=tmp_path / name))

    async def cell() -> None:
        train("loop")

    thread = threading.Thread(target=train, args=["thread"])
    thread.start()
    thread.join()
    asyncio.run(cell())
    assert without_times(found[0].metrics) == without_times(found[1].metrics)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fl.train("modle=lenet"), "modle: unknown key, did you mean 'model'?"),
        (lambda: fl.train(lr=0.1), "lr: unknown key, did you mean 'optimizer.lr'?"),
        (lambda: fl.compose("data=digts"), "data=digts: unknown data, did you mean 'digits'?"),
        (lambda: fl.train("optimizer.lr=fast"), "optimizer.lr=fast: must be a number (AdamW)."),
        (lambda: fl.train("data=mnist", "augment.flip.p=2"), None),
        (lambda: fl.preview("model=lenett"), "model=lenett: unknown model, did you mean 'lenet'?"),
        (lambda: fl.load_pretrained("lenett"), "model=lenett: unknown model, did you mean 'lenet'?"),
        (lambda: fl.sweep("model=lenett,lienar"), None),  # the mistakes of both jobs
    ],
)  # fmt: skip
def test_a_mistake_has_the_message_of_the_command_line_and_a_short_traceback(
    call: Callable[[], Any], message: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r": (unknown|must)") as error:
        call()
    assert message is None or str(error.value) == message
    assert len(error.traceback) == 3  # this test, the lambda, and the front door
    assert error.value.__suppress_context__


def test_an_error_of_the_users_network_keeps_its_traceback(tmp_path: Path) -> None:
    class Broken(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            if self.training:
                raise ValueError("my own mistake")
            return super().forward(input.flatten(1))

    with pytest.raises(ValueError, match=r"^my own mistake$") as error:
        fl.train("data=digits", "trainer.accelerator=cpu", model=Broken(64, 10), run_dir=tmp_path / "run")
    assert error.traceback[-1].path == Path(__file__)
