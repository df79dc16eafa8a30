"""LightningModules and LightningDataModules of a user, with habits that the template does not have."""

from pathlib import Path
from typing import Any, ClassVar

import lightning as L  # the usual name
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class Plain(L.LightningModule):
    """A classifier with metrics named by underscores. Its options have the names of what firstlight supplies itself."""

    seen: ClassVar[list[tuple[torch.dtype, tuple[int, ...], float]]] = []  # type, shape and mean of training inputs

    def __init__(self, network: int = 64, spec: str = "none", lr: float = 0.01) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.example_input_array = torch.zeros(1, network)
        self.layer = nn.Linear(network, 10)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        """Return probabilities."""
        return self.layer(self.dropout(x.flatten(1))).softmax(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Log the loss of steps and epochs."""
        x, y = batch
        Plain.seen.append((x.dtype, tuple(x.shape[1:]), float(x.mean())))
        loss = F.nll_loss(self(x).log(), y)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log accuracy and loss."""
        x, y = batch
        self.log("val_acc", (self(x).argmax(1) == y).float().mean())
        self.log("val_loss", F.nll_loss(self(x).log(), y))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Log the accuracy."""
        x, y = batch
        self.log("test_acc", (self(x).argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        """Decay at each step."""
        optimizer = torch.optim.SGD(self.parameters(), lr=self.hparams["lr"])
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.5)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


class Gan(L.LightningModule):
    """Two networks with two optimizers, which it steps itself."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.critic = nn.Linear(2, 3), nn.Linear(3, 1)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """Step both."""
        real, _ = batch
        optimizers: Any = self.optimizers()
        first, second = optimizers
        fake = self.generator(torch.randn(len(real), 2))
        critic_loss = F.softplus(-self.critic(real)).mean() + F.softplus(self.critic(fake.detach())).mean()
        second.zero_grad()
        self.manual_backward(critic_loss)
        second.step()
        loss = F.softplus(-self.critic(fake)).mean()
        first.zero_grad()
        self.manual_backward(loss)
        first.step()
        self.log_dict({"g_loss": loss, "d_loss": critic_loss}, on_step=False, on_epoch=True)

    def configure_optimizers(self) -> Any:
        """Return two optimizers."""
        return [torch.optim.Adam(part.parameters(), lr=1e-2) for part in (self.generator, self.critic)]


class Keeper(Plain):
    """Adds an object to its checkpoints that is no plain value."""

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add it."""
        checkpoint["mine"] = _Object()


class _Object:
    pass


class Points(L.LightningDataModule):
    """Points in several dimensions, in three classes; draws them and their split anew at each set-up."""

    def __init__(self, batch_size: int = 8, shape: tuple[int, ...] = (3,), numbers: bool = False) -> None:
        super().__init__()
        self.batch_size, self.shape, self.numbers = batch_size, tuple(shape), numbers

    def setup(self, stage: str) -> None:
        """Draw them."""
        x, y = torch.randn(40, *self.shape), torch.arange(40) % 3
        x += y.reshape(-1, *[1] * len(self.shape))
        self.all = TensorDataset(x, x.flatten(1).sum(1) if self.numbers else y)

    def train_dataloader(self) -> Any:
        """Shuffled."""
        return DataLoader(self.all, self.batch_size, shuffle=True)

    def val_dataloader(self) -> Any:
        """The same."""
        return DataLoader(self.all, self.batch_size)


class Dicts(Points):
    """Yields dicts."""

    def train_dataloader(self) -> Any:
        """Yield one."""
        return [{"x": torch.zeros(2, 3), "y": torch.zeros(2)}]


class LazyNetwork(nn.Module):
    """Takes the size of its inputs from the first batch."""

    def __init__(self, width: int = 8, classes: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.LazyLinear(width), nn.LazyBatchNorm1d(), nn.Dropout(0.2), nn.ReLU(), nn.LazyLinear(classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.layers(x)
        return logits


class Lazy(Plain):
    """A classifier whose layers take their sizes from the first batch."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__(lr=0.01)
        self.example_input_array = None
        self.layer = LazyNetwork(classes=classes)  # type: ignore[assignment]


class UsesItsLogger(Plain):
    """Writes with its loggers what usual code of users writes."""

    def on_fit_start(self) -> None:
        """Write a file beside those of each logger."""
        for logger in self.loggers:
            assert logger.log_dir is not None
            Path(logger.log_dir).mkdir(parents=True, exist_ok=True)
            (Path(logger.log_dir) / "mine.txt").write_text(str(logger.root_dir))

    def on_train_epoch_end(self) -> None:
        """Write a number and an option with each kind of experiment."""
        for logger in self.loggers:
            experiment: Any = getattr(logger, "experiment", None)
            if hasattr(experiment, "add_scalar"):
                experiment.add_scalar("mine/number", 3.5, self.global_step)
            else:
                experiment.log_metrics({"mine/number": 3.5}, step=self.global_step)
                experiment.log_hparams({"mine_option": 7})
                experiment.save()
