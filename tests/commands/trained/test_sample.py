from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from firstlight.config import RunConfig
from firstlight.training.run import train

Profiled = Callable[..., tuple[CompletedProcess[str], set[str]]]


@pytest.fixture(scope="module")
def text_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a tiny language model."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text("A line of text, and another one.\n" * 50)
    words = ("data=text", f"data.file={folder / 'text.txt'}", "data.length=16", "model=gru", "model.hidden_size=8")
    train(RunConfig.from_overrides(*words, "trainer.max_epochs=1", "trainer.accelerator=cpu"), run_dir=folder / "run")
    return folder / "run"


def test_the_script_prints_and_writes_a_text_without_importing_lightning(
    profiled: Profiled, text_run: Path, tmp_path: Path
) -> None:
    words = [f"run={text_run}", "prompt=A line, ß", "length=40", "output=there/text.txt"]
    process, modules = profiled("sample", *words)
    assert process.returncode == 0
    assert process.stderr == "dropped from the prompt, not in the vocabulary: 'ß'"
    assert process.stdout.startswith("A line, ")
    assert len(process.stdout) == len("A line, ") + 40 + 1
    assert (tmp_path / "there" / "text.txt").read_text() == process.stdout[:-1]
    assert not modules & {"lightning", "torchvision", "torchmetrics"}


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("number=2.5", "number=2.5: must be a whole number (sample)."),
        ("run=nope", "run=nope: must be a run folder, which contains a config.yaml."),
    ],
)
def test_a_mistake_is_reported_before_torch_is_imported(profiled: Profiled, mistake: str, message: str) -> None:
    process, modules = profiled("sample", "run=elsewhere", mistake)
    assert process.returncode == 1
    assert process.stderr == message
    assert not modules & {"torch", "numpy"}
