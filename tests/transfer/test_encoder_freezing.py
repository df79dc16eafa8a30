import pytest
import torch

from firstlight.config import RunConfig
from firstlight.spec import DataSpec
from firstlight.tasks.build import build_task
from helpers.scenes import BOXES, scenes
from helpers.small import fit, same_state

MASKS = DataSpec((1, 32, 32), 2, ("background", "object"), (0.1,), (0.25,), target_type="masks")
SPECS = {"unet": MASKS, "fcn": MASKS, "fcos": BOXES}
TASKS = {"unet": "segmentation", "fcn": "segmentation", "fcos": "detection"}


@pytest.mark.parametrize("model", ["unet", "fcos"])
def test_a_frozen_encoder_keeps_its_weights_and_statistics_until_it_is_unfrozen(model: str) -> None:
    raw, boxes = scenes(4)
    batch = raw, boxes if model == "fcos" else (raw[:, 0] > 0).to(torch.uint8)
    words = f"model={model}", "model.encoder=mobilenet", "model.freeze=backbone", "seed=1"
    before = build_task(RunConfig.from_overrides(*words), SPECS[model]).network
    module, _ = fit(SPECS[model], batch, *words, batch_size=4)
    found = module.task.network
    assert same_state(found.encoder.state_dict(), before.encoder.state_dict())
    assert all(
        not torch.equal(weight, before.get_parameter(name))
        for name, weight in found.named_parameters()
        if not name.startswith("encoder.") and weight.ndim > 1
    )
    module, _ = fit(SPECS[model], batch, *words, "model.unfreeze_at_epoch=2", "trainer.max_epochs=2", batch_size=4)
    assert not same_state(module.task.network.encoder.state_dict(), before.encoder.state_dict())


@pytest.mark.parametrize("model", SPECS)
def test_each_stage_of_the_encoder_has_its_learning_rate_and_the_head_the_largest(model: str) -> None:
    words = f"model={model}", "model.encoder=resnet18", "model.lr_decay=0.5"
    task = build_task(RunConfig.from_overrides(*words), SPECS[model])
    groups = task.freezing.parameters(1.0)
    rates = [group["lr"] for group in groups if isinstance(group, dict)]
    assert rates == [0.5**number for number in range(5, -1, -1)]  # five stages and the head
    assert sum(len(group["params"]) for group in groups if isinstance(group, dict)) == len([*task.parameters()])


@pytest.mark.parametrize("model", SPECS)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["model.freeze=backbone"],
            "model: must have neither head, freeze nor lr_decay .* A network with model.encoder",
        ),
        (["model.encoder=resnet18", "model.head=mlp"], "model.head=mlp: must be null"),
    ],
)
def test_without_an_encoder_and_for_another_head_there_is_an_error(model: str, words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        build_task(RunConfig.from_overrides(f"model={model}", *words), SPECS[model])
