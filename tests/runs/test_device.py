import contextlib

import pytest
import torch

from firstlight.runs.device import mixed_precision, pick_device


@pytest.mark.parametrize(
    ("accelerator", "present", "expected"),
    [
        ("cpu", None, "cpu"),
        ("cpu", "cuda", "cpu"),
        ("auto", None, "cpu"),
        ("auto", "cuda", "cuda"),
        ("auto", "mps", "mps"),
        ("gpu", "cuda", "cuda"),
        ("gpu", "mps", "mps"),
        ("mps", "mps", "mps"),
    ],
)
def test_the_accelerator_of_the_machine_is_used_if_it_fits(
    monkeypatch: pytest.MonkeyPatch, accelerator: str, present: str | None, expected: str
) -> None:
    found = torch.device(present) if present else None
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: found)
    assert pick_device(accelerator) == torch.device(expected)


@pytest.mark.parametrize(("accelerator", "present"), [("gpu", None), ("cuda", None), ("mps", "cuda")])
def test_an_accelerator_that_the_machine_does_not_have_raises_an_error(
    monkeypatch: pytest.MonkeyPatch, accelerator: str, present: str | None
) -> None:
    found = torch.device(present) if present else None
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: found)
    with pytest.raises(ValueError, match=rf"^accelerator={accelerator}: must be auto or cpu"):
        pick_device(accelerator)


def test_an_unknown_accelerator_gets_a_suggestion() -> None:
    with pytest.raises(ValueError, match=r"^accelerator=cuba: unknown accelerator, did you mean 'cuda'\?$"):
        pick_device("cuba")


@pytest.mark.parametrize(
    ("precision", "dtype"), [("32-true", None), ("bf16-mixed", torch.bfloat16), ("16-mixed", torch.float16)]
)
def test_mixed_precision_computes_matrix_products_in_the_smaller_type(
    precision: str, dtype: torch.dtype | None
) -> None:
    context = mixed_precision(precision, torch.device("cpu"))
    with context:
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (dtype or torch.float32)
    assert isinstance(context, contextlib.nullcontext) == (dtype is None)
