from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from firstlight.config import RunConfig
from firstlight.networks import FasterRCNN, RetinaNet
from firstlight.networks.torchvision_detectors import TorchvisionDetector
from firstlight.spec import NO_OBJECT
from firstlight.tasks import TorchvisionDetection
from firstlight.tasks.build import build_task
from helpers.scenes import BOXES, SIDE, scenes
from helpers.small import augment, fit, metrics_of, train_on

DETECTORS = [(RetinaNet, "resnet18"), (FasterRCNN, "mobilenet_v3_large")]


def network(kind: type[Any], backbone: str, **options: Any) -> TorchvisionDetector:
    torch.manual_seed(0)
    return kind(BOXES, backbone=backbone, anchor_size=8, **options)


def inputs(number: int) -> tuple[Tensor, Tensor]:
    raw, boxes = scenes(number, (0, 3))
    return raw.float() / 255, boxes


@pytest.mark.parametrize(("kind", "backbone"), DETECTORS)
@pytest.mark.parametrize("is_training", [True, False])
def test_the_losses_have_gradients_and_the_objects_their_columns(
    kind: type[Any], backbone: str, is_training: bool
) -> None:
    detector = network(kind, backbone, min_probability=0.0).train(is_training)
    images, boxes = inputs(3)
    modes = [module.training for module in detector.modules()]
    losses = detector.losses(images, boxes)
    sum(losses.values(), torch.zeros(())).backward()
    assert losses.keys() == {"class_loss", "box_loss"}
    assert all(float(loss.detach()) > 0 for loss in losses.values())
    assert all(weight.grad is not None for weight in detector.parameters())
    outputs = detector(images)
    assert outputs.shape == (3, 100, 6)
    assert [module.training for module in detector.modules()] == modes
    found = outputs[outputs[..., 5] > 0]
    assert len(found)
    assert found[:, :4].min() >= 0
    assert found[:, :4].max() <= SIDE
    assert set(found[:, 4].tolist()) <= set(range(BOXES.num_outputs))


@pytest.mark.parametrize(("kind", "backbone"), DETECTORS)
def test_an_evaluation_changes_no_statistics_and_repeats_itself(kind: type[Any], backbone: str) -> None:
    task = TorchvisionDetection(BOXES, network(kind, backbone), augment(BOXES))
    before = {name: value.clone() for name, value in task.state_dict().items()}
    first = metrics_of(task, scenes(4, (0, 3)))
    torch.rand(3)
    assert metrics_of(task, scenes(4, (0, 3))) == pytest.approx(first, nan_ok=True)
    assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items())


@pytest.mark.parametrize("kind", [RetinaNet, FasterRCNN])
def test_images_without_objects_have_a_loss(kind: type[Any]) -> None:
    task = TorchvisionDetection(BOXES, network(kind, "resnet18"), augment(BOXES))
    raw = torch.zeros(2, 1, SIDE, SIDE, dtype=torch.uint8)
    empty = torch.tensor([0.0, 0, 0, 0, NO_OBJECT]).expand(2, 1, 5)
    found = metrics_of(task, (raw, empty))
    assert found["class_loss"] > 0
    assert found["box_loss"] == 0
    assert float(task.batch_loss((raw[:0], empty[:0]), task.new_meter()).detach()) == 0


@pytest.mark.slow
def test_training_lowers_both_losses_and_finds_the_objects() -> None:
    task, batch = TorchvisionDetection(BOXES, network(RetinaNet, "resnet18"), augment(BOXES)), scenes(4, (1, 2))
    before = metrics_of(task, batch)
    train_on(task, batch, steps=80, lr=1e-3)
    after = metrics_of(task, batch)
    assert all(after[name] < 0.5 * before[name] for name in ("class_loss", "box_loss"))
    assert after["map50"] > max(0.1, 2 * before["map50"])


def test_a_run_trains_and_predicts() -> None:
    words = "model=fasterrcnn", "model.backbone=resnet18", "monitor=val/map50", "augment=light", "augment.padding=zero"
    module, _ = fit(BOXES, scenes(6, (0, 3)), *words, batch_size=6)
    assert {"train/class_loss", "val/box_loss", "val/map", "val/map50"} <= set(module.metrics)
    task = module.task.eval()
    assert isinstance(task, TorchvisionDetection)
    task.threshold = 0.0
    row = task.predict_rows(scenes(1, (1, 1))[0])[0]
    assert row["objects"] == len(row["boxes"])


@pytest.mark.parametrize(
    ("words", "builder"),
    [
        (("model=retinanet",), "retinanet_resnet50_fpn"),
        (("model=fasterrcnn",), "fasterrcnn_mobilenet_v3_large_fpn"),
        (("model=fasterrcnn", "model.backbone=resnet50"), "fasterrcnn_resnet50_fpn"),
    ],
)
def test_published_weights_fit_all_layers_but_the_classes(words: tuple[str, ...], builder: str, tmp_path: Path) -> None:
    from torchvision.models import detection

    published = getattr(detection, builder)(weights=None, weights_backbone=None).state_dict()
    # Published files hold frozen statistics of batch normalisation, without the number of batches.
    published = {name: value for name, value in published.items() if not name.endswith("num_batches_tracked")}
    torch.save(published, tmp_path / "coco.pth")
    task = build_task(RunConfig.from_overrides(*words, f"model.weights={tmp_path / 'coco.pth'}"), BOXES)
    mine = task.network.detector.state_dict()
    heads = [name.removeprefix("detector.") for name in task.network.head_names]
    for name, value in published.items():
        assert name.startswith(tuple(heads)) or torch.equal(mine[name], value), name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=retinanet", "model.backbone=resnet19"], "model.backbone=resnet19: unknown backbone, did you mean"),
        (["model=fasterrcnn", "model.anchor_size=1"], "model.anchor_size=1: must be at least 4"),
        (["model=fasterrcnn", "model.max_overlap=0"], "model.max_overlap=0: must be above 0"),
        (
            ["model=retinanet", "task=detection"],
            "task=detection: must be torchvision_detection, which trains RetinaNet",
        ),
        (["model=retinanet", "model.weights=nope"], "model.weights=nope: "),
        (["model=retinanet", "model.weights=default", "model.backbone=resnet18"], "model.weights=default: "),
        (["model=cnn", "task=torchvision_detection"], "task=torchvision_detection: must have a network that computes"),
        (["model=retinanet", "task.threshold=2"], "task.threshold=2: must be at least 0 and at most 1"),
    ],
)
def test_errors(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        build_task(RunConfig.from_overrides(*words), BOXES)
