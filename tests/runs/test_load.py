from pathlib import Path
from typing import Any

import pytest
import torch

from firstlight.config.compose import compose, to_plain
from firstlight.data import Digits
from firstlight.runs import RunFolder
from firstlight.runs.load import load_pretrained, load_task
from helpers.runs import weights


def network(*words: str) -> dict[str, Any]:
    """Return the node of a network as the command `predict` composes it."""
    return to_plain(compose(*words, "input=photo.jpg", config_name="predict"))["model"]


def test_a_run_is_loaded_in_evaluation_mode_with_the_weights_of_a_checkpoint(trained_run: Path) -> None:
    for checkpoint in ("best", "last"):
        task = load_task(trained_run, checkpoint)
        expected = weights(trained_run, checkpoint)
        assert not any(module.training for module in task.modules())
        assert all(torch.equal(value, expected[name]) for name, value in task.state_dict().items())
        assert task.spec == RunFolder(trained_run).spec()


def test_the_network_of_a_run_is_used_on_raw_images(trained_run: Path, tmp_path: Path) -> None:
    raw, targets = Digits(str(tmp_path)).store().splits["test"].take(torch.arange(100))
    task = load_task(str(trained_run))
    with torch.inference_mode():
        correct = task.network(task.preprocess(raw)).argmax(1) == targets
    assert correct.float().mean() > 0.5


def test_an_unknown_checkpoint_raises_an_error_with_the_known_ones(trained_run: Path) -> None:
    with pytest.raises(ValueError, match=r"^checkpoint=bset: unknown checkpoint of .*, did you mean 'best'\?$"):
        load_task(trained_run, "bset")


def test_default_weights_are_loaded_with_their_labels_and_preprocessing() -> None:
    task = load_pretrained(network("model=efficientnet_lite0"))
    assert len(task.spec.labels) == 1000
    assert task.spec.interpolation == "bicubic"
    assert task.preprocess.output_spec.input_shape == (3, 224, 224)
    assert not task.training


def test_weights_that_cannot_predict_classes_raise_an_error(tmp_path: Path, trained_run: Path) -> None:
    lite = network("model=efficientnet_lite0")
    checkpoint = trained_run / "checkpoints" / "best.ckpt"
    ten_classes = dict(load_pretrained(lite).network.state_dict())
    ten_classes["classifier.weight"], ten_classes["classifier.bias"] = torch.zeros(10, 1280), torch.zeros(10)
    torch.save(ten_classes, tmp_path / "ten.pth")
    torch.save({"weight": torch.zeros(2, 3)}, tmp_path / "lenet.pth")
    for model, message in (
        (lite | {"weights": str(tmp_path / "ten.pth")}, r"'classifier\.weight'.* 10x1280"),
        (network("model=mlp", f"model.weights={checkpoint}"), r"^model\.weights="),
        (lite | {"weights": "IMAGENET"}, "did you mean 'IMAGENET1K'"),
        (lite | {"head": "mlp"}, "^model: must have neither head, freeze nor lr_decay"),
        (lite | {"dropout": "much"}, r"^model\.dropout=much: must be a number"),
        (network("model=lenet"), r"^model\.weights=default: .*LeNet"),
        (network("model=lenet", f"model.weights={tmp_path / 'lenet.pth'}"), "must have known classes and image size"),
    ):
        with pytest.raises(ValueError, match=message):
            load_pretrained(model)
