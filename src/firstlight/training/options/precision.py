"""Mixed precision with bfloat16, whose gradients are clipped with every optimizer."""

from typing import Any

from lightning.pytorch.plugins import MixedPrecision, Precision
from lightning.pytorch.utilities import GradClipAlgorithmType
from torch.optim import Optimizer


class Bfloat16(MixedPrecision):
    """Mixed precision with bfloat16.

    Lightning refuses to clip the gradients of fused optimizers, because these undo the scaling of float16 themselves.
    Gradients of bfloat16 are not scaled, so they can be clipped.

    Args:
        device_type: "cpu", "cuda" or "mps".
    """

    def __init__(self, device_type: str) -> None:
        super().__init__("bf16-mixed", device_type)

    def clip_gradients(
        self,
        optimizer: Optimizer,
        clip_val: int | float = 0.0,
        gradient_clip_algorithm: Any = GradClipAlgorithmType.NORM,
    ) -> None:
        """Clip the gradients of the optimizer in place."""
        Precision.clip_gradients(self, optimizer, clip_val, gradient_clip_algorithm)
