import subprocess
import sys

import pytest
from hydra.errors import HydraException

from firstlight.config.compose import compose
from firstlight.config.errors import explain
from firstlight.config.errors.unreadable import unknown_flag
from helpers.runs import REPOSITORY


def message_for(*words: str, config_name: str = "train") -> str:
    """Return the message for a mistake on the command line."""
    with pytest.raises(HydraException) as caught:
        compose(*words, config_name=config_name)
    return explain(caught.value, words, config_name)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("logger=[csv,tensorbord]", "logger=tensorbord: unknown logger, did you mean 'tensorboard'?"),
        ("logger=[tensorbord]", "logger=tensorbord: unknown logger, did you mean 'tensorboard'?"),
        ("logger=[csv,xyz]", "logger=xyz: unknown logger; known: csv, mlflow, none, tensorboard, wandb."),
        ("model=[mlpp]", "model=mlpp: unknown model, did you mean 'mlp'?"),
    ],
)
def test_an_unknown_name_in_a_list_gets_a_suggestion(word: str, message: str) -> None:
    assert message_for(word) == message


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        ("optimizer.lr=0,01", "write a decimal number with a point, optimizer.lr=0.01, or add -m"),
        ("model.dropout=1,05", "write a decimal number with a point, model.dropout=1.05, or add -m"),
        ("seed=1,2", "write a decimal number as seed=1.2, a list as seed=[1,2], or add -m"),
        ("logger=csv,tensorboard", "write several loggers as a list, logger=[csv,tensorboard], or add -m"),
        ("model.hidden_sizes=64,32,16", "write a list as model.hidden_sizes=[64,32,16], quote a text as 'model.hidden"),
        ("name=a,b", "write a list as name=[a,b], quote a text as 'name=\"a,b\"', or add -m"),
    ],
)
def test_several_values_need_a_sweep_or_another_notation(word: str, fix: str) -> None:
    message = message_for("data=mnist", word)
    assert message.startswith(f"{word}: must be one value. To fix: {fix}")
    assert message.endswith("add -m, which runs each of them.")


@pytest.mark.parametrize("word", ["model=linear,mlp", "experiment=mnist_mlp,mnist_gan"])
def test_several_options_need_a_sweep(word: str) -> None:
    assert message_for(word) == f"{word}: must be one option. To fix: add -m, which runs each of them."


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model", "=", "mlp"], "model: must have a value, as in model=mlp, without spaces around the =."),
        (["model", "=mlp"], "model: must have a value, as in model=mlp, without spaces around the =."),
        (["model=", "mlp"], "model: must have a value, as in model=mlp, without spaces around the =."),
        (["model", "="], "model: must have a value, as in model=..., without spaces around the =."),
        (["seed=2", "model"], "model: must have a value, as in model=..., without spaces around the =."),
        (["seed=2", "mlp"], "mlp: must be key=value, as in model=mlp."),
        (["foo"], "foo: must be key=value, as in seed=3."),
        (["data.target=sold", "on"], "on: must be key=value. A value with spaces needs quotes: 'data.target=sold on'"),
    ],
)
def test_a_word_without_a_value_gets_a_sentence(words: list[str], message: str) -> None:
    assert message_for(*words) == message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--max_epochs 3",
            "--max_epochs: unknown option; options are written as key=value, such as trainer.max_epochs=3.",
        ),
        (
            "--max-epochs=3",
            "--max-epochs: unknown option; options are written as key=value, such as trainer.max_epochs=3.",
        ),
        ("--epochs 3", "--epochs: unknown option; options are written as key=value, such as trainer.max_epochs=3."),
        ("--lr -m", "--lr: unknown option; options are written as key=value, such as optimizer.lr=..."),
        ("--xyz", "--xyz: unknown option; options are written as key=value, and --help lists them."),
        (
            "model=mlp --hidden_sizes [3]",
            "--hidden_sizes: unknown option; options are written as key=value, such as model.hi",
        ),
        ("model=mlpp --lr 3", "--lr: unknown option; options are written as key=value, such as optimizer.lr=3."),
    ],
)
def test_an_option_with_dashes_is_answered_by_the_key(words: str, message: str) -> None:
    argv = words.split()
    flag = next(word for word in argv if word.startswith("--"))
    assert unknown_flag(flag, argv, "train").startswith(message)


@pytest.mark.parametrize(
    ("config_name", "words", "message"),
    [
        ("evaluate", ["model=mlp"], "model: unknown key; known: "),
        ("evaluate", ["experiment=mnist_mlp", "splt=val"], "experiment: unknown key; known: "),
        ("evaluate", ["ckpt_path=x"], "ckpt_path: unknown key. To fix: resume=RUN"),
    ],
)
def test_a_group_of_another_command_is_an_unknown_key(config_name: str, words: list[str], message: str) -> None:
    assert message_for(*words, config_name=config_name).startswith(message)


@pytest.mark.parametrize("word", ["+model=mlp", "+experiment=mnist_mlp"])
def test_an_option_of_a_group_needs_no_plus(word: str) -> None:
    message = f"{word}: must be without the plus, because the config has this group already. To fix: {word[1:]}"
    assert message_for("seed=2", word) == message


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["--max_epochs", "3"], "--max_epochs: unknown option"),
        (["-m", "seed=1,2", "--lr", "3"], "--lr: unknown option"),
        (["experiment=mnist_mlp", "model.hidden_size=3"], "model.hidden_size: unknown key, did you mean"),
        (["logger=[csv,tensorbord]"], "logger=tensorbord: unknown logger"),
        (["model", "=", "mlp"], "model: must have a value"),
        (["optimizer.lr=0,01"], "optimizer.lr=0,01: must be one value"),
    ],
)
def test_a_command_answers_in_one_line_without_torch(words: list[str], first: str) -> None:
    code = (
        "import sys, atexit; atexit.register(lambda: print('torch' in sys.modules));"
        "from firstlight.commands.train import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=REPOSITORY)
    (line,) = done.stderr.splitlines()
    assert line.startswith(first)
    assert (done.stdout.strip(), done.returncode) == ("False", 1)
