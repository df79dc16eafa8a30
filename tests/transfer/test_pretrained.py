import functools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from firstlight.config import RunConfig
from firstlight.networks import LeNet, ResNet
from firstlight.spec import DataSpec
from firstlight.tasks import Task
from firstlight.tasks.build import build_task
from firstlight.transfer.pretrained import Pretrained, find_pretrained, unknown_weights
from helpers.samples import noisy_images

IMAGENET = Pretrained("net", dict, tuple("abc"), 40, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25), "bicubic", crop=0.8)


def spec_of(channels: int, height: int, width: int, classes: int = 10) -> DataSpec:
    mean, std = (0.1, 0.2, 0.3)[:channels], (0.4, 0.5, 0.6)[:channels]
    return DataSpec((channels, height, width), classes, tuple(map(str, range(classes))), mean, std)


GREY = spec_of(1, 28, 28)


def task_of(spec: DataSpec, *words: str) -> Task:
    return build_task(RunConfig.from_overrides(*words), spec)


def checkpoint_of(task: Task, path: Path, size: int | None = None) -> Path:
    """Save the weights and the spec of a task as a run does."""
    config = {"augment": {"size": size}}
    torch.save({"state_dict": task.state_dict(), "spec": task.spec.to_dict(), "config": config}, path)
    return path


@pytest.fixture
def colour_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An override that names weights of a ResNet for 40x40 colour images; the preprocessing is that of `IMAGENET`."""
    monkeypatch.setattr(ResNet, "pretrained", classmethod(lambda cls, weights, **options: IMAGENET))
    path = tmp_path / "colour.safetensors"
    save_file(ResNet(spec_of(3, 40, 40)).state_dict(), path)
    return f"model.weights={path}"


def test_apply_to_replaces_the_preprocessing_of_the_data() -> None:
    data = spec_of(3, 24, 32)
    found = IMAGENET.apply_to(data)
    assert found == replace(data, mean=IMAGENET.mean, std=IMAGENET.std, size=40, interpolation="bicubic")
    assert DataSpec.from_dict(found.to_dict()) == found


def test_apply_to_keeps_the_preprocessing_of_the_data_if_that_of_the_weights_is_unknown() -> None:
    assert Pretrained("file.pth", dict).apply_to(GREY) == GREY


def test_apply_to_leaves_tables_unchanged() -> None:
    numbers = DataSpec((3,), 2, ("no", "yes"), (1.0, 2.0, 3.0), (1.0, 1.0, 1.0))
    assert IMAGENET.apply_to(numbers) == numbers


def test_apply_to_raises_an_error_for_two_channels() -> None:
    with pytest.raises(
        ValueError, match=r"model\.weights=net: must be weights for images with 2 channels, .* are for 3 channels\."
    ):
        IMAGENET.apply_to(spec_of(2, 8, 8))


def test_the_spec_of_weights_crops_images_at_the_centre() -> None:
    spec = IMAGENET.spec()
    assert (spec.input_shape, spec.num_outputs, spec.labels) == ((3, 40, 40), 3, ("a", "b", "c"))
    assert spec.stored_shape == (3, 50, 50)
    assert (spec.mean, spec.std, spec.interpolation) == (IMAGENET.mean, IMAGENET.std, "bicubic")


def expected_inputs(raw: Tensor) -> Tensor:
    """Preprocess grey images for colour weights step by step."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET.mean, IMAGENET.std))
    large = F.interpolate(raw.expand(-1, 3, -1, -1).float(), (40, 40), mode="bicubic")
    return (large / 255 - mean) / std


