from pathlib import Path

import pytest
from hydra.errors import HydraException

from firstlight.config.compose import compose
from firstlight.config.errors import explain
from firstlight.config.project import use_project

FILES = {
    "mine.py": """
        from lightning.pytorch import LightningModule
        from torch import nn

        class Conv(nn.Module):
            def __init__(self, spec, *, channels=8, dropout=0.1): ...

        class Lit(LightningModule):
            def __init__(self, optimizer=None, width=3): ...
    """,
    "configs/model/conv.yaml": "_target_: mine.Conv\nchannels: 8\n",
    "configs/task/lit.yaml": "_target_: mine.Lit\noptimizer: {_target_: torch.optim.SGD, _partial_: true, lr: 0.1}\n",
    "configs/augment/night.yaml": "dark: {_target_: mine.Dark, strength: 0.5}\n",
    "configs/experiment/wide.yaml": "# @package _global_\ndefaults:\n  - override /model: conv\n",
    "configs/experiment/lit.yaml": "# @package _global_\ndefaults:\n  - override /task: lit\n",
    "configs/experiment/night.yaml": "# @package _global_\ndefaults:\n  - override /augment: night\n",
    "configs/debug/mine.yaml": "# @package _global_\ndefaults:\n  - override /model: conv\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project with experiments, which is the working directory."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("\n        ", "\n"))
    monkeypatch.chdir(tmp_path)
    use_project()
    return tmp_path


def message_for(*line: str) -> str:
    """Return the message for a mistake on the command line, of the first job of a sweep."""
    is_sweep = "-m" in line
    first = [word.split(",")[0] if is_sweep else word for word in line if word != "-m"]
    with pytest.raises((HydraException, ValueError)) as caught:
        compose(*first)
    return explain(caught.value, line)


