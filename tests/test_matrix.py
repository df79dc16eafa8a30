"""Every data set trains with every network that accepts its kind of samples; `configs` has one YAML file for each."""

import contextlib
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError

from firstlight.config import CONFIG_DIR, RunConfig
from firstlight.config.compose import compose
from firstlight.config.instantiate import bind
from firstlight.data import BatchLoader, Split
from firstlight.spec import DataSpec
from firstlight.tasks.build import build_source, build_task
from firstlight.training.environment import silence_lightning
from firstlight.training.module import TrainingModule
from firstlight.training.run import train
from firstlight.training.trainer import build_trainer
from helpers.generate import write_all
from helpers.runs import forbid_network

KINDS = ("images", "numbers", "tokens")
NAMED = ("dataset", "huggingface")  # they need a name or a class of the user's own; tests/data has their tests
FOLDER = tempfile.TemporaryDirectory()  # the tests are collected before pytest makes folders
write_all(Path(FOLDER.name))


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


def kinds_of_network(model: str) -> tuple[str, ...]:
    accepts = getattr(get_class(node_of("model", model)["_target_"]), "accepts", KINDS)
    return (accepts,) if isinstance(accepts, str) else accepts


def kinds_of_data(data: str) -> tuple[str, ...]:
    node = node_of("data", data) | {"dir": FOLDER.name}
    try:
        return (bind("data", node)().store().spec.kind,)
    except ValueError:  # its tests fail and print the reason
        return KINDS


with pytest.MonkeyPatch.context() as patch:
    forbid_network(patch)
    NAMES = sorted(path.stem for path in (CONFIG_DIR / "data").glob("[!_]*.yaml"))
    DATA = {name: kinds_of_data(name) for name in NAMES if name not in NAMED}
MODELS = {path.stem: kinds_of_network(path.stem) for path in sorted((CONFIG_DIR / "model").glob("[!_]*.yaml"))}
CLASSIFY_TEXTS = ("bag_of_words", "text_cnn")
CONTINUED = ("text", "cats_and_dogs")  # texts without classes
DEEP = re.compile("alexnet|efficientnet|googlenet|inception|mobilenet|resnet|vgg")
FOR_DEEP = ("digits", "mnist", "dogs")  # small and grey, larger and grey, large and in colour: the others are like them
PAIRS = [
    (data, model)
    for data in DATA
    for model in MODELS
    if set(DATA[data]) & set(MODELS[model])
    and not (data in CONTINUED and model in CLASSIFY_TEXTS)
    and not (DEEP.match(model) and DATA[data] == ("images",) and data not in FOR_DEEP)
]
# For each kind of samples, a data set of this kind with a network that does not accept it.
UNFIT = {
    kinds: (data, model, f"model: must accept {kinds[0]}, and .* does not")
    for data, kinds in DATA.items()
    for model in MODELS
    if not set(kinds) & set(MODELS[model])
}


def overrides(data: str, model: str) -> tuple[str, ...]:
    return (f"data={data}", f"model={model}", f"data.dir={FOLDER.name}", "trainer.accelerator=cpu")


@cache
def splits_of(data: str) -> tuple[DataSpec, dict[str, Split]]:
    store, splits = build_source(RunConfig.from_overrides(f"data={data}", f"data.dir={FOLDER.name}")).splits(1)
    return store.spec, splits


def test_every_kind_of_samples_has_data_sets_and_networks() -> None:
    assert {kind for kinds in DATA.values() for kind in kinds} == set(KINDS)
    assert {kind for kinds in MODELS.values() for kind in kinds} == set(KINDS)


def slow_if_repeated(data: str, model: str) -> Any:
    """Return a pair as a parameter; the quick tests train a deep network with one data set only."""
    is_repeated = DEEP.match(model) and data != "digits"
    return pytest.param(data, model, marks=pytest.mark.slow) if is_repeated else (data, model)


@pytest.mark.parametrize(("data", "model"), [slow_if_repeated(*pair) for pair in PAIRS])
def test_a_data_set_trains_with_a_network_that_accepts_its_kind(data: str, model: str) -> None:
    config = RunConfig.from_overrides(*overrides(data, model)).with_trainer(fast_dev_run=True)
    spec, splits = splits_of(data)
    silence_lightning()
    task = build_task(config, spec)
    trainer, module = build_trainer(config, task), TrainingModule(task, config)
    loaders = {name: BatchLoader(split, 4, seed=1 if name == "train" else None) for name, split in splits.items()}
    module.train_loader = loaders["train"]
    trainer.fit(module, loaders["train"], loaders["val"])
    trainer.test(module, loaders["test"], verbose=False)
    assert module.metrics.keys() >= {
        f"{split}/{name}" for split in ("train", "val", "test") for name in task.metric_names
    }


@pytest.mark.parametrize(
    ("data", "model", "message"),
    [
        *UNFIT.values(),
        ("text task=classification", "lstm", "task=classification: must be language"),
        ("text task=language", "bag_of_words", "task=language: must be classification, which trains BagOfWords"),
        ("digits task=regression", "mlp", "task=regression: must be classification"),
        ("digits task=reconstruction", "mlp", "model=autoencoder; MLP does not"),
        ("digits task=classification", "gan", "task=classification: must be adversarial"),
    ],
)
def test_parts_that_do_not_fit_together_raise_an_error_and_leave_no_folder(
    data: str, model: str, message: str, tmp_path: Path
) -> None:
    data, *more = data.split()
    with pytest.raises(ValueError, match=message) as raised:
        train(compose(*overrides(data, model), *more), run_dir=tmp_path / "run")
    assert len(str(raised.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()
