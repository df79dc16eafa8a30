"""Modules of torchvision, of Kornia and of our own as augmentation steps."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from firstlight.augment import Augment, Flip, ModuleStep, Noise, ReplaceTokens
from firstlight.augment.step import Step
from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.randomness import reseed
from firstlight.runs.evaluate import evaluate
from firstlight.spec import DataSpec
from firstlight.tasks.build import build_task
from firstlight.training.run import train
from helpers.runs import TINY, history, same_weights
from helpers.samples import image_spec, noisy_images

COLOUR = image_spec(3, 16, 16)
TOKENS = DataSpec((5,), 6, ("<unk>", *"abcde"), (), ())
NUMBERS = DataSpec((2,), 1, ("y",), (1.0, -2.0), (2.0, 0.5), target_mean=(10.0,), target_std=(3.0,))
CLASSES = torch.arange(64) % 7


class Scaled(nn.Module):
    """Multiplies all images of a call by one random number; `source` draws it."""

    def __init__(self, source: str = "torch") -> None:
        super().__init__()
        self.source = source
        self.own = np.random.default_rng(0)

    def forward(self, images: Tensor) -> Tensor:
        draws: dict[str, Callable[[], float]] = {
            "torch": lambda: float(torch.rand(())),
            "numpy": np.random.rand,
            "python": random.random,
            "own": self.own.random,
        }
        return images * draws[self.source]()


class Noisy(nn.Module):
    """Adds a random number to each sample."""

    def forward(self, samples: Tensor) -> Tensor:
        return (samples + 0.5 * torch.rand(len(samples), *[1] * (samples.ndim - 1))).clamp(0, 1)


class Applied(nn.Module):
    """Calls a function."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, samples: Tensor) -> Any:
        return self.function(samples)


class Halved(Step):
    """A step of no special kind."""

    def apply(self, samples: Tensor) -> Tensor:
        return samples / 2


class Raised(Step):
    """Adds 0.25, after `Halved` or before it."""

    def apply(self, samples: Tensor) -> Tensor:
        return samples + 0.25


def pixels(inputs: Tensor, spec: DataSpec = COLOUR) -> Tensor:
    """Convert a network's input to values from 0 to 1."""
    return inputs * torch.tensor(spec.std)[:, None, None] + torch.tensor(spec.mean)[:, None, None]


def changed(raw: Tensor, spec: DataSpec = COLOUR, seed: int = 1, **steps: Any) -> Tensor:
    pipeline = Augment(spec, **steps)
    reseed(seed, torch.device("cpu"))
    return pixels(pipeline(raw, CLASSES[: len(raw)])[0], spec)


def test_a_transform_of_torchvision_draws_for_each_sample_and_its_numbers_follow_from_the_seed() -> None:
    raw = noisy_images(1, 3, 16, 16).expand(6, -1, -1, -1)
    found = changed(raw, jitter=v2.ColorJitter(brightness=0.3))
    assert torch.equal(found, changed(raw, jitter=v2.ColorJitter(brightness=0.3)))
    assert not torch.equal(found, changed(raw, seed=2, jitter=v2.ColorJitter(brightness=0.3)))
    factors = (found.flatten(1).mean(1) / (raw.float() / 255).flatten(1).mean(1)).tolist()
    assert len({round(factor, 4) for factor in factors}) == 6
    assert all(0.6 < factor < 1.31 for factor in factors)


def test_a_deterministic_transform_gives_the_values_of_torchvision() -> None:
    raw = noisy_images(4, 3, 16, 16)
    expected = v2.functional.solarize(raw.float() / 255, 0.5)
    torch.testing.assert_close(changed(raw, solarize=v2.RandomSolarize(0.5, p=1.0)), expected, atol=1e-5, rtol=0)


