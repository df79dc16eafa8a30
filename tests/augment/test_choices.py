"""What configs/augment and the command line make of the pipeline, and what becomes of it in training."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from torch import Tensor

from firstlight import augment
from firstlight.augment.step import Step
from firstlight.config.compose import CONFIG_DIR, compose, to_plain
from firstlight.randomness import derive, reseed
from firstlight.spec import DataSpec
from firstlight.tasks import Task
from firstlight.tasks.build import build_task
from helpers.samples import image_spec, noisy_images

pytestmark = pytest.mark.usefixtures("the_same_draws")

CPU = torch.device("cpu")
PIPELINES = sorted(path.stem for path in (CONFIG_DIR / "augment").glob("*.yaml"))
CLASSES = torch.arange(16) % 7
COLOUR = image_spec(3, 32, 32)


def task_of(*words: str) -> Task:
    return build_task(to_plain(compose("model=linear", *words)), COLOUR)


@pytest.mark.parametrize("choice", PIPELINES)
@pytest.mark.parametrize("spec", [image_spec(1, 8, 8), image_spec(3, 32, 32), image_spec(3, 64, 64, margin=4)])
def test_every_pipeline_takes_every_kind_of_image(choice: str, spec: DataSpec) -> None:
    node = to_plain(compose(f"augment={choice}"))["augment"]
    pipe = instantiate(node, _partial_=True)(spec, min_size=48)  # larger than some of the data
    inputs, targets = pipe(noisy_images(16, *spec.stored_shape), CLASSES)
    size = max(48, spec.input_shape[1])
    assert inputs.shape == (16, spec.input_shape[0], size, size)
    assert inputs.isfinite().all()
    assert len(targets) == 16


@pytest.mark.parametrize("choice", [choice for choice in PIPELINES if choice != "none"])
def test_training_is_augmented_and_nothing_else_ever_is(choice: str) -> None:
    task, raw = task_of(f"augment={choice}"), noisy_images(16, 3, 32, 32)
    inputs, targets = task.eval().prepared((raw, CLASSES))
    assert torch.equal(inputs, task.preprocess(raw))
    assert torch.equal(targets, CLASSES)
    inputs, _ = task.train().prepared((raw, CLASSES))
    assert not torch.isclose(inputs, task.preprocess(raw), atol=1e-3).all()


def test_without_steps_training_sees_what_measuring_does() -> None:
    task, raw = task_of("augment=none"), noisy_images(16, 3, 32, 32)
    assert torch.equal(task.train().prepared((raw, CLASSES))[0], task.preprocess(raw))


def seen_in_training(task: Task, batch: int, epoch: int, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """What the network is handed in a step of the training."""
    seen: list[Tensor] = []
    handle = task.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    monkeypatch.setattr(type(task), "current_epoch", epoch)
    task._meter = task.new_meter()
    task.train().training_step((noisy_images(16, 3, 32, 32), CLASSES), batch)
    handle.remove()
    return seen[0]


def test_an_augmented_batch_follows_from_the_seed_the_epoch_and_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(seed: int, epoch: int, batch: int) -> Tensor:
        task = task_of("augment=strong", f"seed={seed}")
        return seen_in_training(task, batch, epoch, monkeypatch)

    first = seen(1, 0, 0)
    torch.rand(17)  # whatever was drawn before
    assert torch.equal(seen(1, 0, 0), first)
    for other in ((2, 0, 0), (1, 1, 0), (1, 0, 1)):
        assert not torch.isclose(seen(*other), first, atol=1e-3).all()


@pytest.mark.parametrize("choice", PIPELINES)
def test_the_same_seed_gives_the_same_batch(choice: str) -> None:
    task, raw = task_of(f"augment={choice}").train(), noisy_images(16, 3, 32, 32)
    batches = []
    for _ in range(2):
        reseed(derive(1, "step", 3, 5, 0), CPU)
        batches.append(task.prepared((raw, CLASSES)))
    for first, again in zip(*batches, strict=True):
        assert torch.equal(first, again)


def test_a_network_learns_from_mixed_targets() -> None:
    task = task_of("augment=none", "+augment.mixup.alpha=1")
    raw, meter = noisy_images(16, 3, 32, 32), task.new_meter()
    reseed(1, CPU)
    inputs, targets = task.train().prepared((raw, CLASSES))
    reseed(1, CPU)
    loss = task.batch_loss((raw, CLASSES), meter)
    torch.testing.assert_close(loss, -(targets * task.network(inputs).log_softmax(1)).sum(1).mean())
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in task.network.parameters())


@pytest.mark.parametrize(
    ("words", "geometry"),
    [
        (["augment=flip_crop", "augment.flip.p=0.3"], [augment.Flip, augment.PadAndCrop]),
        (["augment=flip_crop", "augment.flip=null"], [augment.PadAndCrop]),
        (["augment=none", "+augment.rotate.degrees=15"], [augment.Rotate]),
        (["augment=flip_crop", "+augment.shear={}"], [augment.Flip, augment.PadAndCrop, augment.Shear]),
        (["augment=none", "+augment.twice._target_=firstlight.augment.Flip"], [augment.Flip]),
    ],
)
def test_words_on_the_command_line_make_a_pipeline(words: list[str], geometry: list[type[Step]]) -> None:
    pipe = task_of(*words).augment
    assert [type(step) for step in pipe.geometry] == geometry


def test_values_on_the_command_line_reach_the_steps() -> None:
    pipe = task_of("augment=flip_crop", "augment.flip.p=0.3", "+augment.rotate.degrees=7").augment
    flip, _, rotate = pipe.geometry
    assert flip.p == 0.3
    assert isinstance(rotate, augment.Rotate)
    assert rotate.degrees == 7


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("+augment.rotate.degrees=-3", r"^augment\.rotate: degrees=-3: must be at least 0"),
        ("+augment.flip.p=2", r"^augment\.flip: p=2: must be at least 0 and at most 1"),
        ("+augment.replace_tokens.rate=0.1", r"^augment\.replace_tokens: must be a step for images"),
        ("+augment.replace_synonyms.p=1", r"^augment\.replace_synonyms: .* missing .* 'file'"),
        ("augment.padding=zeros", r"^augment\.padding=zeros: unknown padding, did you mean 'zero'\?"),
    ],
)
def test_wrong_values_are_told_by_their_keys(word: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        task_of("augment=none", word)


def test_measuring_needs_no_thesaurus(tmp_path: Path) -> None:
    spec, file = DataSpec((4,), 2, ("big", "large"), (), ()), tmp_path / "thesaurus.txt"
    config = to_plain(compose("model=rnn", "task=language", f"+augment.replace_synonyms.file={file}"))
    file.write_text("big large")
    assert build_task(config, spec).augment.token_steps
    file.unlink()
    with pytest.raises(ValueError, match=r"^augment\.replace_synonyms: file=.*there is no such file"):
        build_task(config, spec)
    task = build_task(config, spec, with_recipe=False)
    assert not task.augment.token_steps
    assert task.plain_config == config