def test_grey_images_are_preprocessed_for_colour_weights_in_training_and_in_loaded_runs(colour_weights: str) -> None:
    raw, targets = noisy_images(5, 1, 28, 28), torch.zeros(5, dtype=torch.long)
    words = "model=resnet18", "augment=none", colour_weights
    task = task_of(GREY, *words)
    expected = expected_inputs(raw)
    torch.testing.assert_close(task.train().prepared((raw, targets))[0], expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(task.eval().prepared((raw, targets))[0], expected, atol=1e-4, rtol=1e-4)
    # A loaded run has the spec of the task, and needs no file of weights.
    loaded = build_task(RunConfig.from_overrides(*words[:2], "model.weights=gone.pth"), task.spec, pretrained=False)
    loaded.load_state_dict(task.state_dict())
    assert torch.equal(loaded.preprocess(raw), task.preprocess(raw))
    assert loaded.eval().network(loaded.preprocess(raw)).shape == (5, 10)


@pytest.mark.parametrize(
    "steps",
    [
        ["+augment.brightness.change=0", "+augment.contrast.change=0"],
        ["+augment.rotate.degrees=0"],
        ["+augment.flip.p=0"],
    ],
    ids=["colour", "geometry", "flip"],
)
def test_augmentation_of_zero_strength_equals_the_preprocessing_of_the_weights(
    steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bilinear = replace(IMAGENET, interpolation="bilinear", load=ResNet(spec_of(3, 40, 40)).state_dict)
    monkeypatch.setattr(ResNet, "pretrained", classmethod(lambda cls, weights, **options: bilinear))
    task = task_of(GREY, "model=resnet18", "augment=none", "model.weights=default", *steps).train()
    raw = noisy_images(3, 1, 28, 28)
    found, _ = task.prepared((raw, torch.zeros(3, dtype=torch.long)))
    torch.testing.assert_close(found, task.preprocess(raw), atol=1e-3, rtol=1e-3)


def test_grey_images_stay_grey_when_their_colours_are_augmented(colour_weights: str, the_same_draws: None) -> None:
    task = task_of(
        GREY, "model=resnet18", "augment=strong", "augment.noise=null", "augment.cutout=null", colour_weights
    ).train()
    raw = noisy_images(4, 1, 28, 28)
    pixels = task.preprocess.to_pixels(task.prepared((raw, torch.arange(4)))[0])
    torch.testing.assert_close(pixels, pixels[:, :1].expand(-1, 3, -1, -1), atol=1e-5, rtol=0)


def test_augment_size_takes_precedence_over_the_size_of_the_weights(colour_weights: str) -> None:
    with pytest.raises(ValueError, match=r"'conv1\.weight' is 64x3x3x3, not 64x3x7x7.* augment\.size"):
        task_of(GREY, "model=resnet18", "augment.size=70", colour_weights)
    assert task_of(GREY, "model=resnet18", "augment.size=48", colour_weights).preprocess.output_spec.input_shape == (
        3,
        48,
        48,
    )


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_a_new_head_works_with_weights_from_a_file(head: str, colour_weights: str) -> None:
    task = task_of(spec_of(3, 40, 40, classes=5), "model=resnet18", f"model.head={head}", colour_weights)
    assert task.network(torch.rand(2, 3, 40, 40)).shape == (2, 5)


def test_a_head_for_other_classes_has_random_weights_from_the_seed(colour_weights: str) -> None:
    data = spec_of(3, 40, 40, classes=5)
    task, fresh = task_of(data, "model=resnet18", colour_weights), task_of(data, "model=resnet18")
    assert torch.equal(task.network.fc.weight, fresh.network.fc.weight)
    assert not torch.equal(task.network.conv1.weight, fresh.network.conv1.weight)


def test_weights_of_a_run_include_its_preprocessing(tmp_path: Path) -> None:
    before = task_of(replace(spec_of(3, 20, 20), interpolation="bicubic"), "model=lenet", "augment.size=36")
    path = checkpoint_of(before, tmp_path / "best.ckpt", size=36)
    after = task_of(GREY, "model=lenet", f"model.weights={path}")
    assert torch.equal(
        after.network.state_dict()["features.0.weight"], before.network.state_dict()["features.0.weight"]
    )
    assert after.preprocess.output_spec.input_shape == (3, 36, 36)
    assert (after.spec.mean, after.spec.std, after.spec.interpolation) == (before.spec.mean, before.spec.std, "bicubic")


def test_the_head_of_a_run_is_loaded_if_it_fits(tmp_path: Path) -> None:
    before = task_of(GREY, "model=lenet", "seed=5")
    path = checkpoint_of(before, tmp_path / "last.ckpt")
    after = task_of(GREY, "model=lenet", f"model.weights={path}")
    assert all(torch.equal(a, b) for a, b in zip(after.network.parameters(), before.network.parameters(), strict=True))


def test_weights_of_a_run_on_small_images_use_the_minimum_size_of_the_network(tmp_path: Path) -> None:
    path = checkpoint_of(task_of(spec_of(1, 8, 8), "model=lenet"), tmp_path / "digits.ckpt")
    after = task_of(spec_of(1, 64, 64), "model=lenet", f"model.weights={path}")
    assert after.preprocess.output_spec.input_shape == (1, LeNet.min_size, LeNet.min_size)


def test_weights_of_a_run_on_images_that_are_not_square_use_the_size_of_the_data(tmp_path: Path) -> None:
    path = checkpoint_of(task_of(spec_of(3, 40, 48), "model=resnet18"), tmp_path / "wide.ckpt")
    after = task_of(spec_of(1, 48, 40), "model=resnet18", f"model.weights={path}")
    assert after.preprocess.output_spec.input_shape == (3, 48, 40)
    assert after.preprocess(noisy_images(2, 1, 48, 40)).shape == (2, 3, 48, 40)


def test_weights_of_a_run_on_a_table_fit_a_table(tmp_path: Path) -> None:
    table = DataSpec((4,), 3, tuple("abc"), (1.0,) * 4, (2.0,) * 4)
    before = task_of(table, "model=mlp", "seed=5")
    after = task_of(table, "model=mlp", f"model.weights={checkpoint_of(before, tmp_path / 'best.ckpt')}")
    assert after.spec == table
    assert torch.equal(next(after.network.parameters()), next(before.network.parameters()))


def test_weights_of_another_network_raise_an_error(tmp_path: Path) -> None:
    path = checkpoint_of(task_of(GREY, "model=mlp"), tmp_path / "mlp.ckpt")
    with pytest.raises(
        ValueError, match=rf"model\.weights={path}: must fit this LeNet, but these are weights of another network: "
    ):
        task_of(GREY, "model=lenet", f"model.weights={path}")


def test_a_network_without_published_weights_accepts_files_only(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"model\.weights=default: must be a file or null, because LeNet has no published weights\. Without",
    ):
        find_pretrained(LeNet, "default", {})
    torch.save(LeNet(spec_of(1, 32, 32)).state_dict(), tmp_path / "mine.pth")
    task = task_of(GREY, "model=lenet", f"model.weights={tmp_path / 'mine.pth'}")
    assert task.spec == GREY


def test_find_pretrained_raises_an_error_for_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"model\.weights=.*none\.pth: cannot read \(the file does not exist\)"):
        find_pretrained(LeNet, str(tmp_path / "none.pth"), {})


def test_the_error_for_unknown_weights_suggests_the_nearest_and_an_offline_alternative() -> None:
    error = functools.partial(unknown_weights, known=["default", "IMAGENET1K_V1"])
    assert str(error("imagenet")).startswith("model.weights=imagenet: unknown weights, did you mean ")
    assert "Without a network connection: use model=efficientnet_lite0" in str(error("cifar"))