@pytest.mark.filterwarnings("ignore:The image decoding and encoding:DeprecationWarning")  # of torchvision 0.29
def test_a_transform_that_needs_uint8_gets_it() -> None:
    raw = noisy_images(4, 3, 16, 16)
    step = ModuleStep(v2.JPEG((30, 30)))
    expected = v2.functional.jpeg(raw, 30).float() / 255
    torch.testing.assert_close(changed(raw, jpeg=step), expected, atol=1e-5, rtol=0)
    assert step.dtype == "uint8"


@pytest.mark.parametrize("module", [v2.AutoAugment(), v2.TrivialAugmentWide(), v2.GaussianBlur(3), v2.RandomErasing()])
def test_transforms_of_many_kinds_are_steps(module: nn.Module) -> None:
    raw = noisy_images(16, 3, 16, 16)
    found = changed(raw, own=module)
    assert found.shape == raw.shape
    assert not torch.allclose(found, raw / 255, atol=1e-3)


@pytest.mark.parametrize("per_sample", [None, True, False])
def test_a_module_gets_the_whole_batch_unless_it_is_called_per_sample(per_sample: bool | None) -> None:
    sizes: list[int] = []

    def counted(samples: Tensor) -> Tensor:
        sizes.append(len(samples))
        return samples

    module = Applied(counted)
    changed(noisy_images(6, 3, 16, 16), own=ModuleStep(module, per_sample=per_sample))
    assert sizes[-1] == (1 if per_sample else 6)


def test_modules_within_others_decide_too() -> None:
    assert ModuleStep(nn.Sequential(Noisy(), v2.ColorJitter())).per_sample
    assert not ModuleStep(nn.Sequential(Noisy(), nn.Dropout())).per_sample


