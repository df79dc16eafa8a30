"""Every data set and every network trains; `configs` has one YAML file for each."""

import contextlib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError

from firstlight.config import CONFIG_DIR, RunConfig
from firstlight.config.compose import compose
from firstlight.data import Split
from firstlight.spec import DataSpec
from firstlight.tasks.build import build_source, build_task
from firstlight.training.environment import silence_lightning
from firstlight.training.module import TrainingModule
from firstlight.training.run import train
from firstlight.training.trainees.task_trainee import build_loaders
from firstlight.training.trainer import build_trainer
from helpers.generate import write_all

NAMED = ("dataset", "huggingface")  # they need a name or a class of the user's own; tests/data has their tests
PLACES = ("scattered_digits", "mask_folder", "detection_folder", "multilabel")  # they have tests of their own
DATA = sorted({path.stem for path in (CONFIG_DIR / "data").glob("[!_]*.yaml")} - {*NAMED, *PLACES})
SMALL = {"images": "lenet", "numbers": "mlp", "tokens": "rnn"}  # a network for all data sets of a kind
DATA_OF = {"images": "digits", "numbers": "iris", "tokens": "text"}  # a data set for all networks of a kind


def node_of(group: str, name: str) -> dict[str, Any]:
    """Return the content of a YAML file, resolved.

    A file is composed, which is slow, only if it is a variant of another file or refers to other groups.
    """
    node = OmegaConf.load(CONFIG_DIR / group / f"{name}.yaml")
    assert isinstance(node, DictConfig)
    node.pop("defaults", None)
    with contextlib.suppress(InterpolationKeyError):
        plain: Any = OmegaConf.to_container(node, resolve=True)
        if "_target_" in plain:
            return plain
    composed: Any = OmegaConf.to_container(compose(f"{group}={name}")[group])
    return composed


def data_of_network(model: str) -> list[str]:
    """Return a data set of each kind that the network accepts."""
    network: Any = get_class(node_of("model", model)["_target_"])
    accepts = getattr(network, "accepts", tuple(DATA_OF))
    if getattr(network, "task", None) == "classification" and "tokens" in accepts:
        return ["text_classes"]
    return [DATA_OF[kind] for kind in ((accepts,) if isinstance(accepts, str) else accepts)]


def network_of_data(spec: DataSpec) -> str:
    """Return a small network that accepts the samples."""
    return "bag_of_words" if spec.kind == "tokens" and spec.targets != "tokens" else SMALL[spec.kind]


OF_PLACES = (
    "fcn",
    "segnet",
    "unet",
    "fasterrcnn",
    "fcos",
    "retinanet",
)  # tests/tasks trains the networks for masks and boxes
NETWORKS = sorted({path.stem for path in (CONFIG_DIR / "model").glob("[!_]*.yaml")} - {*OF_PLACES})
MODELS = {name: data_of_network(name) for name in NETWORKS}
SIBLINGS = {"resnet34", "resnet50", "vgg13", "vgg16", "vgg19"}  # deeper networks of the classes of resnet18 and vgg11
LARGE_IMAGES = [pytest.param("dogs", model, marks=pytest.mark.slow) for model in ("resnet18", "googlenet", "mobilenet")]


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all data sets that have files."""
    path = tmp_path_factory.mktemp("all")
    write_all(path)
    return path


def overrides(data: str, model: str, folder: Path) -> tuple[str, ...]:
    return (f"data={data}", f"model={model}", f"data.dir={folder}", "trainer.accelerator=cpu")


@cache
def splits_of(data: str, folder: Path) -> tuple[DataSpec, dict[str, Split]]:
    store, splits = build_source(RunConfig.from_overrides(f"data={data}", f"data.dir={folder}")).splits(1)
    return store.spec, splits


def test_every_kind_of_samples_has_networks() -> None:
    assert {data for names in MODELS.values() for data in names} == {*DATA_OF.values(), "text_classes"}


def slow_if_sibling(data: str, model: str) -> Any:
    return pytest.param(data, model, marks=pytest.mark.slow) if model in SIBLINGS else (data, model)


@pytest.mark.parametrize(
    ("data", "model"),
    [
        *((data, None) for data in DATA),
        *(slow_if_sibling(data, model) for model in MODELS for data in MODELS[model]),
        *LARGE_IMAGES,
    ],
)
def test_every_data_set_and_every_network_trains(data: str, model: str | None, folder: Path) -> None:
    """Each data set trains a small network of its kind, and each network a data set of each kind that it accepts."""
    spec, splits = splits_of(data, folder)
    model = model or network_of_data(spec)
    config = RunConfig.from_overrides(*overrides(data, model, folder)).with_trainer(fast_dev_run=True)
    silence_lightning()
    task = build_task(config, spec)
    trainer, module = build_trainer(config, task), TrainingModule(task, config)
    loaders = build_loaders(config, 4, splits, trainer, task)
    module.train_loader = loaders["train"]
    trainer.fit(module, loaders["train"], loaders["val"])
    trainer.test(module, loaders["test"], verbose=False)
    assert module.metrics.keys() >= {
        f"{split}/{name}" for split in ("train", "val", "test") for name in task.metric_names
    }


@pytest.mark.parametrize(
    ("data", "model", "message"),
    [
        ("digits", "transformer", "model: must accept images, and .* does not"),
        ("iris", "lenet", "model: must accept numbers, and .* does not"),
        ("text_classes", "vgg11", "model: must accept tokens, and .* does not"),
        ("text task=classification", "lstm", "task=classification: must be language"),
        ("text task=language", "bag_of_words", "task=language: must be classification, which trains BagOfWords"),
        ("digits task=regression", "mlp", "task=regression: must be classification"),
        ("cartpole task=classification", "mlp", "task=classification: must be policy_gradient or dqn"),
        ("digits task=dqn", "mlp", "task=dqn: must be classification"),
        ("digits task=reconstruction", "mlp", "model=autoencoder; MLP does not"),
        ("digits task=classification", "gan", "task=classification: must be adversarial"),
        ("digits task=classification", "unet", "task=classification: must be segmentation, which trains UNet"),
        ("digits", "segnet", "task=segmentation: must be classification, because the targets"),
        ("scattered_digits data.num_train=9 data.num_test=9", "lenet", "task=classification: must be segmentation"),
        (
            "scattered_digits data.num_train=9 data.num_test=9 task=segmentation",
            "lenet",
            "model=unet, .* LeNet does not",
        ),
    ],
)
def test_parts_that_do_not_fit_together_raise_an_error_and_leave_no_folder(
    data: str, model: str, message: str, folder: Path, tmp_path: Path
) -> None:
    data, *more = data.split()
    with pytest.raises(ValueError, match=message) as raised:
        train(compose(*overrides(data, model, folder), *more), run_dir=tmp_path / "run")
    assert len(str(raised.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()
