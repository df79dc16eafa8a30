from typing import Any

import pytest
import torch
from torch import nn

from firstlight.config import RunConfig
from firstlight.spec import DataSpec
from firstlight.tasks import Task
from firstlight.tasks.build import build_task
from firstlight.training.module import TrainingModule
from firstlight.training.optimizers import BoundOptimizer, Muon
from helpers.small import IMAGES, TOKENS

CNN = ("model=cnn", "model.filters=[3]", "model.hidden_sizes=[4]")


def built(*words: str, spec: DataSpec = IMAGES) -> tuple[Task, list[torch.optim.Optimizer]]:
    config = RunConfig.from_overrides(*words)
    task = build_task(config, spec)
    return task, BoundOptimizer(config)(task)


def option(key: str, *words: str, spec: DataSpec = IMAGES) -> dict[str, Any]:
    """Return an option of the optimizer for each parameter, by its name."""
    task, optimizers = built(*words, spec=spec)
    names = {id(parameter): name for name, parameter in task.network.named_parameters()}
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    found = {names[id(parameter)]: group[key] for group in groups for parameter in group["params"]}
    assert found.keys() == set(names.values())
    return found


def test_by_default_all_parameters_are_one_group_in_their_order() -> None:
    task, (optimizer,) = built(*CNN)
    (group,) = optimizer.param_groups
    assert [id(each) for each in group["params"]] == [id(each) for each in task.network.parameters()]


def test_biases_and_norms_can_be_left_out_of_the_weight_decay() -> None:
    for name, decay in option("weight_decay", *CNN, "optimizer.decay_biases_and_norms=false").items():
        assert decay == (0.0 if name.endswith("bias") or name == "features.1.weight" else 0.01), name


def test_groups_by_name_have_options_of_their_own_and_the_longest_name_decides() -> None:
    groups = "optimizer.groups={features: {lr: 0.1, weight_decay: 0.5}, backbone: {lr: 0.3}, head: {lr: 0.2}}"
    found = option("lr", *CNN, groups)
    for name, rate in found.items():
        expected = 0.1 if name.startswith("features.") else 0.2 if _is_head(name, *CNN) else 0.3
        assert rate == expected, name
    decays = option("weight_decay", *CNN, groups, "optimizer.decay_biases_and_norms=false")
    assert decays["features.1.weight"] == 0.5  # what a group says comes last


def _is_head(name: str, *words: str) -> bool:
    task, _ = built(*words)
    layer = [key for key, each in task.network.named_modules() if isinstance(each, nn.Linear)][-1]
    return name.startswith(f"{layer}.")


def test_groups_add_to_the_rates_of_stages() -> None:
    found = option("lr", *CNN, "model.lr_decay=0.5", "optimizer.lr=0.4", "optimizer.groups={head: {weight_decay: 0}}")
    assert sorted(set(found.values())) == [0.1, 0.2, 0.4]
    decays = option("weight_decay", *CNN, "model.lr_decay=0.5", "optimizer.groups={head: {weight_decay: 0}}")
    assert [name for name, value in decays.items() if value == 0] == [n for n in decays if _is_head(n, *CNN)]


def test_each_part_of_an_adversarial_task_has_its_own_rate() -> None:
    words = ("model=gan", "model.base_channels=4", "optimizer.groups={discriminator: {lr: 4e-4}}")
    for name, rate in option("lr", *words).items():
        assert rate == (4e-4 if name.startswith("discriminator.") else 2e-3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["optimizer.groups={featurs: {lr: 1}}"],
            r"groups\.featurs: unknown layer, did you mean 'optim",
        ),
        (
            ["optimizer.groups={xyz: {lr: 1}}"],
            r"groups\.xyz: unknown layer; known: backbone, .*features.*head",
        ),
        (["optimizer.groups={head: {lrr: 1}}"], r"optimizer\.groups\.head\.lrr: unknown option of AdamW, did you mean"),
        (["optimizer.groups={head: {lr: fast}}"], r"optimizer\.groups\.head\.lr=fast: must be a number"),
        (["optimizer.groups={head: 1}"], r"optimizer\.groups\.head=1: must be options by the names of layers"),
        (["optimizer.groups=[1]"], r"optimizer\.groups=\[1\]: must be options by the names of layers"),
        (["optimizer.decay_biases_and_norms=2"], r"optimizer\.decay_biases_and_norms=2: must be true or false"),
        (
            ["optimizer={_target_: torch.optim.Rprop}", "optimizer.decay_biases_and_norms=false"],
            "optimizer.decay_biases_and_norms=false: must be true with Rprop",
        ),
    ],
)
def test_a_wrong_option_raises_an_error_before_the_training(words: list[str], message: str) -> None:
    def prepare() -> None:
        config = RunConfig.from_overrides(*CNN, *words)
        TrainingModule(build_task(config, IMAGES), config)

    with pytest.raises(ValueError, match=message):
        prepare()


def test_a_missing_timm_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    from firstlight.config.checking.options import split_optimizer

    with pytest.raises(ValueError, match=r'timm\.optim\.Lion: .* To fix: pip install "firstlight\[timm\]"'):
        split_optimizer({"_target_": "timm.optim.Lion"})


def test_the_options_of_every_optimizer_survive_in_the_config_of_a_run() -> None:
    config = RunConfig.from_overrides("optimizer.groups={head: {lr: 0.1}}", "optimizer.decay_biases_and_norms=false")
    assert RunConfig.parse(config.to_plain()) == config
    plain = config.to_plain()
    del plain["optimizer"]["groups"], plain["optimizer"]["decay_biases_and_norms"], plain["trainer"]
    assert RunConfig.parse(plain | {"trainer": config.trainer}).parameters.decay_biases_and_norms  # an earlier version


def test_muon_trains_hidden_matrices_and_adamw_all_other_parameters() -> None:
    words = ("model=transformer", "data=text", "optimizer=muon")
    is_hidden = option("hidden_matrices", *words, spec=TOKENS)
    task, _ = built(*words, spec=TOKENS)
    kinds = dict(task.network.named_modules())
    for name, parameter in task.network.named_parameters():
        owner = kinds[name.rpartition(".")[0]]
        expected = parameter.ndim == 2 and not isinstance(owner, nn.Embedding)
        assert is_hidden[name] == (expected and not name.startswith(f"{task.freezing.head_name}.")), name
    assert {*is_hidden.values()} == {True, False}
    assert set(option("hidden_matrices", *CNN, "optimizer=muon").values()) == {True, False}


def test_muon_continues_from_its_state_with_the_same_bits() -> None:
    def optimizer(weights: list[nn.Parameter]) -> Muon:
        return Muon(weights, lr=0.1)

    def step(own: Muon, weights: list[nn.Parameter], number: int) -> None:
        for group in own.param_groups:
            group["lr"] = 0.1 / number  # as a scheduler does
        for each in weights:
            each.grad = torch.sin(each.detach() * number)
        own.step()

    start = [torch.randn(3, 2, generator=torch.Generator().manual_seed(1)), torch.ones(4)]
    whole, first = ([nn.Parameter(each.clone()) for each in start] for _ in range(2))
    one, two = optimizer(whole), optimizer(first)
    for number in (1, 2, 3, 4):
        step(one, whole, number)
    for number in (1, 2):
        step(two, first, number)
    second = [nn.Parameter(each.detach().clone()) for each in first]
    three = optimizer(second)
    three.load_state_dict(two.state_dict())
    for number in (3, 4):
        step(three, second, number)
    assert all(torch.equal(a, b) for a, b in zip(whole, second, strict=True))
    assert not torch.equal(whole[0], first[0])