@pytest.mark.parametrize("source", ["torch", "numpy", "python"])
def test_the_generators_of_torch_numpy_and_python_follow_from_the_seed(source: str) -> None:
    raw, before = noisy_images(2, 3, 16, 16), (random.getstate(), str(np.random.get_state()))
    found = [changed(raw, seed=seed, own=Scaled(source)) for seed in (1, 1, 2)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert (random.getstate(), str(np.random.get_state())) == before


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            v2.Resize(8),
            r"Resize must return samples of the shape .*\(1, 3, 16, 16\), not \(1, 3, 8, 8\)\. augment\.size",
        ),
        (v2.ToDtype(torch.float16), r"ToDtype must return samples of the type .*float32, not torch\.float16"),
        (v2.Normalize([0.5], [0.5]), r"Normalize must return values from 0 to 1, .*normalised after the steps"),
        (v2.MixUp(num_classes=7), r"MixUp must be \+augment\.mixup\.alpha=0\.2"),
        (v2.CutMix(num_classes=7), r"CutMix must be \+augment\.cutmix\.alpha=1"),
        (v2.FiveCrop(16), r"FiveCrop must return a tensor, not an instance of tuple"),
        (Scaled("own"), r"Scaled must draw from the default generators"),
        (Applied(lambda samples: samples.flip(0)), r"Applied must change each sample by itself"),
        (Applied(lambda samples: samples / 0 * 0), r"Applied must return finite values"),
        (Applied(lambda samples: samples @ samples[:, :, :3]), r"Applied must map a batch .* raises RuntimeError: "),
        (nn.Conv2d(3, 3, 3), r"Conv2d must return samples of the shape"),
    ],
)
def test_a_module_that_is_no_step_raises_an_error_before_the_training(module: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^augment\.own: {message}"):
        Augment(COLOUR, own=module)


def test_steps_of_one_stage_are_applied_in_order_after_geometry_and_before_mixing() -> None:
    raw = noisy_images(4, 3, 16, 16)
    flipped = raw.flip(3).float() / 255
    found = changed(raw, halved=Halved(), raised=Raised(), flip=Flip(p=1))
    torch.testing.assert_close(found, flipped / 2 + 0.25, atol=1e-5, rtol=0)
    found = changed(raw, raised=Raised(), none=Noise(std=0), module=v2.Identity(), halved=Halved())
    torch.testing.assert_close(found, (raw / 255 + 0.25).clamp(0, 1) / 2, atol=1e-5, rtol=0)


def test_a_step_that_returns_another_shape_raises_an_error() -> None:
    class Cropped(Step):
        def apply(self, samples: Tensor) -> Tensor:
            return samples[:, :, 1:]

    pipeline = Augment(COLOUR, own=Cropped())
    with pytest.raises(ValueError, match=r"^augment\.own: Cropped must return samples of the shape"):
        pipeline(noisy_images(2, 3, 16, 16), CLASSES[:2])


def test_a_step_of_an_unknown_stage_is_refused() -> None:
    class Lost(Halved):
        stage = "sound"

    with pytest.raises(ValueError, match=r"^augment\.own: must be of the stage .*; Lost is sound\."):
        Augment(COLOUR, own=Lost())


def test_tokens_and_numbers_have_steps_too() -> None:
    windows = torch.arange(1, 6).repeat(3, 1)
    swapped = Augment(TOKENS, own=Applied(lambda samples: samples.flip(1)), none=ReplaceTokens(p=0))
    inputs, targets = swapped(windows, torch.cat([windows[:, 1:], windows[:, :1]], 1))
    assert inputs.tolist() == [[1, 5, 4, 3, 2]] * 3
    assert targets.tolist() == [[5, 4, 3, 2, 1]] * 3
    pipeline = Augment(NUMBERS, drop=nn.Dropout(0.5))
    reseed(1, torch.device("cpu"))
    found, _ = pipeline(torch.tensor([[5.0, 0.0]]).expand(64, 2), torch.zeros(64, 1))
    assert {*found.flatten().tolist()} == {0.0, 4.0, 8.0}  # the standardised columns are 2 and 4
    with pytest.raises(ValueError, match=r"^augment\.own: Applied must return tokens from 0 to 5, and returns 6 to 6"):
        Augment(TOKENS, own=Applied(lambda samples: samples * 0 + 6))


def test_kornia_draws_for_each_sample_by_itself() -> None:
    kornia = pytest.importorskip("kornia.augmentation")
    raw = noisy_images(1, 3, 16, 16).expand(6, -1, -1, -1)
    step = ModuleStep(kornia.RandomAffine(30.0, p=1.0))
    found = changed(raw, own=step)
    assert not step.per_sample
    assert torch.equal(found, changed(raw, own=step))
    assert not torch.allclose(found[0], found[1], atol=1e-3)


JITTER = "+augment.jitter={_target_: torchvision.transforms.v2.ColorJitter, brightness: 0.3}"


def test_a_module_with_random_weights_follows_from_the_seed_of_the_run() -> None:
    node = "{_target_: torch.nn.Conv2d, in_channels: 1, out_channels: 1, kernel_size: 1}"
    node = f"+augment.own={{_target_: torch.nn.Sequential, _args_: [{node}, {{_target_: torch.nn.Sigmoid}}]}}"
    weights = []
    for seed in (1, 1, 2):
        torch.rand(5)
        config = RunConfig.from_overrides("model=linear", f"seed={seed}", node)
        task = build_task(config, image_spec(1, 8, 8))
        step: Any = task.augment.samples["own"]
        weights.append(float(step.module[0].weight))
        assert not [name for name in task.state_dict() if "augment" in name]
        assert not build_task(config, image_spec(1, 8, 8), training=False).augment.has_steps
    assert weights[0] == weights[1] != weights[2]


def test_a_run_with_a_module_repeats_bit_for_bit_and_is_evaluated_without_it(tmp_path: Path) -> None:
    words = ("+trainer.limit_train_batches=2", *TINY)
    for name, more in {"one": (JITTER,), "again": (JITTER,), "without": ()}.items():
        train(compose(*words, *more), run_dir=tmp_path / name)
    assert same_weights(tmp_path / "one", tmp_path / "again")
    assert history(tmp_path / "one") == history(tmp_path / "again")
    assert not same_weights(tmp_path / "one", tmp_path / "without")
    assert evaluate(tmp_path / "one") == evaluate(tmp_path / "again")
