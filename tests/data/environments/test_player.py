from pathlib import Path

import gymnasium
import pytest
import torch
from torch import Tensor

from firstlight.data import Environment
from firstlight.data.environments.player import Player, play


def random_actions(environments: int, seed: int) -> Tensor:
    return torch.randint(2, (environments,), generator=torch.Generator().manual_seed(seed))


def test_a_player_continues_from_its_state_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    one = Player("CartPole-v1", [1, 2, 3])
    for number in range(100):
        one.step(random_actions(3, number))
    assert 3 < len(one.finished) < 20
    torch.save(one.state_dict(), tmp_path / "state")
    other = Player("CartPole-v1", [1, 2, 3])
    other.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    assert torch.equal(one.observations, other.observations)
    for number in range(100, 200):
        for found, again in zip(*(player.step(random_actions(3, number)) for player in (one, other)), strict=True):
            assert torch.equal(found, again)
    assert torch.equal(one.take_finished(), other.take_finished())
    assert one.finished == []


def test_a_step_shows_the_end_of_an_episode_and_the_beginning_of_the_next() -> None:
    player = Player("CartPole-v1", [1])
    for _ in range(500):
        found = player.step(torch.ones(1, dtype=torch.int64))
        if found.over[0]:
            break
        assert torch.equal(player.observations, found.next_observations)
    assert found.ended[0] == 1
    assert found.next_observations[0, 2].abs() > 0.2  # radians, at which the pole counts as fallen
    assert player.observations.abs().max() <= 0.05


def test_an_episode_at_its_limit_is_over_and_has_not_ended() -> None:
    player = Player("MountainCar-v0", [1])
    rounds = [player.step(torch.ones(1, dtype=torch.int64)) for _ in range(200)]
    assert [(float(each.ended), float(each.over)) for each in rounds[-2:]] == [(0, 0), (0, 1)]
    assert player.finished == [-200.0]


def test_returns_are_the_sums_of_the_rewards_of_each_seed() -> None:
    def left(observations: Tensor) -> Tensor:
        return torch.zeros(len(observations), dtype=torch.int64)

    returns = []
    for seed in (4, 5, 6):
        environment, total, over = gymnasium.make("CartPole-v1"), 0.0, False
        environment.reset(seed=seed)
        while not over:
            _, reward, over, _, _ = environment.step(0)
            total += float(reward)
        returns.append(total)
    assert play("CartPole-v1", [4, 5, 6], left).tolist() == returns


def test_the_splits_begin_episodes_of_which_only_those_of_the_training_change_with_the_seed(tmp_path: Path) -> None:
    source = Environment(str(tmp_path), environment="MountainCar-v0", parallel=3, val_episodes=4, test_episodes=5)
    store, one = source.splits(1)
    _, other = source.splits(2)
    assert {name: len(split) for name, split in one.items()} == {"train": 3, "val": 4, "test": 5}
    assert [torch.equal(one[name].targets, other[name].targets) for name in ("train", "val", "test")] == [0, 1, 1]
    assert (store.spec.kind, store.spec.targets, store.spec.num_outputs) == ("numbers", "rewards", 3)
    assert store.spec.mean == pytest.approx((-0.3, 0))  # positions from -1.2 to 0.6, speeds up to 0.07
    assert store.spec.std == pytest.approx((0.9, 0.07))
    seeds = one["val"].targets[:, 0].tolist()
    first = [gymnasium.make("MountainCar-v0").reset(seed=seed)[0].tolist() for seed in seeds]
    assert one["val"].inputs.tolist() == first


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ("CartPol-v1", "unknown environment, did you mean 'CartPole-v1'"),
        ("Pendulum-v1", r"must have a list of actions to choose from, and its actions are Box\(-2"),
        ("FrozenLake-v1", r"must be observed as a row of numbers, and its observations are Discrete\(16\)"),
        ("os:CartPole-v1", "must be the id of an installed environment, without a module"),
    ],
)
def test_an_environment_that_no_agent_can_play_raises_an_error(environment: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"data.environment={environment}: {message}"):
        Environment(str(tmp_path), environment=environment).store()
