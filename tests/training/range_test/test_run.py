"""The range test: it changes nothing of the training, and its curve and suggestion are right."""

import csv
from pathlib import Path

import numpy as np
import pytest

from firstlight.config.compose import compose
from firstlight.runs import RunFolder
from firstlight.runs.load import load_task
from firstlight.training.range_test.curve import Curve
from firstlight.training.run import resume, train
from helpers.runs import history, same_weights

FAST = ["trainer.accelerator=cpu", "trainer.max_epochs=1", "logger=none", "+trainer.limit_train_batches=3"]


def _curve(folder: Path) -> np.ndarray:
    with (folder / "lr_find.csv").open(newline="") as file:
        return np.array([[float(cell) for cell in row.values()] for row in csv.DictReader(file)])


def test_the_suggestion_is_where_the_loss_falls_most_steeply() -> None:
    logs = np.linspace(-7, 1, 100)
    losses = 2 - 1 / (1 + np.exp(-4 * (logs + 3))) + np.where(logs > -1, 5 * (logs + 1) ** 2, 0)
    random = np.random.default_rng(0)
    curve = Curve(list(10**logs), list(losses + random.normal(0, 0.02, 100)))
    assert curve.suggestion is not None
    assert np.log10(curve.suggestion) == pytest.approx(-3, abs=0.3)
    assert np.abs(curve.smoothed - losses)[5:70].max() < 0.1


@pytest.mark.parametrize("losses", [[1.0], [], [1.0, 2.0, 3.0, 4.0]])
def test_a_loss_that_never_falls_gives_no_suggestion(losses: list[float]) -> None:
    assert Curve([1e-4, 1e-3, 1e-2, 1e-1][: len(losses)], losses).suggestion is None


@pytest.mark.figures
def test_a_run_is_the_same_with_and_without(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*FAST, "model=lenet", "augment=light", "trainer.accumulate_grad_batches=2"]
    one, other = tmp_path / "with", tmp_path / "without"
    train(compose(*words, "lr_find=true"), run_dir=one)
    assert "range test: optimizer.lr=" in capsys.readouterr().out
    train(compose(*words, "figures=false"), run_dir=other)
    assert same_weights(one, other)
    assert history(one) == history(other)
    curve = _curve(one)
    assert 20 < len(curve) <= 100
    assert curve[0, 0] == pytest.approx(1e-7)
    assert curve[0, 1] == pytest.approx(2.3, abs=0.5)  # ln 10: the weights are untrained
    assert (one / "lr_find.png").stat().st_size > 5000
    assert not (other / "lr_find.csv").exists()


def test_gradient_descent_on_a_line_diverges_where_the_theory_says(tmp_path: Path) -> None:
    train(
        compose(
            "data=line", "data.points=[[1,3],[2,5]]", "optimizer.momentum=0", *FAST, "lr_find=true", "figures=false"
        ),
        run_dir=tmp_path,
    )
    curve = _curve(tmp_path)
    # The loss m, b -> MSE has the Hessian [[5, 3], [3, 2]], whose largest eigenvalue is 6.854: 2 / 6.854 = 0.29.
    assert 0.29 < curve[-1, 0] < 3
    assert curve[0, 1] == pytest.approx(2.5)


@pytest.mark.parametrize(
    "words",
    [
        ["data=text", "model=lstm", "model.hidden_size=16"],
        ["model=autoencoder"],
        ["data=diabetes", "model=mlp", "trainer.precision=bf16", "trainer.gradient_clip_val=0.5", "averaging=ema"],
        ["model=cnn", "model.freeze=backbone"],
    ],
)
def test_every_task_with_one_optimizer_has_a_range_test(words: list[str], tmp_path: Path) -> None:
    train(compose(*words, *FAST, "lr_find=true", "figures=false"), run_dir=tmp_path)
    curve = _curve(tmp_path)
    assert len(curve) > 20
    assert np.isfinite(curve).all()


def test_the_suggestion_is_kept_and_used_by_the_run_and_by_what_resumes_it(tmp_path: Path) -> None:
    words = ["model=linear", *FAST, "figures=false", "scheduler=constant", "optimizer.groups={output: {lr: 4e-3}}"]
    kept, used = tmp_path / "kept", tmp_path / "used"
    suggestion = train(compose(*words, "lr_find=true"), run_dir=kept)["lr_find/suggestion"]
    assert suggestion == Curve.read(kept / "lr_find.csv").suggestion
    assert float(history(kept)[-1]["lr"]) == pytest.approx(4e-3)
    train(compose(*words, "lr_find=use"), run_dir=used)
    assert float(history(used)[-1]["lr"]) == pytest.approx(2 * suggestion)  # the rate of the group keeps its ratio
    config = RunFolder(used).config()
    assert config.optimizer["lr"] == suggestion
    by_hand = [f"optimizer.groups.output.lr={2 * suggestion}"]
    train(compose(*words, f"optimizer.lr={suggestion}", *by_hand), run_dir=tmp_path / "hand")
    assert same_weights(used, tmp_path / "hand")
    found = resume(used, max_epochs=2)
    assert found["lr_find/suggestion"] == suggestion
    assert float(history(used)[-1]["lr"]) == pytest.approx(2 * suggestion)


def test_penalties_and_the_largest_norm_are_part_of_the_test(tmp_path: Path) -> None:
    def curve(name: str, *words: str) -> np.ndarray:
        train(compose("model=linear", *FAST, "figures=false", "lr_find=true", *words), run_dir=tmp_path / name)
        return _curve(tmp_path / name)

    plain, limited = curve("plain"), curve("limited", "task.max_norm=0.1")
    penalised = curve("penalised", "task.l2=1")
    weights = load_task(tmp_path / "plain", "last").network.output.weight  # the size of the initial weights is enough
    assert penalised[0, 1] > plain[0, 1] + 0.5 * float(weights.detach().square().sum()) > plain[0, 1] + 0.5
    # Weights of norm 0.1 hardly separate the classes, before the first step and after all others.
    assert limited[0, 1] == pytest.approx(np.log(10), abs=0.05)
    assert limited[:, 1].min() > plain[:, 1].min() + 0.1


def test_a_resumed_run_does_not_repeat_the_test(tmp_path: Path) -> None:
    train(compose("model=linear", *FAST, "lr_find=true", "figures=false"), run_dir=tmp_path)
    (tmp_path / "lr_find.csv").unlink()
    resume(tmp_path, max_epochs=2)
    assert not (tmp_path / "lr_find.csv").exists()
    assert len(history(tmp_path)) == 2


def test_several_optimizers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^lr_find=true: must be false with task=adversarial, which has several"):
        train(compose("model=gan", *FAST, "lr_find=true"), run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_several_processes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"lr_find=true: must be used with trainer\.devices=1"):
        train(compose("model=linear", *FAST, "trainer.devices=2", "lr_find=true"), run_dir=tmp_path / "run")
