import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from firstlight.config import RunConfig
from firstlight.data import BatchLoader
from firstlight.tasks.build import build_source, build_task, build_trainer
from firstlight.training import schedulers
from firstlight.training.environment import silence_lightning
from firstlight.training.schedulers import RunLength

LR = 0.5
PLAN = RunLength(total_steps=40, steps_per_epoch=4, mode="min")
ENDLESS = RunLength(total_steps=math.inf, steps_per_epoch=4, mode="min")


def optimizer(kind: type[Optimizer] = SGD, **options: Any) -> Optimizer:
    parameter = nn.Parameter(torch.zeros(1))
    parameter.grad = torch.zeros(1)
    return kind([parameter], lr=LR, **options)


def factors(name: str, plan: RunLength = PLAN, **options: Any) -> list[float]:
    """The share of the optimizer's rate at each step; the scheduler is told of the last one too, as by Lightning."""
    own = optimizer()
    scheduler = getattr(schedulers, name)(own, plan, **options)
    found = []
    for _ in range(int(plan.total_steps) if math.isfinite(plan.total_steps) else 100):
        found.append(own.param_groups[0]["lr"] / LR)
        own.step()
        scheduler.step()
    return found


def half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def test_constant_is_the_rate_from_the_first_step_to_the_last() -> None:
    assert factors("constant") == [1.0] * 40


def test_constant_rises_over_its_warmup() -> None:
    found = factors("constant", warmup=0.25)
    assert found == pytest.approx([(step + 1) / 10 for step in range(10)] + [1.0] * 30)


def test_constant_needs_no_end_but_for_its_warmup() -> None:
    assert factors("constant", ENDLESS) == [1.0] * 100
    with pytest.raises(ValueError, match="scheduler=constant has to know the end"):
        factors("constant", ENDLESS, warmup=0.1)


def test_cosine_rises_and_then_falls_by_half_a_cosine() -> None:
    found = factors("cosine", warmup=0.25, final=0.1)
    assert found[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert found[10:] == pytest.approx([half_cosine(1, 0.1, step / 30) for step in range(30)])
    assert (found[10], found[25]) == (1.0, pytest.approx(0.55))


def test_cosine_reaches_its_final_rate_when_all_steps_are_done() -> None:
    own = optimizer()
    scheduler = schedulers.cosine(own, PLAN, final=0.1)
    for _ in range(45):
        own.step()
        scheduler.step()
    assert own.param_groups[0]["lr"] == pytest.approx(0.1 * LR)


def test_cosine_without_warmup_begins_with_the_whole_rate() -> None:
    assert factors("cosine", warmup=0)[0] == 1.0


def test_onecycle_goes_up_from_start_and_down_to_final() -> None:
    found = factors("onecycle", warmup=0.25, start=0.1, final=0.01)
    up = [half_cosine(0.1, 1, step / 9) for step in range(10)]
    down = [half_cosine(1, 0.01, (step - 9) / 30) for step in range(10, 40)]
    assert found == pytest.approx(up + down)
    assert (found[0], found[9], found[39]) == pytest.approx((0.1, 1, 0.01))


@pytest.mark.parametrize("total_steps", [1, 2, 3, 4, 10, 20, 39])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.25, 0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", ["constant", "cosine", "onecycle"])
def test_a_run_of_any_length_ends_without_an_error(name: str, warmup: float, total_steps: int) -> None:
    found = factors(name, RunLength(total_steps, 4, "min"), warmup=warmup)
    assert len(found) == total_steps
    assert all(0 < factor <= 1 for factor in found)


@pytest.mark.parametrize(("kind", "options"), [(AdamW, {}), (SGD, {"momentum": 0.9})])
def test_onecycle_moves_the_momentum_against_the_rate(kind: type[Optimizer], options: dict[str, float]) -> None:
    own, found = optimizer(kind, **options), []
    scheduler = schedulers.onecycle(own, PLAN, warmup=0.25)
    for _ in range(40):
        group = own.param_groups[0]
        found.append(group["betas"][0] if kind is AdamW else group["momentum"])
        own.step()
        scheduler.step()
    assert (found[0], found[9], found[39]) == pytest.approx((0.95, 0.85, 0.95))


def test_onecycle_gives_no_momentum_to_an_optimizer_without_one() -> None:
    own = optimizer()
    schedulers.onecycle(own, PLAN)
    assert own.param_groups[0]["momentum"] == 0


def test_onecycle_keeps_the_ratio_of_the_rates_of_parameter_groups() -> None:
    own = SGD([{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.1, 0.4)])
    schedulers.onecycle(own, PLAN, start=0.25)
    assert [group["lr"] for group in own.param_groups] == pytest.approx([0.025, 0.1])


@pytest.mark.parametrize(("start", "final"), [(0.1, 0.2), (0.1, 0.0), (1.5, 0.1), (0.0, 0.0)])
def test_onecycle_refuses_a_start_and_final_that_are_no_shares_in_order(start: float, final: float) -> None:
    with pytest.raises(ValueError, match=rf"scheduler\.start={start} and scheduler\.final={final}"):
        factors("onecycle", start=start, final=final)


@pytest.mark.parametrize("name", ["constant", "cosine", "onecycle"])
@pytest.mark.parametrize("warmup", [-0.1, 1.1])
def test_a_warmup_that_is_no_share_is_refused(name: str, warmup: float) -> None:
    with pytest.raises(ValueError, match=rf"scheduler\.warmup={warmup}"):
        factors(name, warmup=warmup)


def test_a_final_that_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match=r"scheduler\.final=2"):
        factors("cosine", final=2)


