"""Agents in runs: exact resume, evaluation, an episode as a file, and words that do not fit."""

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.runs.evaluate import evaluate
from firstlight.runs.load import load_task
from firstlight.runs.predict import predict
from firstlight.runs.sample import sample
from firstlight.training.callbacks import StopOnSignal
from firstlight.training.run import resume, train
from helpers.runs import history, same_weights

DATA = ("data=cartpole", "data.parallel=2", "data.val_episodes=2", "data.test_episodes=3", "data.batch_size=8")
SMALL = (*DATA, "model.hidden_sizes=[8]", "task.steps_per_epoch=32", "trainer.accelerator=cpu", "trainer.max_epochs=3")
AGENTS = {
    # 16 batches in each epoch; the memory forgets.
    "dqn": ("task=dqn", "task.memory=30", "task.warm_up=20", "task.target_every=5", "task.epsilon_steps=40"),
    # 8 batches in each epoch: two roll-outs of 16 steps, each twice.
    "policy_gradient": ("task=policy_gradient", "task.horizon=8", "task.passes=2"),
}


@pytest.fixture(scope="module", params=AGENTS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("agents") / request.param
    train(RunConfig.from_overrides(*SMALL, *AGENTS[request.param]), run_dir=folder)
    return folder


def test_an_agent_that_is_stopped_within_an_epoch_resumes_to_the_same_end(run: Path, tmp_path: Path) -> None:
    def received(self: StopOnSignal, trainer: Any) -> int:
        return signal.SIGTERM if trainer.global_step == 13 else 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StopOnSignal, "_received", received)
        with pytest.raises(KeyboardInterrupt):
            train(RunConfig.from_overrides(*SMALL, *AGENTS[run.name]), run_dir=tmp_path / "stopped")
    assert "unfinished_epoch" in torch.load(tmp_path / "stopped" / "checkpoints" / "last.ckpt", weights_only=True)
    resume(tmp_path / "stopped")
    assert history(run) == history(tmp_path / "stopped")
    assert all(same_weights(run, tmp_path / "stopped", checkpoint) for checkpoint in ("best", "last"))


def test_an_agent_is_evaluated_and_plays_an_episode_that_is_written_as_an_animation(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluate(run, accelerator="cpu")
    assert set(found) == {"test/return"}
    assert found == evaluate(run, accelerator="cpu")
    assert f"{found['test/return']:.6f}" in capsys.readouterr().out
    made: Any = sample(run, seed=5)
    steps = int(made.caption.split()[-2])
    total = float(load_task(run).play(torch.tensor([[5]]))[0])  # type: ignore[operator]
    assert made.caption == f"an episode of CartPole-v1 with a return of {total:g} in {steps} steps"
    with Image.open(run / "samples.gif") as image:
        assert (image.n_frames, image.size) == (2 + (steps - 1) // 2, (300, 200))  # type: ignore[attr-defined]
        assert image.info["duration"] == 40
    with pytest.raises(ValueError, match=r"output=.*episode.jpg: must end in one of .gif"):
        sample(run, output=run / "episode.jpg")
    with pytest.raises(
        ValueError, match=r"must be a run of another task than .*predicts nothing. To fix: use .*sample"
    ):
        predict(run, run / "table.csv")
    with pytest.raises(ValueError, match=r"input=.*: must be null for an agent, which plays CartPole-v1"):
        evaluate(run, input=run / "table.csv")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("task=dqn task.epsilon=2", "task.epsilon=2: must be"),
        ("task.discount=1", "task.discount=1: must be"),
        ("task.horizon=3", "data.batch_size=8: must divide 6, the steps of a roll-out: task.horizon=3 in each of 2"),
        ("task.horizon=32", "task.steps_per_epoch=32: must be at least 64"),
        ("+trainer.overfit_batches=2", "trainer.overfit_batches: must be 0 with task=policy_gradient"),
        ("averaging=ema", "averaging: must be none with task=policy_gradient"),
        ("lr_find=true task=dqn", "lr_find=true: must be false with task=dqn, whose samples follow from its actions"),
        ("kfold=2 fold=1", "kfold=2: must be null with data=cartpole"),
        ("model.freeze=backbone", "must have neither head, freeze nor lr_decay with task=policy_gradient"),
        ("monitor=val/loss", "monitor=val/loss: unknown metric"),
        ("model=lenet", "model: must accept numbers, and LeNet does not"),
    ],
)
def test_words_that_do_not_fit_an_agent_raise_an_error(words: str, message: str, tmp_path: Path) -> None:
    options = [word for word in SMALL if not (word.startswith("model.") and words == "model=lenet")]
    with pytest.raises(ValueError, match=message):
        train(compose(*options, *words.split()), run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_an_agent_learns_to_balance_the_pole(tmp_path: Path) -> None:
    found = train(RunConfig.from_overrides("experiment=cartpole", "trainer.max_epochs=1"), run_dir=tmp_path / "run")
    assert found["test/return"] > 100  # untrained networks reach 10 to 50
