import pytest
import torch
from torch import nn

from firstlight.augment import Augment
from firstlight.spec import DataSpec
from firstlight.tasks import DQN
from firstlight.tasks.reinforcement.replay import Memory, Transitions

SPEC = DataSpec((1,), 2, ("action 0", "action 1"), (0.0,), (1.0,), environment="CartPole-v1")


def agent(**options: float) -> DQN:
    """Return an agent whose values of an observation x are x and -x."""
    network = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.0], [-1.0]]))
    return DQN(SPEC, network, Augment(SPEC), discount=0.5, **options)  # type: ignore[arg-type]


def column(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers)[:, None]


# Two steps: after the first, x is 3; the second ends its episode.
BATCH = Transitions(
    column(1.0, 2.0), torch.tensor([0, 1]), torch.tensor([1.0, 1.0]), column(3.0, 9.0), torch.tensor([0.0, 1.0]),
    torch.tensor([7.0]),
)  # fmt: skip


@pytest.mark.parametrize(("double", "goal"), [(False, 1 + 0.5 * 6), (True, 1 + 0.5 * -6)])
def test_goals_are_rewards_and_the_value_that_the_target_network_gives_to_the_best_action(
    double: bool, goal: float
) -> None:
    task = agent(double=double)
    with torch.no_grad():  # the target network prefers the other action: -2x and 2x
        task.target.weight.copy_(torch.tensor([[-2.0], [2.0]]))  # type: ignore[operator]
    assert task.goals(BATCH).tolist() == [goal, 1.0]


def test_the_loss_is_that_of_huber_and_the_metric_is_the_mean_return() -> None:
    task = agent().train()
    meter = task.new_meter()
    # The values of the actions are 1 and -2, their goals 1 + 0.5 * 3 and 1; errors of 1.5 and 3 count linearly.
    loss = task.batch_loss(BATCH, meter)
    assert float(loss.detach()) == pytest.approx(((1.5 - 0.5) + (3 - 0.5)) / 2)
    assert meter.compute() == {"return": 7.0, "loss": pytest.approx(1.75)}


def test_the_target_network_follows_every_so_many_steps() -> None:
    task = agent(target_every=3).train()
    equal = []
    for _ in range(7):
        with torch.no_grad():
            task.network.weight += 1
        task.loss_of(BATCH)
        equal.append(torch.equal(task.network.weight, task.target.weight))  # type: ignore[arg-type]
    assert equal == [True, False, False, True, False, False, True]


def test_actions_are_random_at_first_and_rarely_so_in_the_end() -> None:
    task = agent(warm_up=10, epsilon=0.2, epsilon_steps=100)
    assert [task.exploration(steps) for steps in (0, 10, 60, 110, 999)] == pytest.approx([1, 1, 0.6, 0.2, 0.2])
    random = torch.Generator().manual_seed(1)
    observations = torch.ones(4000, 1)  # action 0 is the best
    for steps, wrong in ((0, 0.5), (999, 0.1)):
        assert float(task.explore(observations, steps, random).float().mean()) == pytest.approx(wrong, abs=0.03)


def test_a_memory_forgets_the_oldest_steps_and_draws_what_belongs_together() -> None:
    memory = Memory(4, 1)
    for number in (0.0, 1.0, 2.0):
        seen = column(number, number)
        memory.add(seen, seen[:, 0].long(), seen[:, 0], seen, torch.zeros(2))
    copy = Memory(4, 1)
    copy.load_state_dict(memory.state_dict())
    for each in (memory, copy):
        seen, actions, rewards, following, _ = each.draw(100, torch.Generator().manual_seed(1))
        assert set(actions.tolist()) == {1, 2}
        assert torch.equal(actions.float(), rewards)
        assert torch.equal(seen, following)
    assert (len(copy), copy.num_added) == (4, 6)
