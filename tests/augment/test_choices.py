"""Pipelines that are composed from configs/augment and the command line, and their use in training."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from torch import Tensor

from firstlight import augment
from firstlight.augment.step import Step
from firstlight.config import RunConfig
from firstlight.config.compose import CONFIG_DIR, compose, to_plain
from firstlight.randomness import derive, reseed
from firstlight.spec import DataSpec
from firstlight.tasks import Task
from firstlight.tasks.build import build_task
from firstlight.training.module import TrainingModule
from helpers.samples import image_spec, noisy_images

pytestmark = pytest.mark.usefixtures("the_same_draws")

CPU = torch.device("cpu")
PIPELINES = sorted(path.stem for path in (CONFIG_DIR / "augment").glob("*.yaml"))
CLASSES = torch.arange(16) % 7
COLOUR = image_spec(3, 32, 32)


def build_linear_task(*overrides: str) -> Task:
    return build_task(RunConfig.from_overrides("model=linear", *overrides), COLOUR)


@pytest.mark.parametrize("choice", PIPELINES)
@pytest.mark.parametrize("spec", [image_spec(1, 8, 8), image_spec(3, 32, 32), image_spec(3, 64, 64, margin=4)])
def test_every_pipeline_accepts_every_kind_of_image(choice: str, spec: DataSpec) -> None:
    node = to_plain(compose(f"augment={choice}"))["augment"]
    pipeline = instantiate(node, _partial_=True)(spec, min_size=48)  # larger than some of the data
    inputs, targets = pipeline(noisy_images(16, *spec.stored_shape), CLASSES)
    size = max(48, spec.input_shape[1])
    assert inputs.shape == (16, spec.input_shape[0], size, size)
    assert inputs.isfinite().all()
    assert len(targets) == 16


@pytest.mark.parametrize("choice", [choice for choice in PIPELINES if choice != "none"])
def test_samples_are_augmented_in_training_only(choice: str) -> None:
    task, raw = build_linear_task(f"augment={choice}"), noisy_images(16, 3, 32, 32)
    inputs, targets = task.eval().prepared((raw, CLASSES))
    assert torch.equal(inputs, task.preprocess(raw))
    assert torch.equal(targets, CLASSES)
    inputs, _ = task.train().prepared((raw, CLASSES))
    assert not torch.isclose(inputs, task.preprocess(raw), atol=1e-3).all()


def test_without_steps_training_and_evaluation_get_the_same_inputs() -> None:
    task, raw = build_linear_task("augment=none"), noisy_images(16, 3, 32, 32)
    assert torch.equal(task.train().prepared((raw, CLASSES))[0], task.preprocess(raw))


def inputs_of_training_step(config: RunConfig, batch: int, epoch: int, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Return the network's inputs in one training step."""
    module = TrainingModule(build_task(config, COLOUR), config)
    seen: list[Tensor] = []
    module.task.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    monkeypatch.setattr(TrainingModule, "current_epoch", epoch)
    for method in ("_guard", "_weighted"):  # these ask the Trainer for the step
        monkeypatch.setattr(TrainingModule, method, lambda _, loss, *rest: loss)
    module._meter = module.task.new_meter()
    module.train().training_step((noisy_images(16, 3, 32, 32), CLASSES), batch)
    return seen[0]


def test_an_augmented_batch_depends_on_the_seed_the_epoch_and_the_step_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def inputs(seed: int, epoch: int, batch: int) -> Tensor:
        config = RunConfig.from_overrides("model=linear", "augment=strong", f"seed={seed}")
        return inputs_of_training_step(config, batch, epoch, monkeypatch)

    first = inputs(1, 0, 0)
    torch.rand(17)  # earlier random numbers have no influence
    assert torch.equal(inputs(1, 0, 0), first)
    for other in ((2, 0, 0), (1, 1, 0), (1, 0, 1)):
        assert not torch.isclose(inputs(*other), first, atol=1e-3).all()


@pytest.mark.parametrize("choice", PIPELINES)
def test_the_same_seed_gives_the_same_batch(choice: str) -> None:
    task, raw = build_linear_task(f"augment={choice}").train(), noisy_images(16, 3, 32, 32)
    batches = []
    for _ in range(2):
        reseed(derive(1, "step", 3, 5, 0), CPU)
        batches.append(task.prepared((raw, CLASSES)))
    for first, again in zip(*batches, strict=True):
        assert torch.equal(first, again)


def test_a_network_learns_from_mixed_targets() -> None:
    task = build_linear_task("augment=none", "+augment.mixup.alpha=1")
    raw, meter = noisy_images(16, 3, 32, 32), task.new_meter()
    reseed(1, CPU)
    inputs, targets = task.train().prepared((raw, CLASSES))
    reseed(1, CPU)
    loss = task.batch_loss((raw, CLASSES), meter)
    torch.testing.assert_close(loss, -(targets * task.network(inputs).log_softmax(1)).sum(1).mean())
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in task.network.parameters())


@pytest.mark.parametrize(
    ("overrides", "geometry"),
    [
        (["augment=flip_crop", "augment.flip.p=0.3"], [augment.Flip, augment.PadAndCrop]),
        (["augment=flip_crop", "augment.flip=null"], [augment.PadAndCrop]),
        (["augment=none", "+augment.rotate.degrees=15"], [augment.Rotate]),
        (["augment=flip_crop", "+augment.shear={}"], [augment.Flip, augment.PadAndCrop, augment.Shear]),
        (["augment=none", "+augment.twice._target_=firstlight.augment.Flip"], [augment.Flip]),
    ],
)
def test_steps_are_added_and_removed_on_the_command_line(overrides: list[str], geometry: list[type[Step]]) -> None:
    pipeline = build_linear_task(*overrides).augment
    assert [type(step) for step in pipeline.geometry] == geometry


def test_values_on_the_command_line_reach_the_steps() -> None:
    pipeline = build_linear_task("augment=flip_crop", "augment.flip.p=0.3", "+augment.rotate.degrees=7").augment
    flip, _, rotate = pipeline.geometry
    assert flip.p == 0.3
    assert isinstance(rotate, augment.Rotate)
    assert rotate.degrees == 7


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+augment.rotate.degrees=-3", r"^augment\.rotate\.degrees=-3: must be at least 0"),
        ("+augment.flip.p=2", r"^augment\.flip\.p=2: must be at least 0 and at most 1"),
        ("+augment.replace_tokens.rate=0.1", r"^augment\.replace_tokens: must be a step for images"),
        ("+augment.replace_synonyms.p=1", r"^augment\.replace_synonyms: .* missing .* 'file'"),
        ("augment.padding=zeros", r"^augment\.padding=zeros: unknown padding, did you mean 'zero'\?"),
    ],
)
def test_errors_name_the_key_of_the_step(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_linear_task("augment=none", override)


def test_evaluation_needs_no_thesaurus(tmp_path: Path) -> None:
    spec, file = DataSpec((4,), 2, ("big", "large"), (), ()), tmp_path / "thesaurus.txt"
    config = RunConfig.from_overrides("model=rnn", "task=language", f"+augment.replace_synonyms.file={file}")
    file.write_text("big large")
    assert build_task(config, spec).augment.samples
    file.unlink()
    with pytest.raises(ValueError, match=r"^augment\.replace_synonyms\.file=.*must be an existing file"):
        build_task(config, spec)
    assert not build_task(config, spec, training=False).augment.samples
