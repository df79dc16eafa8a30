"""Properties of every network in configs/model."""

import copy
import functools
import io
import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from hydra.utils import get_class
from torch import nn

from firstlight.config import RunConfig
from firstlight.config.compose import CONFIG_DIR
from firstlight.networks.flops import flops_per_sample
from firstlight.networks.network import class_of
from firstlight.spec import DataSpec
from firstlight.tasks import Adversarial, Task
from firstlight.tasks.build import build_task

DETECTORS = {"fcos", "fasterrcnn", "retinanet"}  # test_fcos.py and test_torchvision_detectors.py have their tests
MODELS = sorted({path.stem for path in (CONFIG_DIR / "model").glob("[!_]*.yaml")} - DETECTORS)
SHAPE = (3, 20, 28)  # neither square nor a power of two
SHAPES = [(1, 8, 8), (3, 40, 64)]
SIBLINGS = {"resnet34", "vgg13", "vgg16", "vgg19"}  # deeper networks of the classes of resnet18, resnet50 and vgg11
LANGUAGE = {"_target_": "firstlight.tasks.Language"}
OF_PIXELS = ("fcn", "segnet", "unet")
LENGTH = 12  # tokens in a sample of text


@functools.cache
def config(model: str) -> RunConfig:
    small = ["model.base_channels=8"] if model in OF_PIXELS else []  # 64 take seconds
    return RunConfig.from_overrides(f"model={model}", *small)


def takes_images(model: str) -> bool:
    return "images" in class_of(get_class(config(model).model["_target_"])).accepts


TOKENS = [model for model in MODELS if not takes_images(model)]
TEXT_CLASSIFIERS = [
    model for model in TOKENS if class_of(get_class(config(model).model["_target_"])).task == "classification"
]
CLASSIFIERS = [model for model in MODELS if takes_images(model) and "Classification" in config(model).task["_target_"]]
CASES = [(model, shape) for model in MODELS for shape in (SHAPES if takes_images(model) else [(5,)])]


def build(model: str, shape: tuple[int, ...] = SHAPE, seed: int = 1) -> Task:
    if model in TEXT_CLASSIFIERS:
        length = (LENGTH,) if shape == SHAPE else shape
        spec = DataSpec(length, 7, tuple("abcdefg"), (), (), vocabulary=("<unk>", *"abcdef"))
        return build_task(replace(config(model), seed=seed), spec)
    if model in TOKENS:
        spec = DataSpec((LENGTH,) if shape == SHAPE else shape, 7, ("<unk>", *"abcdef"), (), ())
        return build_task(replace(config(model), seed=seed, task=LANGUAGE), spec)
    masks = "masks" if model in OF_PIXELS else ""
    spec = DataSpec(shape, 7, tuple("abcdefg"), (0.4,) * shape[0], (0.2,) * shape[0], target_type=masks)
    return build_task(replace(config(model), seed=seed), spec)


def raw_inputs(task: Task, number: int = 4) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    if task.spec.kind == "tokens":
        tokens = torch.randint(0, 7, (number, *task.spec.input_shape), dtype=torch.int32, generator=random)
        tokens[:, 0] = torch.arange(number)  # different first tokens make the next tokens predictable
        return tokens
    return torch.randint(0, 256, (number, *task.spec.input_shape), dtype=torch.uint8, generator=random)


def inputs_of(task: Task, number: int = 4) -> torch.Tensor:
    """Return inputs of the network: latents for a generator, else preprocessed samples."""
    if isinstance(task, Adversarial):
        return torch.randn(number, task.network.latent_dim, generator=torch.Generator().manual_seed(0))
    return task.preprocess(raw_inputs(task, number))


def targets_of(task: Task, number: int = 4) -> torch.Tensor:
    """Return classes, the next tokens, or a class for each pixel."""
    if task.spec.targets == "masks":
        return (raw_inputs(task, number)[:, 0] % 7).to(torch.uint8)
    return raw_inputs(task, number).roll(-1, 1) if task.spec.targets == "tokens" else torch.arange(number) % 7


@torch.no_grad()
def outputs(task: Task) -> torch.Tensor:
    return task.eval().network(inputs_of(task))


