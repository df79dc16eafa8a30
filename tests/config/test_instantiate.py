from typing import Any

import pytest
import torch

from firstlight.config.instantiate import bind, call
from firstlight.spec import DataSpec

CALLBACK = "lightning.pytorch.callbacks.EarlyStopping"


def test_bind_keeps_the_values_for_a_later_call_that_leaves_other_arguments_as_they_are() -> None:
    spec = DataSpec((1, 8, 8), 2, ("no", "yes"), (0.5,), (0.25,))
    bound = bind("model", {"_target_": "builtins.dict", "sizes": [1, {"a": 2}]})
    assert bound.keywords == {"sizes": [1, {"a": 2}]}
    assert type(bound.keywords["sizes"]) is list
    assert call("model", bound, spec=spec) == {"sizes": [1, {"a": 2}], "spec": spec}


def test_nested_nodes_are_built() -> None:
    bound = bind("augment", {"_target_": "builtins.dict", "flip": {"_target_": "firstlight.augment.Flip", "p": 0.5}})
    assert bound.keywords["flip"].p == 0.5


@pytest.mark.parametrize(
    ("message", "completed"),
    [
        ("hidden_sizes=[0]: must be above 0.", "model.hidden_sizes=[0]: must be above 0."),
        ("model.size=3: must be 8.", "model.size=3: must be 8."),
        ("model=mlp: must be a CNN.", "model=mlp: must be a CNN."),
        ("model: must accept images.", "model: must accept images."),
        ("must accept images, as x=1 does.", "model: must accept images, as x=1 does."),
    ],
)
@pytest.mark.parametrize("kind", [ValueError, TypeError])
def test_call_completes_messages_with_the_key(kind: type[Exception], message: str, completed: str) -> None:
    def fail() -> None:
        raise kind(message)

    with pytest.raises(ValueError, match=r".") as caught:
        call("model", fail)
    assert str(caught.value) == completed
    assert isinstance(caught.value.__cause__, kind)


def test_call_passes_other_errors_on() -> None:
    def fail() -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match=r"^out of memory$"):
        call("model", fail)


def test_an_error_of_a_library_gets_the_key() -> None:
    optimizer = bind("optimizer", {"_target_": "torch.optim.AdamW", "lr": -1})
    with pytest.raises(ValueError, match=r"^optimizer: Invalid learning rate: -1$"):
        call("optimizer", optimizer, [torch.nn.Parameter(torch.zeros(1))])


@pytest.mark.parametrize(
    ("key", "node", "message"),
    [
        ("augment", {"flip": {"_target_": "firstlight.augment.Flip", "p": 2}}, "augment.flip.p=2: must be at least 0"),
        ("trainer", {"callbacks": [{"_target_": CALLBACK}]}, "trainer.callbacks.0: EarlyStopping.__init__() missing 1"),
        (
            "trainer",
            {"callbacks": [{"_target_": CALLBACK, "monitor": "val/loss", "mode": "up"}]},
            "trainer.callbacks.0: `mode` can be min, max, got up",
        ),
        ("trainer", {"block1": {"_target_": "builtins.int", "x": 1}}, "trainer.block1: 'x' is an invalid keyword"),
        (
            "augment",
            {"flip": {"_target_": "firstlight.augment.Flop"}},
            "augment.flip: Error loading 'firstlight.augment.Flop'",
        ),
    ],
)
def test_the_error_for_a_nested_node_names_its_key_and_the_reason(key: str, node: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        bind(key, {"_target_": "builtins.dict"} | node)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
