from typing import Any

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from firstlight.networks import Autoencoder, Linear
from firstlight.tasks import Reconstruction
from helpers.small import IMAGES, augment, images, metrics_of, train_on


def reconstruction(network: dict[str, Any] | None = None, **options: Any) -> Reconstruction:
    torch.manual_seed(0)
    return Reconstruction(IMAGES, Autoencoder(IMAGES, **(network or {})), augment(IMAGES), **options).eval()


def test_the_loss_is_the_mean_squared_error_of_the_pixels() -> None:
    task, batch = reconstruction(), images(10)
    found = metrics_of(task, *zip(batch[0].split([4, 5, 1]), batch[1].split([4, 5, 1]), strict=True))
    with torch.no_grad():
        expected = F.mse_loss(task.network(task.preprocess(batch[0])), batch[0] / 255)
    assert found == pytest.approx({"loss": float(expected), "mse": float(expected)}, rel=1e-5)
    assert set(found) == set(task.metric_names)


def test_binary_cross_entropy_treats_pixels_as_probabilities() -> None:
    task, batch = reconstruction(loss="bce"), images(10)
    with torch.no_grad():
        outputs = task.network(task.preprocess(batch[0])).sigmoid()
    found, pixels = metrics_of(task, batch), batch[0] / 255
    assert found["loss"] == pytest.approx(float(F.binary_cross_entropy(outputs, pixels)), rel=1e-5)
    assert found["mse"] == pytest.approx(float(F.mse_loss(outputs, pixels)), rel=1e-5)


@pytest.mark.parametrize("kl_weight", [0.0, 1.0, 4.0])
def test_the_loss_of_a_variational_network_is_the_negative_evidence_lower_bound(kl_weight: float) -> None:
    task, batch = reconstruction({"variational": True, "latent_dim": 6}, kl_weight=kl_weight), images(10)
    found = metrics_of(task, batch)
    with torch.no_grad():
        mean, log_variance = task.network.posterior(task.preprocess(batch[0]))
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0, 1)).sum(1).mean()
    assert float(expected) > 0.01
    assert set(found) == set(task.metric_names)
    assert found["kl"] == pytest.approx(float(expected), rel=1e-4)
    with torch.no_grad():
        pixels, outputs = batch[0] / 255, task.network(task.preprocess(batch[0]))
        variance = (outputs - pixels).square().mean()
        error = -Normal(outputs, variance.sqrt()).log_prob(pixels).mean()
    assert found["loss"] == pytest.approx(float(error) + kl_weight * found["kl"] / 64, rel=1e-4)


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_the_latents_of_a_trained_variational_network_hold_information(loss: str) -> None:
    task, batch = reconstruction({"variational": True, "convolutional": False}, loss=loss), images(8)
    train_on(task, batch, steps=250, lr=3e-3)
    found, pixels = metrics_of(task, batch), batch[0] / 255
    assert found["kl"] > 1
    assert found["mse"] < float((pixels - pixels.mean(0)).square().mean()) / 2


def test_an_empty_batch_changes_no_metric() -> None:
    task, batch = reconstruction({"variational": True}), images(4)
    assert metrics_of(task, batch, (batch[0][:0], batch[1][:0])) == metrics_of(task, batch)


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_it_overfits_a_batch(loss: str) -> None:
    task, batch = reconstruction({"convolutional": False}, loss=loss), images(8)
    train_on(task, batch, steps=250, lr=3e-3)
    found, pixels = metrics_of(task, batch), batch[0] / 255
    assert found["mse"] < 0.002
    # The cross entropy of grey pixels is above 0 even if every output is exact.
    least = F.binary_cross_entropy(pixels, pixels) if loss == "bce" else torch.zeros(())
    assert found["loss"] == pytest.approx(float(least), abs=0.01)


def test_the_example_output_is_each_image_followed_by_its_reconstruction() -> None:
    task, (raw, _) = reconstruction(loss="bce"), images(3)
    output = task.example_output(raw)
    assert output.shape == (6, 1, 8, 8)
    torch.testing.assert_close(output[::2], raw / 255)
    with torch.no_grad():
        torch.testing.assert_close(output[1::2], task.network(task.preprocess(raw)).sigmoid())


def test_a_variational_network_generates_images_that_follow_from_the_seed() -> None:
    task = reconstruction({"variational": True})
    made = task.generate(300)
    assert (task.can_sample, made.shape) == (True, (300, 1, 8, 8))
    assert float(made.min()) >= 0
    assert float(made.max()) <= 1
    assert torch.equal(made, task.generate(300))
    assert not torch.equal(made, task.generate(300, seed=2))
    assert not reconstruction().can_sample


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "bces"}, "loss=bces: unknown loss, did you mean 'bce'"),
        ({"kl_weight": -1.0}, r"kl_weight=-1\.0: must be at least 0 and finite"),
        ({"kl_weight": float("inf")}, "kl_weight=inf: must be at least 0 and finite"),
    ],
)
def test_an_invalid_option_raises_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reconstruction(**options)


def test_a_network_that_does_not_reconstruct_images_raises_an_error() -> None:
    with pytest.raises(
        ValueError, match="a network that reconstructs images, such as model=autoencoder; Linear does not"
    ):
        Reconstruction(IMAGES, Linear(IMAGES), augment(IMAGES))