@pytest.mark.parametrize("name", ["cosine", "onecycle"])
def test_a_scheduler_that_has_to_know_the_end_refuses_an_endless_run(name: str) -> None:
    with pytest.raises(ValueError, match=rf"scheduler={name} .* set trainer\.max_epochs or trainer\.max_steps"):
        factors(name, ENDLESS)


def test_step_drops_every_so_many_epochs() -> None:
    found = factors("step", every=3, factor=0.5)
    assert found == pytest.approx([0.5 ** (step // 12) for step in range(40)])
    assert (found[11], found[12], found[39]) == (1.0, 0.5, 0.125)


def test_step_needs_no_end() -> None:
    assert factors("step", ENDLESS, every=10)[99] == pytest.approx(0.01)


def test_step_refuses_less_than_an_epoch() -> None:
    with pytest.raises(ValueError, match=r"scheduler\.every=0"):
        factors("step", every=0)


def rates_on_plateau(mode: str, values: list[float], **options: float) -> list[float]:
    own = optimizer()
    scheduler = schedulers.plateau(own, dataclasses.replace(PLAN, mode=mode), **options)
    found = []
    for value in values:
        scheduler.step(value)
        found.append(own.param_groups[0]["lr"] / LR)
    return found


@pytest.mark.parametrize(("mode", "better"), [("min", 0.5), ("max", 2.0)])
def test_plateau_drops_after_more_than_patience_values_that_are_no_better(mode: str, better: float) -> None:
    found = rates_on_plateau(mode, [1.0, 1.0, 1.0, better, better, better, better], patience=2)
    assert found == pytest.approx([1, 1, 1, 1, 1, 1, 0.1])


def test_plateau_takes_less_than_its_threshold_for_no_gain() -> None:
    assert rates_on_plateau("min", [1.0, 0.95, 0.9], patience=0, threshold=0.2) == pytest.approx([1, 0.1, 0.01])


def test_plateau_does_not_fall_below_its_lowest_rate() -> None:
    assert rates_on_plateau("min", [1.0] * 9, patience=0, min_lr=0.05)[-1] == pytest.approx(0.05 / LR)


def test_with_accumulation_the_plan_counts_optimizer_steps(tmp_path: Path) -> None:
    plans: list[RunLength] = []

    def watched(own: Optimizer, plan: RunLength) -> LRScheduler:
        plans.append(plan)
        return schedulers.onecycle(own, plan)

    overrides = ["model=linear", "trainer.max_epochs=2", "trainer.accumulate_grad_batches=3", "trainer.accelerator=cpu"]
    config = RunConfig.from_overrides(*overrides, f"data.dir={tmp_path}", f"+trainer.default_root_dir={tmp_path}")
    store, splits = build_source(config).splits(1)
    task = build_task(config, store.spec)
    assert task.recipe is not None
    task.recipe = dataclasses.replace(task.recipe, scheduler=watched)
    silence_lightning()
    trainer = build_trainer(config)
    trainer.fit(task, BatchLoader(splits["train"].part(torch.arange(50)), 10, seed=1), BatchLoader(splits["val"], 200))
    assert plans == [RunLength(total_steps=4, steps_per_epoch=2, mode="min")]
    assert trainer.global_step == 4
    assert task.optimizers().param_groups[0]["lr"] < 1e-3


def test_onecycle_with_nothing_but_a_way_up_is_refused() -> None:
    with pytest.raises(ValueError, match=r"scheduler\.warmup=1\.0"):
        factors("onecycle", warmup=1.0)
