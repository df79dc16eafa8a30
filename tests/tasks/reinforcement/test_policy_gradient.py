import math
from typing import Any

import pytest
import torch
from torch import nn

from firstlight.augment import Augment
from firstlight.spec import DataSpec
from firstlight.tasks import PolicyGradient
from firstlight.tasks.reinforcement.policy_gradient import standardised
from firstlight.tasks.reinforcement.rollouts import Decisions, advantages_of

SPEC = DataSpec((1,), 2, ("action 0", "action 1"), (0.0,), (1.0,), environment="CartPole-v1")


def agent(**options: Any) -> PolicyGradient:
    """Return an agent with the logits x and 0, and the output x for the value."""
    network = nn.Linear(1, 3, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.0], [0.0], [1.0]]))
    return PolicyGradient(SPEC, network, Augment(SPEC), discount=0.5, **options)


def test_advantages_follow_from_the_rewards_up_to_the_end_of_an_episode() -> None:
    # One environment: two steps of an episode that ends, and a step of the next, which goes on with a value of 10.
    rewards, values = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[4.0], [5.0], [6.0]])
    next_values, ended = torch.tensor([[5.0], [99.0], [10.0]]), torch.tensor([[0.0], [1.0], [0.0]])
    errors = [1 + 0.5 * 5 - 4, 2 - 5, 3 + 0.5 * 10 - 6]
    found = advantages_of(rewards, values, next_values, ended, ended, discount=0.5, trace=0.8)
    assert found[:, 0].tolist() == pytest.approx([errors[0] + 0.5 * 0.8 * errors[1], errors[1], errors[2]])
    # An episode that has reached its limit counts what would have followed, and nothing of the next episode.
    stopped = advantages_of(rewards, values, next_values, torch.zeros(3, 1), ended, discount=0.5, trace=0.8)
    assert float(stopped[1]) == pytest.approx(2 + 0.5 * 99 - 5)


def test_a_probability_counts_until_it_has_changed_by_the_clip() -> None:
    task = agent(clip=0.2)
    logs = torch.tensor([1.5, 0.5, 1.5, 0.5]).log().requires_grad_()
    advantages = torch.tensor([1.0, 1.0, -1.0, -1.0])
    loss = task.actions_loss(logs, torch.zeros(4), advantages)
    assert float(loss.detach()) == pytest.approx(-(1.2 + 0.5 - 1.5 - 0.8) / 4)
    loss.backward()
    assert logs.grad is not None
    assert (logs.grad != 0).tolist() == [False, True, True, False]  # the others have gone far enough


def test_without_a_clip_the_loss_is_that_of_reinforce() -> None:
    loss = agent(clip=None, passes=1).actions_loss(torch.tensor([-1.0, -2.0]), torch.zeros(2), torch.tensor([3.0, 4.0]))
    assert float(loss) == pytest.approx((3 + 8) / 2)
    with pytest.raises(ValueError, match="passes=2: must be 1 with clip=null"):
        agent(clip=None, passes=2)


def test_the_loss_adds_the_errors_of_the_values_and_subtracts_the_entropy() -> None:
    task = agent(clip=None, passes=1, value_weight=2.0, entropy_weight=3.0).train()
    batch = Decisions(
        torch.zeros(2, 1), torch.tensor([0, 1]), torch.zeros(2), torch.tensor([1.0, 3.0]), torch.tensor([4.0, 8.0]),
        torch.tensor([5.0, 6.0]),
    )  # fmt: skip
    # Both actions have the probability 1/2, so their losses cancel; values of 0 should be half of 4 and 8.
    meter = task.new_meter()
    assert float(task.batch_loss(batch, meter).detach()) == pytest.approx(2 * (4 + 16) / 2 - 3 * math.log(2), abs=1e-5)
    assert meter.compute()["return"] == 5.5
    assert standardised(batch.advantages).tolist() == pytest.approx([-1, 1])


def test_actions_are_drawn_by_their_probabilities_and_the_best_one_is_the_likeliest() -> None:
    task = agent()
    observations = torch.full((4000, 1), math.log(3))  # probabilities of 3/4 and 1/4
    actions, logs = task.decide(observations, torch.Generator().manual_seed(1))
    assert float(actions.float().mean()) == pytest.approx(1 / 4, abs=0.02)
    assert torch.allclose(logs.exp(), torch.where(actions == 0, 3 / 4, 1 / 4))
    assert task.best_actions(torch.tensor([[5.0], [-5.0]])).tolist() == [0, 1]  # the output for the value is no action
    assert task.judge(torch.tensor([[3.0]])).tolist() == [6.0]
