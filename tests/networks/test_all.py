"""What holds for every network that configs/model names."""

import copy
import functools
import io
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from firstlight.build import build_task
from firstlight.config import CONFIG_DIR, compose, to_plain
from firstlight.flops import flops_per_sample
from firstlight.spec import DataSpec
from firstlight.tasks import Task

MODELS = sorted(path.stem for path in (CONFIG_DIR / "model").glob("*.yaml"))
SHAPE = (3, 20, 28)  # neither square nor a power of two
SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 40, 64)]


@functools.cache
def config(model: str) -> dict[str, Any]:
    return to_plain(compose(f"model={model}"))


def build(model: str, shape: tuple[int, ...] = SHAPE, seed: int = 1) -> Task:
    spec = DataSpec(shape, 7, tuple("abcdefg"), (0.4,) * shape[0], (0.2,) * shape[0])
    return build_task(config(model) | {"seed": seed}, spec)


def pictures(shape: tuple[int, ...] = SHAPE, number: int = 4) -> torch.Tensor:
    return torch.randint(0, 256, (number, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def scores(task: Task, shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    return task.eval().network(task.preprocess(pictures(shape)))


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def task(model: str) -> Task:
    """Not to be changed: tests share it."""
    return build(model).eval()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_gives_one_finite_score_per_class(model: str, shape: tuple[int, ...]) -> None:
    found = scores(build(model, shape), shape)
    assert found.shape == (4, 7)
    assert found.isfinite().all()


def test_its_first_weights_follow_from_the_seed(model: str, task: Task) -> None:
    assert torch.equal(scores(build(model, seed=1)), scores(task))
    assert not torch.equal(scores(build(model, seed=2)), scores(task))


def test_its_state_survives_a_file(model: str, task: Task) -> None:
    loaded, file = build(model, seed=2), io.BytesIO()
    torch.save(task.state_dict(), file)
    file.seek(0)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(scores(loaded), scores(task))


def test_its_copy_gives_the_same_scores_in_inference_mode(task: Task) -> None:
    inputs = task.preprocess(pictures())
    before = inputs.clone()
    with torch.inference_mode():
        found = copy.deepcopy(task.network)(inputs)
    assert torch.equal(found, scores(task))
    assert torch.equal(inputs, before)  # layers that write over their input do not write over ours


def test_its_cost_is_known_from_shapes_alone(task: Task) -> None:
    assert flops_per_sample(task.network, task.preprocess.output_spec) > 0


def test_a_gradient_reaches_every_parameter(model: str) -> None:
    task = build(model).train()
    task.batch_loss((pictures(), torch.tensor([0, 1, 2, 3])), task.new_meter()).backward()
    gradients = {name: parameter.grad for name, parameter in task.network.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None or not gradient.any()] == []


def test_a_sample_does_not_depend_on_its_batch(task: Task) -> None:
    with torch.no_grad():
        alone = torch.cat([task.network(task.preprocess(picture[None])) for picture in pictures()])
    torch.testing.assert_close(alone, scores(task), atol=1e-5, rtol=1e-4)


def test_it_learns_a_batch_by_heart(model: str) -> None:
    task, targets = build(model, (3, 16, 16)).train(), torch.arange(8) % 7
    inputs = task.preprocess(pictures((3, 16, 16), number=8))
    for layer in task.network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0  # it is there to make this hard
    optimizer = torch.optim.Adam(task.network.parameters(), lr=1e-3, fused=True)
    losses: list[float] = []
    while len(losses) < 100 and min(losses, default=1.0) > 0.05:
        loss = F.cross_entropy(task.network(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] <= 0.05
