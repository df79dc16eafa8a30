"""Any data set with any network for its kind, with no word but the two names."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from firstlight.config import RunConfig
from firstlight.config.compose import CONFIG_DIR, compose
from firstlight.data import BatchLoader, Split
from firstlight.spec import DataSpec
from firstlight.tasks.build import build_source, build_task, build_trainer
from firstlight.training.environment import silence_lightning
from firstlight.training.run import train
from helpers.generate import write_all

KINDS = {"text": "tokens", "table": "numbers", "diabetes": "numbers", "wine": "numbers", "iris": "numbers"}
KINDS |= {"line": "numbers"}
NETWORKS = {
    "numbers": ["linear", "mlp"],
    "tokens": ["gru", "lstm", "rnn", "transformer"],
}
DATA = sorted(path.stem for path in (CONFIG_DIR / "data").glob("[!_]*.yaml"))
MODELS = sorted(path.stem for path in (CONFIG_DIR / "model").glob("[!_]*.yaml"))
NETWORKS["images"] = [name for name in MODELS if name != "transformer"]
PAIRS = [(data, model) for data in DATA for model in NETWORKS[KINDS.get(data, "images")]]


@pytest.fixture(scope="session")
def all_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("all")
    write_all(folder)
    return folder


def words(data: str, model: str, all_data: Path) -> tuple[str, ...]:
    return (f"data={data}", f"model={model}", f"data.dir={all_data}", "trainer.accelerator=cpu")


@cache
def splits(data: str, all_data: Path) -> tuple[DataSpec, dict[str, Split]]:
    store, found = build_source(RunConfig.from_overrides(f"data={data}", f"data.dir={all_data}")).splits(1)
    return store.spec, found


@pytest.mark.parametrize(("data", "model"), PAIRS)
def test_a_data_set_and_a_network_train_validate_and_test(data: str, model: str, all_data: Path) -> None:
    config: dict[str, Any] = RunConfig.from_overrides(*words(data, model, all_data))
    spec, found = splits(data, all_data)
    silence_lightning()
    task = build_task(config, spec)
    trainer = build_trainer(config.with_trainer(fast_dev_run=True))
    loaders = {name: BatchLoader(split, 4, seed=1 if name == "train" else None) for name, split in found.items()}
    trainer.fit(task, loaders["train"], loaders["val"])
    trainer.test(task, loaders["test"], verbose=False)
    for split in ("train", "val", "test"):
        assert set(task.metric_names) <= {name.split("/")[1] for name in task.metrics if name.startswith(split)}


@pytest.mark.parametrize(
    ("data", "model", "sentence"),
    [
        ("text", "vgg16", "VGG is not for tokens; gru, lstm, rnn, transformer would fit the data"),
        ("text", "gan", "GAN is not for tokens"),
        ("table", "resnet18", "ResNet is not for numbers; linear, mlp would fit the data"),
        ("digits", "transformer", "Transformer is not for images"),
        ("text task=classification", "lstm", "the data has tokens: task=language fits"),
        ("digits task=regression", "mlp", "the data has classes: task=classification fits"),
        ("digits task=reconstruction", "mlp", "MLP does not reconstruct images; model=autoencoder does"),
        ("digits task=classification", "gan", "GAN is a network for task=adversarial"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would_fit(
    data: str, model: str, sentence: str, all_data: Path, tmp_path: Path
) -> None:
    data, *more = data.split()
    with pytest.raises(ValueError, match=sentence) as refused:
        train(compose(*words(data, model, all_data), *more), run_dir=tmp_path / "run")
    assert len(str(refused.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()
