"""Train and resume from Python: functions that return a `Run`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from firstlight.config import RunConfig
from firstlight.config import compose as compose_words
from firstlight.runs.run_folder import RunFolder
from firstlight.training import launch
from firstlight.training import run as engine
from firstlight.training.front_door.mistakes import short_mistakes
from firstlight.training.front_door.run import Run
from firstlight.training.front_door.words import compose

if TYPE_CHECKING:
    from torch import nn

    from firstlight.training.front_door.pretrained import PretrainedNetwork

Config = RunConfig | DictConfig | dict[str, Any]


@short_mistakes
def train(
    *overrides: str | Config,
    data: Any = None,
    model: "str | nn.Module | None" = None,
    epochs: int | None = None,
    run_dir: str | Path | None = None,
    started: float | None = None,
    **settings: Any,
) -> Run:
    """Train a network, test its best checkpoint, and write everything into a run folder.

    A module is trained in place: it starts with its own weights, and has those of the best epoch in the end. No other
    process can build it, so it is trained on one device.

    Args:
        overrides: the words of the command line, or one config, see `compose`.
        data: see `compose`.
        model: see `compose`. With the config of a module, that module.
        epochs: see `compose`.
        run_dir: the run folder; None for the config's `run_dir`, or a new folder under its `output_dir`.
        started: `time.perf_counter()` at the start of the run, if that was before this call.
        settings: see `compose`.

    Raises:
        ValueError: the config is wrong, or its parts do not fit together. The message is that of the command line.
        KeyboardInterrupt: the user has stopped the run, which `resume` continues.
    """
    configs = [word for word in overrides if not isinstance(word, str)]
    module = None if model is None or isinstance(model, str) else model
    if not configs:
        config: Any = compose(*overrides, data=data, model=model, epochs=epochs, **settings)  # type: ignore[arg-type]
    elif len(overrides) == 1 and data is None and epochs is None and not settings and not isinstance(model, str):
        config = configs[0]
    else:
        raise ValueError("config: must be the only argument. To fix: give the other words to firstlight.compose.")
    with _module_given(module, config), _restored_randomness():
        metrics = engine.train(config, run_dir=run_dir, started=started)
    return Run(metrics["run_dir"], model=module, trust=True)


@short_mistakes
def resume(
    run: Run | str | Path,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    data_dir: str | Path | None = None,
    data_file: str | Path | None = None,
    data: Any = None,
    model: "nn.Module | None" = None,
    trust: bool = False,
    started: float | None = None,
) -> Run:
    """Continue a run that was stopped, or prolong one that has completed, in its folder and with its config.

    Args:
        run: the run, or its folder.
        epochs: new limit on the epochs; None keeps the old one.
        steps: new limit on the optimizer steps; None keeps the old one.
        data_dir: the folder of the data, if it has moved.
        data_file: the table or text, if it has moved.
        data: the samples that `train` got, if their store was deleted.
        model: a module of the class that `train` got; None for that of `run`.
        trust: whether the run's config may name any class or function, see `load_run`.
        started: see `train`.

    Raises:
        ValueError: the run does not exist, is being trained by another process, has diverged, or has completed and is
            not given a higher limit; or the data is not that of the run.
        KeyboardInterrupt: see `train`.
    """
    path, module = (run.path, model or run.model) if isinstance(run, Run) else (run, model)
    if data is not None:
        _keep_again(RunFolder.open(path, "resume").config(trust), data)
    with _module_given(module, None), _restored_randomness():
        engine.resume(path, data_dir, started, trust=trust, max_epochs=epochs, max_steps=steps, data_file=data_file)
    return Run(path, model=module, trust=trust)


@short_mistakes
def preview(
    *overrides: str | Config, data: Any = None, output: str | Path = "preview.png", samples: int = 8, versions: int = 7
) -> None:
    """Show how a data set was understood, and its samples before and after augmentation; see preview.py.

    Args:
        overrides: the words of the command line, or one config, see `compose`.
        data: see `compose`.
        output: path of the image file; its suffix selects the format.
        samples: number of samples.
        versions: number of augmented versions of each image.

    Raises:
        ValueError: the config is wrong, or the image cannot be written.
    """
    from firstlight.runs.preview import preview as show  # imports torch

    config = compose(*overrides, data=data) if not overrides or isinstance(overrides[0], str) else overrides[0]  # type: ignore[arg-type]
    show(config if isinstance(config, RunConfig) else RunConfig.parse(config), str(output), samples, versions)


@short_mistakes
def load_pretrained(
    model: str, *overrides: str, group: str | None = None, accelerator: str = "auto"
) -> "PretrainedNetwork":
    """Return a network with published weights, which predicts without any training.

    Args:
        model: the name of the network, such as "efficientnet_lite0".
        overrides: options of the network, such as "model.weights=IMAGENET1K_V1".
        group: "dog_cat" to predict dog, cat or neither too, from the classes of ImageNet.
        accelerator: "auto", "cpu" or "gpu": where the network computes.

    Raises:
        ValueError: the network is unknown. The weights are loaded later, when the network is needed.
    """
    from firstlight.config.checking.config import check_model
    from firstlight.config.compose import to_plain
    from firstlight.training.front_door.pretrained import PretrainedNetwork

    node = to_plain(compose_words(f"model={model}", *overrides, "input=_", config_name="predict"))["model"]
    check_model(node)
    return PretrainedNetwork(node, group=group, accelerator=accelerator)


@contextmanager
def _module_given(module: "nn.Module | None", config: Config | None) -> Iterator[None]:
    """Let the config of the run stand for a module, within the block."""
    if module is None:
        yield
        return
    from firstlight.networks.live import given_network

    if config is not None:
        parsed = config if isinstance(config, RunConfig) else RunConfig.parse(config)
        if not parsed.has_live_network:
            raise ValueError("model: must be left out, because the config names another network.")
        if launch.num_processes(parsed):
            raise ValueError(
                "trainer.devices: must be 1 with a module as model, which other processes cannot build."
                " To fix: set trainer.devices=1, or write its class into a file and name it in the config."
            )
    with given_network(module):
        yield


@contextmanager
def _restored_randomness() -> Iterator[None]:
    """Leave torch's global generators as they were: a program that has seeded them goes on with its own draws."""
    torch = sys.modules.get("torch")  # a program that has not imported torch has no draws to go on with
    if torch is None:
        yield
        return
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices):
        yield


def _keep_again(config: RunConfig, data: Any) -> None:
    from firstlight.data import ArraySource

    source = ArraySource.keep(data, config.data["dir"])
    if source.checksum != config.data.get("checksum"):
        raise ValueError("data: must be the samples of the run, and these have other values, shapes or types.")
