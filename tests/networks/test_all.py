"""What holds for every network that configs/model names."""

import io

import pytest
import torch

from firstlight.build import build_task
from firstlight.config import CONFIG_DIR, compose, to_plain
from firstlight.spec import DataSpec
from firstlight.tasks import Task

MODELS = sorted(path.stem for path in (CONFIG_DIR / "model").glob("*.yaml"))
SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 40, 64)]

pytestmark = [pytest.mark.parametrize("model", MODELS), pytest.mark.parametrize("shape", SHAPES, ids=str)]


def build(model: str, shape: tuple[int, ...], seed: int = 1) -> Task:
    spec = DataSpec(shape, 7, tuple("abcdefg"), (0.4,) * shape[0], (0.2,) * shape[0])
    return build_task(to_plain(compose(f"model={model}", f"seed={seed}")), spec)


def pictures(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randint(0, 256, (4, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def scores(task: Task, shape: tuple[int, ...]) -> torch.Tensor:
    return task.eval().network(task.preprocess(pictures(shape)))


def test_it_gives_one_finite_score_per_class(model: str, shape: tuple[int, ...]) -> None:
    found = scores(build(model, shape), shape)
    assert found.shape == (4, 7)
    assert found.isfinite().all()


def test_its_first_weights_follow_from_the_seed(model: str, shape: tuple[int, ...]) -> None:
    first, again, other = (scores(build(model, shape, seed), shape) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_its_state_survives_a_file(model: str, shape: tuple[int, ...]) -> None:
    saved, file = build(model, shape, seed=1), io.BytesIO()
    torch.save(saved.state_dict(), file)
    file.seek(0)
    loaded = build(model, shape, seed=2)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(scores(loaded, shape), scores(saved, shape))


def test_a_gradient_reaches_every_parameter(model: str, shape: tuple[int, ...]) -> None:
    task = build(model, shape).train()
    task.batch_loss((pictures(shape), torch.tensor([0, 1, 2, 3])), task.new_meter()).backward()
    gradients = {name: parameter.grad for name, parameter in task.network.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None or not gradient.any()] == []


def test_a_sample_does_not_depend_on_its_batch(model: str, shape: tuple[int, ...]) -> None:
    task = build(model, shape)
    together = scores(task, shape)
    with torch.no_grad():
        alone = torch.cat([task.network(task.preprocess(picture[None])) for picture in pictures(shape)])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-4)
