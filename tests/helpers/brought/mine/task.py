"""A task."""

from torch import Tensor

from firstlight.tasks import Adversarial


class WGAN(Adversarial):
    """Adversarial training with the loss of Wasserstein."""

    def _generator_loss(self, fakes: Tensor) -> Tensor:
        return -self.network.discriminate(fakes).mean()

    def _discriminator_loss(self, real: Tensor, fakes: Tensor) -> Tensor:
        return self.network.discriminate(fakes).mean() - self.network.discriminate(real).mean()
