import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from firstlight.config import CONFIG_DIR
from firstlight.training import schedulers
from firstlight.training.schedulers import RunLength

LR = 0.5
RUN_LENGTH = RunLength(total_steps=40, steps_per_epoch=4, mode="min")
UNLIMITED = RunLength(total_steps=math.inf, steps_per_epoch=4, mode="min")


def optimizer(kind: type[SGD | AdamW] = SGD, **options: Any) -> Optimizer:
    parameter = nn.Parameter(torch.zeros(1))
    parameter.grad = torch.zeros(1)
    return kind([parameter], lr=LR, **options)


def factors(name: str, run_length: RunLength = RUN_LENGTH, **options: Any) -> list[float]:
    """Return the rate of each step as a fraction of the optimizer's. The scheduler steps after the last step too."""
    own = optimizer()
    scheduler = getattr(schedulers, name)(own, run_length, **options)
    found = []
    for _ in range(int(run_length.total_steps) if math.isfinite(run_length.total_steps) else 100):
        found.append(own.param_groups[0]["lr"] / LR)
        own.step()
        scheduler.step()
    return found


def half_cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def test_constant_keeps_the_rate_of_the_optimizer() -> None:
    assert factors("constant") == [1.0] * 40


def test_constant_rises_during_its_warmup() -> None:
    found = factors("constant", warmup=0.25)
    assert found == pytest.approx([(step + 1) / 10 for step in range(10)] + [1.0] * 30)


def test_constant_accepts_an_unlimited_run_without_warmup() -> None:
    assert factors("constant", UNLIMITED) == [1.0] * 100