@pytest.mark.parametrize(
    ("line", "suggestion"),
    [
        ("experiment=mnist_mlp model.hidden_size=3", "model.hidden_sizes"),
        ("-m experiment=mnist_mlp model.hidden_size=3,4", "model.hidden_sizes"),
        ("-m experiment=mnist_mlp,mnist_gan model.hidden_size=3", "model.hidden_sizes"),
        ("experiment=mnist_lstm model.hiden=3", "model.hidden_size"),
        ("model.latentt=3 experiment=mnist_gan", "model.latent_dim"),
        ("experiment=mnist_gan optimizer.bettas=[0,1]", "optimizer.betas"),
        ("experiment=mnist_mlp debug=limit trainer.detect_anomally=true", "trainer.detect_anomaly"),
        ("experiment=mnist_gan model=mlp model.hidden_size=3", "model.hidden_sizes"),
    ],
)
def test_an_unknown_key_is_compared_with_those_that_an_experiment_chooses(line: str, suggestion: str) -> None:
    key = next(word for word in line.split() if "." in word).partition("=")[0]
    assert message_for(*line.split()) == f"{key}: unknown key, did you mean '{suggestion}'?"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("experiment=wide model.dropout=0.3", "model.dropout: must have a plus before it, because no YAML file"),
        ("debug=mine model.dropout=0.3", "model.dropout: must have a plus before it, because no YAML file"),
        ("experiment=wide model.chanels=3", "model.chanels: unknown key, did you mean 'model.channels'?"),
        ("-m experiment=wide,mnist_mlp model.chanels=3", "model.chanels: unknown key, did you mean 'model.channels'?"),
        ("experiment=night augment.dark.strenght=3", "did you mean 'augment.dark.strength'?"),
        ("experiment=lit task.optimizer.lrr=1", "task.optimizer.lrr: unknown key, did you mean 'task.optimizer.lr'?"),
        ("experiment=lit task.width=1", "task.width: must have a plus before it"),
        ("task={_target_:mine.Lit,optimizer:null} task.widht=1", "task.widht: unknown key, did you mean 'task.width'?"),
        ("experiment=configs/experiment/wide.yaml model.chanels=3", "did you mean 'model.channels'?"),
    ],
)
def test_so_is_one_of_a_project(project: Path, line: str, message: str) -> None:
    assert message in message_for(*line.split())


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("data=table task.loss=hubr", "task=regression"),
        ("task.loss=mse", "task=anomaly, reconstruction or regression"),
        ("optimizer.momentum=0.9", "optimizer=gradient_descent, momentum, muon, nesterov or rmsprop"),
        ("model.hidden_sizes=[3]", "model=autoencoder, cnn or mlp"),
    ],
)
def test_a_key_of_another_option_names_those_that_have_it(line: str, options: str) -> None:
    key = line.split()[-1].partition("=")[0]
    assert message_for(*line.split()) == f"{key}: must be used with {options}."


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        ("paths.data_dir=x", "output_dir= names the folder of runs, and data.dir= that of the data."),
        ("test=false", "leave it out. A run ends with the test split"),
        ("train=false", "leave it out. train.py trains"),
        ("task_name=x", "tags=[...] or notes=..."),
        ("ckpt_path=x", "resume=RUN continues the run in a folder"),
        ("callbacks=x", "monitor= and patience="),
        ("callbacks.early_stopping.patience=3", "monitor= and patience="),
        ("hparams_search=x", "-m begins a sweep"),
        ("optimized_metric=x", "-m sweep.metric="),
        ("extras.print_config=false", "leave it out. --cfg job prints the config"),
    ],
)
def test_a_word_of_the_template_is_answered_by_what_replaces_it(word: str, fix: str) -> None:
    assert message_for(word).startswith(f"{word.partition('=')[0].partition('.')[0]}: unknown key. To fix: {fix}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("defaults:\n  - override /model: mlp\n", ': must begin with the line "# @package _global_".'),
        ("seed: 3\n", ': must begin with the line "# @package _global_".'),
        ("", ': must begin with the line "# @package _global_".'),
        (
            "# @package _global_\ndefaults:\n  - override /callbacks: default\n",
            ": override /callbacks: unknown group. To fix: monitor= and patience= choose the best epoch and when to"
            ' stop; others are a list, "+trainer.callbacks=[{_target_: mine.Callback}]".',
        ),
        (
            "# @package _global_\ndefaults:\n  - override /modle: mlp\n",
            ": override /modle: unknown group, did you mean 'model'?",
        ),
        (
            "# @package _global_\ndefaults:\n  - override /xyz: mlp\n",
            ": override /xyz: unknown group; known: augment, averaging, data, debug, experiment, logger, model,"
            " optimizer, scheduler, sweep, task, trainer.",
        ),
        (
            "# @package _global_\ndefaults:\n  - override model: mlp\n",
            ": override model: must be an override, as in override /model: mlp",
        ),
        (
            "# @package _global_\ndefaults:\n  - /model: mlp\n",
            ": /model: must be an override, as in override /model: mlp",
        ),
        (
            "# @package _global_\ndefaults:\n  - model: mlp\n",
            ": model: must be an override, as in override /model: mlp",
        ),
    ],
)
@pytest.mark.parametrize("name", ["e3", "configs/experiment/e3.yaml"])
def test_a_wrong_experiment_is_named_with_its_mistake(project: Path, name: str, text: str, message: str) -> None:
    (project / "configs/experiment/e3.yaml").write_text(text)
    assert message_for(f"experiment={name}") == f"configs/experiment/e3.yaml{message}"


def test_an_experiment_may_consist_of_parts(project: Path) -> None:
    folder = project / "configs/experiment"
    (folder / "parts").mkdir()
    (folder / "parts/long.yaml").write_text("max_epochs: 77\n")
    text = "# @package _global_\ndefaults:\n  - wide\n  - parts@trainer: long\n  - override /logger: csv\n"
    (folder / "both.yaml").write_text(text)
    config = compose("experiment=both")
    assert (config.model._target_, config.trainer.max_epochs, [*config.logger]) == ("mine.Conv", 77, ["csv"])
