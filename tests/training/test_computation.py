"""The settings of the computation, each in one word: what they do, what they refuse, and what they leave as it was."""

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.runs.load import load_task
from firstlight.tasks import Task
from firstlight.tasks.build import build_source, build_task
from firstlight.training.options.computation import arrange, compiled, explained_determinism
from firstlight.training.run import resume, train
from helpers.runs import history, same_weights, weights

FAST = [
    "trainer.accelerator=cpu",
    "trainer.max_epochs=1",
    "logger=none",
    "figures=false",
    "+trainer.limit_train_batches=3",
]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], ""),
        (["trainer.precision=32"], ""),
        (["trainer.precision=bf16", "deterministic=true"], "precision bf16-mixed, deterministic"),
        (
            ["trainer.precision=16", "compile=true", "channels_last=false"],
            "precision 16-mixed, compiled, channels first",
        ),
    ],
)
def test_the_settings_are_printed(words: list[str], text: str) -> None:
    assert RunConfig.from_overrides(*words).computation == text


def test_deterministic_runs_have_the_same_bits_and_restore_what_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*FAST, "model=lenet", "deterministic=true", "+trainer.callbacks=[{_target_: helpers.probe.Probe}]"]
    for name in ("one", "other"):
        train(compose(*words), run_dir=tmp_path / name)
    from helpers.probe import Probe

    assert Probe.latest.modes["deterministic"]
    assert same_weights(tmp_path / "one", tmp_path / "other")
    assert not torch.are_deterministic_algorithms_enabled()
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    assert "computed    deterministic" in capsys.readouterr().out


def test_an_operation_that_cannot_be_repeated_is_an_error_about_the_setting() -> None:
    message = "cumsum_cuda_kernel does not have a deterministic implementation, but you set 'torch.use_…'"
    with (
        pytest.raises(ValueError, match=r"^deterministic=true: must be false here, because torch cannot repeat cumsum"),
        explained_determinism(),
    ):
        raise RuntimeError(message)
    with pytest.raises(RuntimeError, match="another error"), explained_determinism():
        raise RuntimeError("another error")


@pytest.mark.parametrize("word", ["+trainer.deterministic=warn", "+trainer.benchmark=true"])
def test_options_that_contradict_deterministic_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match=r"must be left out with deterministic=true\.$"):
        RunConfig.from_overrides("deterministic=true", word)


def test_channels_last_is_a_layout_alone(tmp_path: Path) -> None:
    first, last = tmp_path / "first", tmp_path / "last"
    words = [*FAST, "model=cnn", "model.dropout=0", "optimizer=sgd", "optimizer.lr=0.01", "scheduler=constant"]
    train(compose(*words), run_dir=last)
    train(compose(*words, "channels_last=false"), run_dir=first)
    one, other = weights(first), weights(last)
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name].contiguous(), value, rtol=1e-3, atol=1e-5)
    assert any(value.ndim == 4 and value.stride(1) == 1 for value in other.values() if value.shape[1:2] > (1,))
    assert all(value.is_contiguous() for value in one.values())
    raw = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8)
    torch.testing.assert_close(load_task(last).answers(raw), load_task(first).answers(raw), rtol=1e-3, atol=1e-5)
    resume(first, max_epochs=2)
    assert len(history(first)) == 2


def _task(*words: str) -> Task:
    config = RunConfig.from_overrides(*words)
    return build_task(config, build_source(config).splits(1)[0].spec)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["model=lenet"], [""]),
        (["model=autoencoder"], None),
        (["model=gan"], ["generator", "discriminator"]),
    ],
)
def test_compile_translates_what_the_task_calls_and_nothing_stays(
    words: list[str], names: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = _task(*words)
    called: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: called.append(self))
    before = list(task.state_dict())
    with compiled(task):
        pass
    children = dict(task.network.named_modules())
    expected = [children[name] for name in names] if names else list(task.network.children())
    assert called == expected
    assert list(task.state_dict()) == before


@pytest.mark.slow
@pytest.mark.parametrize("words", [["model=vae"], ["model=linear", "data=line"]])
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # of torch itself
def test_a_compiled_run_gives_the_numbers_of_the_plain_one(words: list[str], tmp_path: Path) -> None:
    for name, word in (("plain", "compile=false"), ("compiled", "compile=true")):
        train(compose(*words, *FAST, word), run_dir=tmp_path / name)
    one, other = weights(tmp_path / "plain"), weights(tmp_path / "compiled")
    assert one.keys() == other.keys()
    for key, value in one.items():
        torch.testing.assert_close(other[key], value, rtol=1e-2, atol=1e-4)
    resume(tmp_path / "compiled", max_epochs=2)
    assert len(history(tmp_path / "compiled")) == 2


def test_a_network_that_cannot_be_translated_is_an_error_about_the_setting() -> None:
    class FailedError(Exception):
        """An error of the compiler."""

    FailedError.__module__ = "torch._dynamo.exc"
    task = _task("model=linear")
    with (
        pytest.raises(ValueError, match=r"^compile=true: must be false here, because torch.compile fails: no compiler"),
        compiled(task),
    ):
        raise FailedError("no compiler\nmore")
    with pytest.raises(RuntimeError, match="another error"), compiled(task):
        raise RuntimeError("another error")


@pytest.mark.parametrize("word", ["compile=true", "channels_last=false"])
def test_a_lightning_module_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="must be left out with a LightningModule"):
        arrange(RunConfig.from_overrides(word), None)