def test_cosine_rises_and_then_falls_along_half_a_cosine() -> None:
    found = factors("cosine", warmup=0.25, final=0.1)
    assert found[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert found[10:] == pytest.approx([half_cosine(1, 0.1, step / 30) for step in range(30)])
    assert (found[10], found[25]) == (1.0, pytest.approx(0.55))


def test_cosine_keeps_its_final_rate_after_the_last_step() -> None:
    own = optimizer()
    scheduler = schedulers.cosine(own, RUN_LENGTH, final=0.1)
    for _ in range(45):
        own.step()
        scheduler.step()
    assert own.param_groups[0]["lr"] == pytest.approx(0.1 * LR)


def test_cosine_without_warmup_starts_with_the_rate_of_the_optimizer() -> None:
    assert factors("cosine", warmup=0)[0] == 1.0


def test_onecycle_rises_from_start_and_falls_to_final() -> None:
    found = factors("onecycle", warmup=0.25, start=0.1, final=0.01)
    up = [half_cosine(0.1, 1, step / 9) for step in range(10)]
    down = [half_cosine(1, 0.01, (step - 9) / 30) for step in range(10, 40)]
    assert found == pytest.approx(up + down)
    assert (found[0], found[9], found[39]) == pytest.approx((0.1, 1, 0.01))


@pytest.mark.parametrize("total_steps", [1, 2, 3, 4, 10, 20, 39])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.25, 0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", ["constant", "cosine", "onecycle"])
def test_runs_of_any_length_work(name: str, warmup: float, total_steps: int) -> None:
    found = factors(name, RunLength(total_steps, 4, "min"), warmup=warmup)
    assert len(found) == total_steps
    assert all(0 < factor <= 1 for factor in found)


@pytest.mark.parametrize(("kind", "options"), [(AdamW, {}), (SGD, {"momentum": 0.9})])
def test_onecycle_lowers_the_momentum_while_the_rate_rises(kind: type[SGD | AdamW], options: dict[str, float]) -> None:
    own, found = optimizer(kind, **options), []
    scheduler = schedulers.onecycle(own, RUN_LENGTH, warmup=0.25)
    for _ in range(40):
        group = own.param_groups[0]
        found.append(group["betas"][0] if kind is AdamW else group["momentum"])
        own.step()
        scheduler.step()
    assert (found[0], found[9], found[39]) == pytest.approx((0.95, 0.85, 0.95))


def test_onecycle_leaves_an_optimizer_without_momentum_unchanged() -> None:
    own = optimizer()
    schedulers.onecycle(own, RUN_LENGTH)
    assert own.param_groups[0]["momentum"] == 0


def test_onecycle_keeps_the_ratio_of_the_rates_of_parameter_groups() -> None:
    own = SGD([{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.1, 0.4)])
    schedulers.onecycle(own, RUN_LENGTH, start=0.25)
    assert [group["lr"] for group in own.param_groups] == pytest.approx([0.025, 0.1])


@pytest.mark.parametrize(("start", "final"), [(0.1, 0.2), (0.1, 0.0), (1.5, 0.1), (0.0, 0.0)])
def test_onecycle_raises_an_error_unless_final_start_and_1_are_in_order(start: float, final: float) -> None:
    with pytest.raises(ValueError, match=rf"scheduler\.start={start} scheduler\.final={final}: must be fractions"):
        factors("onecycle", start=start, final=final)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        *(
            (name, "warmup", value)
            for name in ("constant", "cosine", "onecycle", "step", "plateau")
            for value in (-0.1, 1.1)
        ),
        ("onecycle", "warmup", 1.0),
        ("cosine", "final", 2),
        ("step", "every", 0),
    ],
)
def test_an_option_out_of_its_range_raises_an_error(name: str, key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^scheduler\.{key}={value}: must be at least "):
        factors(name, **{key: value})


@pytest.mark.parametrize(
    ("name", "options"),
    [*((name, {"warmup": 0.1}) for name in ("constant", "step", "plateau")), ("cosine", {}), ("onecycle", {})],
)
def test_a_scheduler_that_depends_on_the_end_raises_an_error_in_an_unlimited_run(
    name: str, options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=rf"^scheduler={name}: must be used with trainer\.max_epochs"):
        factors(name, UNLIMITED, **options)


def test_step_multiplies_the_rate_after_every_so_many_epochs() -> None:
    found = factors("step", every=3, factor=0.5)
    assert found == pytest.approx([0.5 ** (step // 12) for step in range(40)])
    assert (found[11], found[12], found[39]) == (1.0, 0.5, 0.125)


def test_step_accepts_an_unlimited_run() -> None:
    assert factors("step", UNLIMITED, every=10)[99] == pytest.approx(0.01)


def rates_on_plateau(mode: str, values: list[float], **options: Any) -> list[float]:
    own = optimizer()
    scheduler = schedulers.plateau(own, dataclasses.replace(RUN_LENGTH, mode=mode), **options)
    found = []
    for value in values:
        scheduler.step(value)
        found.append(own.param_groups[0]["lr"] / LR)
    return found


@pytest.mark.parametrize(("mode", "better"), [("min", 0.5), ("max", 2.0)])
def test_plateau_lowers_the_rate_after_more_than_patience_values_without_an_improvement(
    mode: str, better: float
) -> None:
    found = rates_on_plateau(mode, [1.0, 1.0, 1.0, better, better, better, better], patience=2)
    assert found == pytest.approx([1, 1, 1, 1, 1, 1, 0.1])


def test_plateau_ignores_improvements_below_its_threshold() -> None:
    assert rates_on_plateau("min", [1.0, 0.95, 0.9], patience=0, threshold=0.2) == pytest.approx([1, 0.1, 0.01])


def test_plateau_keeps_its_lowest_rate() -> None:
    assert rates_on_plateau("min", [1.0] * 9, patience=0, min_lr=0.05)[-1] == pytest.approx(0.05 / LR)


def test_step_rises_during_its_warmup() -> None:
    found = factors("step", warmup=0.25, every=3, factor=0.5)
    assert found[:12] == pytest.approx([min(1, (step + 1) / 10) for step in range(12)])
    assert found[12:] == factors("step", every=3, factor=0.5)[12:]


def test_plateau_rises_during_its_warmup_and_continues_from_its_state() -> None:
    def train(own: Optimizer, scheduler: Any, steps: range) -> list[float]:
        found = []
        for step in steps:
            found.append(own.param_groups[0]["lr"] / LR)
            own.step()
            if step % 4 == 3:
                scheduler.step(1.0)  # no epoch is better than the first one
        return found

    options: dict[str, Any] = {"warmup": 0.25, "patience": 1, "factor": 0.5}
    own = optimizer()
    whole = train(own, schedulers.plateau(own, RUN_LENGTH, **options), range(40))
    assert whole[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert whole[10:22] == pytest.approx([1, 1] + [0.5] * 8 + [0.25] * 2)

    first = optimizer()
    scheduler = schedulers.plateau(first, RUN_LENGTH, **options)
    begun = train(first, scheduler, range(6))
    second = optimizer()
    other = schedulers.plateau(second, RUN_LENGTH, **options)
    second.load_state_dict(first.state_dict())
    other.load_state_dict(scheduler.state_dict())
    assert begun + train(second, other, range(6, 40)) == whole


@pytest.mark.parametrize("path", sorted((CONFIG_DIR / "scheduler").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_schedule_has_a_linear_warmup(path: Path) -> None:
    options = {str(key): value for key, value in OmegaConf.load(path).items() if key != "_target_"}
    assert "warmup" in options
    if path.stem not in ("onecycle", "plateau"):  # the first rises along half a cosine, the second has its own test
        found = factors(path.stem, **options | {"warmup": 0.25})
        assert found[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