@pytest.fixture(scope="module", params=[model for model in MODELS if model not in SIBLINGS])
def model(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def task(model: str) -> Task:
    """A task in evaluation mode. Tests must not change it, because all of them use it."""
    return build(model).eval()


@pytest.mark.parametrize(("model", "shape"), CASES, ids=str)
def test_outputs_are_finite_and_have_the_shape_that_the_task_needs(model: str, shape: tuple[int, ...]) -> None:
    task = build(model, shape)
    found = outputs(task)
    if model in CLASSIFIERS or model in TEXT_CLASSIFIERS:
        assert found.shape == (4, 7)
    elif model in OF_PIXELS:
        assert found.shape == (4, 7, *shape[1:])
    else:
        assert found.shape == ((4, *shape, 7) if model in TOKENS else (4, *shape))
    assert found.isfinite().all()


def test_initial_weights_depend_on_the_seed_only(model: str, task: Task) -> None:
    assert torch.equal(outputs(build(model, seed=1)), outputs(task))
    assert not torch.equal(outputs(build(model, seed=2)), outputs(task))


def test_a_saved_state_gives_the_same_outputs(task: Task) -> None:
    loaded, file = copy.deepcopy(task), io.BytesIO()
    for tensor in loaded.state_dict().values():
        tensor.zero_()
    assert not torch.equal(outputs(loaded), outputs(task))
    torch.save(task.state_dict(), file)
    file.seek(0)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(outputs(loaded), outputs(task))


def test_a_copy_gives_the_same_outputs_in_inference_mode(task: Task) -> None:
    inputs = inputs_of(task)
    before = inputs.clone()
    with torch.inference_mode():
        found = copy.deepcopy(task.network)(inputs)
    assert torch.equal(found, outputs(task))
    assert torch.equal(inputs, before)  # in-place layers do not change the network's input


def test_its_cost_is_computed_from_shapes(task: Task) -> None:
    assert flops_per_sample(task.network, task.preprocess.output_spec) > 0


def test_a_gradient_reaches_every_parameter(task: Task) -> None:
    task = copy.deepcopy(task).train()
    if isinstance(task, Adversarial):
        task.network.discriminate(task.network(inputs_of(task))).square().sum().backward()
    else:
        task.batch_loss((raw_inputs(task), targets_of(task)), task.new_meter()).backward()
    gradients = {name: parameter.grad for name, parameter in task.network.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None or not gradient.any()] == []


def test_a_sample_does_not_depend_on_its_batch(task: Task) -> None:
    with torch.no_grad():
        alone = torch.cat([task.network(sample[None]) for sample in inputs_of(task)])
    torch.testing.assert_close(alone, outputs(task), atol=1e-5, rtol=1e-4)


def slow_if_deep(model: str) -> Any:
    """Return a parameter; the deepest networks of a family are tested with the slow tests."""
    is_deep = re.fullmatch("alexnet|efficientnet_lite0|googlenet|inception|resnet50", model)
    return pytest.param(model, marks=pytest.mark.slow) if is_deep else model


@pytest.mark.parametrize("model", [slow_if_deep(model) for model in (*CLASSIFIERS, *TOKENS) if model not in SIBLINGS])
def test_it_overfits_a_batch(model: str) -> None:
    task = build(model, (LENGTH,) if model in TOKENS else (3, 16, 16)).train()
    batch = raw_inputs(task, number=7), targets_of(task, number=7)
    for layer in task.network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0  # dropout hinders overfitting
        elif isinstance(layer, nn.BatchNorm2d):
            layer.train()  # the statistics of pretrained weights do not fit random images
    lr = (
        0.05 if model == "bag_of_words" else 1e-3
    )  # its classes are means over embeddings, of which each step moves few
    optimizer = torch.optim.Adam(task.network.parameters(), lr=lr, fused=True)
    losses: list[float] = []
    while len(losses) < 100 and min(losses, default=1.0) > 0.05:
        loss = task.batch_loss(batch, task.new_meter())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] <= 0.05


def with_option(model: str, key: str, value: str) -> nn.Module:
    plain = config(model).to_plain()
    plain["model"] |= {key: value, "weights": None}
    if model in TEXT_CLASSIFIERS:
        spec = DataSpec((LENGTH,), 7, tuple("abcdefg"), (), (), vocabulary=("<unk>", *"abcdef"))
    elif model in TOKENS:
        spec = DataSpec((LENGTH,), 7, ("<unk>", *"abcdef"), (), ())
        plain["task"] = LANGUAGE
    else:
        masks = "masks" if model in OF_PIXELS else ""
        spec = DataSpec((3, 16, 16), 7, tuple("abcdefg"), (0.4,) * 3, (0.2,) * 3, target_type=masks)
    return build_task(RunConfig.parse(plain), spec).eval().network


def with_key(key: str) -> list[str]:
    """Return the networks that have an option."""
    return [model for model in MODELS if model not in SIBLINGS and config(model).model.get(key, 0) != 0]


@pytest.mark.parametrize("model", with_key("initialisation"))
def test_the_option_initialisation_draws_the_initial_weights(model: str) -> None:
    for module in with_option(model, "initialisation", "zeros").modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.RNNBase):
            assert not any(parameter.any() for parameter in module.parameters() if parameter.ndim > 1)
    drawn = with_option(model, "initialisation", "normal")
    for module in drawn.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) and module.weight.numel() > 500:
            assert float(module.weight.detach().std()) == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize("model", with_key("activation"))
def test_the_option_activation_changes_the_outputs(model: str) -> None:
    name = "relu" if model == "rnn" else "sigmoid"
    same, other = (with_option(model, "activation", value) for value in (config(model).model["activation"], name))
    other.load_state_dict(same.state_dict())
    random = torch.Generator().manual_seed(0)
    if model in TOKENS:
        inputs: torch.Tensor = torch.randint(0, 7, (2, LENGTH), generator=random)
    elif model == "gan":
        inputs = torch.randn(2, 64, generator=random)
    else:
        size = 32 if getattr(type(same), "min_size", 1) > 16 else 16
        inputs = torch.randn(2, 3, size, size, generator=random)
    with torch.no_grad():
        assert not torch.allclose(same(inputs), other(inputs))
