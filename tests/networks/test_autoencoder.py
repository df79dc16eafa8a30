import copy
import io
import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.networks import Autoencoder
from firstlight.spec import DataSpec

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 21, 40)]
every_kind = pytest.mark.parametrize("variational", [False, True])
every_layer = pytest.mark.parametrize("convolutional", [False, True])


def spec(channels: int = 1, height: int = 8, width: int = 8) -> DataSpec:
    return DataSpec((channels, height, width), 3, ("a", "b", "c"), (0.5,) * channels, (0.2,) * channels)


def images(*shape: int, batch: int = 4) -> Tensor:
    return torch.randn(batch, *(shape or (1, 8, 8)), generator=torch.Generator().manual_seed(0))


def kinds(network: nn.Module) -> list[type[nn.Module]]:
    return [type(module) for module in network.modules()]


@every_layer
@every_kind
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_reconstruction_has_the_shape_of_the_image_and_a_latent_has_latent_dim(
    shape: tuple[int, int, int], variational: bool, convolutional: bool
) -> None:
    network = Autoencoder(spec(*shape), latent_dim=5, variational=variational, convolutional=convolutional)
    reconstruction, mean, log_variance = network.reconstruct(images(*shape))
    assert reconstruction.shape == (4, *shape)
    assert mean.shape == (4, 5)
    assert (None if log_variance is None else log_variance.shape) == ((4, 5) if variational else None)


@every_kind
def test_evaluation_decodes_the_mean_of_the_latent(variational: bool) -> None:
    network = Autoencoder(spec(), variational=variational, noise=0.5).eval()
    mean, log_variance = network.posterior(images())
    reconstruction, *posterior = network.reconstruct(images())
    torch.testing.assert_close((reconstruction, *posterior), (network.decode(mean), mean, log_variance))
    assert torch.equal(network(images()), reconstruction)


@torch.no_grad()
def test_training_draws_variational_latents_from_their_distribution() -> None:
    network = Autoencoder(spec(), latent_dim=4, variational=True)
    assert network.log_variance is not None
    # Far from the standard normal distribution, so that a wrong mean or variance shows.
    torch.nn.init.constant_(network.mean.bias, 3)
    torch.nn.init.constant_(network.log_variance.bias, -2)
    drawn: list[Tensor] = []
    network.decoder.register_forward_pre_hook(lambda _, inputs: drawn.append(inputs[0]))
    _, mean, log_variance = network.reconstruct(images(batch=1).expand(4000, -1, -1, -1))
    assert log_variance is not None
    torch.testing.assert_close(drawn[0].mean(0), mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(drawn[0].var(0), log_variance[0].exp(), atol=0.02, rtol=0)


def test_training_adds_noise_of_the_given_std() -> None:
    network = Autoencoder(spec(), noise=0.5)
    seen: list[Tensor] = []
    network.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    inputs = images(batch=500)
    network(inputs)
    network.eval()(inputs)
    assert float((seen[0] - inputs).mean()) == pytest.approx(0, abs=0.02)
    assert float((seen[0] - inputs).std()) == pytest.approx(0.5, abs=0.02)
    assert torch.equal(seen[1], inputs)


def test_training_without_noise_or_variance_is_not_random() -> None:
    network = Autoencoder(spec())
    assert torch.equal(network(images()), network(images()))


@every_layer
@every_kind
def test_a_gradient_reaches_every_parameter(variational: bool, convolutional: bool) -> None:
    network = Autoencoder(spec(), variational=variational, convolutional=convolutional, noise=0.1)
    network(images()).square().mean().backward()
    assert [
        name for name, weights in network.named_parameters() if weights.grad is None or not weights.grad.any()
    ] == []


@every_layer
def test_it_overfits_a_few_images(convolutional: bool) -> None:
    torch.manual_seed(0)
    network, targets = Autoencoder(spec(), convolutional=convolutional), torch.rand(4, 1, 8, 8)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for _ in range(150):
        loss = F.mse_loss(network((targets - 0.5) / 0.3), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 1e-3


def test_the_decoder_mirrors_the_encoder() -> None:
    network = Autoencoder(spec(3, 16, 16), hidden_sizes=(5, 6, 7))
    down = [(layer.in_channels, layer.out_channels) for layer in network.encoder if isinstance(layer, nn.Conv2d)]
    up = [(layer.out_channels, layer.in_channels) for layer in network.decoder if isinstance(layer, nn.ConvTranspose2d)]
    assert down == up[::-1] == [(3, 5), (5, 6), (6, 7)]


def test_linear_layers_have_the_given_sizes() -> None:
    network = Autoencoder(spec(), convolutional=False, hidden_sizes=(20, 10), latent_dim=3)
    layers = [(layer.in_features, layer.out_features) for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert sorted(layers) == sorted([(64, 20), (20, 10), (10, 3), (3, 10), (10, 20), (20, 64)])


def test_without_hidden_layers_it_is_linear() -> None:
    network = Autoencoder(spec(), hidden_sizes=(), latent_dim=3)
    bias = network(torch.zeros(1, 1, 8, 8))
    expected = 3 * (network(images()) - bias)
    torch.testing.assert_close(network(3 * images()) - bias, expected, atol=1e-5, rtol=1e-4)


@every_layer
@torch.no_grad()
def test_latents_and_images_are_not_bounded(convolutional: bool) -> None:
    network = Autoencoder(spec(), convolutional=convolutional, activation="sigmoid", latent_dim=200)
    mean, _ = network.posterior(100 * images())
    reconstruction = network.decode(100 * torch.randn(50, 200))
    for values in (mean, reconstruction):
        assert float(values.min()) < 0 < float(values.max())
    assert kinds(network).count(nn.Sigmoid) == 4


@every_kind
def test_a_saved_state_gives_the_same_outputs(variational: bool) -> None:
    saved, loaded = (Autoencoder(spec(), variational=variational).eval() for _ in range(2))
    assert not torch.equal(saved(images()), loaded(images()))
    file = io.BytesIO()
    torch.save(saved.state_dict(), file)
    file.seek(0)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(saved(images()), loaded(images()))


@every_layer
def test_a_copy_runs_on_the_meta_device(convolutional: bool) -> None:
    network = Autoencoder(spec(), convolutional=convolutional, variational=True, noise=0.1)
    shadow = copy.deepcopy(network.to(memory_format=torch.channels_last)).to("meta")
    assert shadow(torch.empty(2, 1, 8, 8, device="meta")).shape == (2, 1, 8, 8)


@every_layer
def test_an_empty_batch_gives_an_empty_output(convolutional: bool) -> None:
    assert Autoencoder(spec(), convolutional=convolutional)(torch.randn(0, 1, 8, 8)).shape == (0, 1, 8, 8)


def test_an_empty_latent_raises_an_error() -> None:
    with pytest.raises(ValueError, match="latent_dim=0"):
        Autoencoder(spec(), latent_dim=0)


@pytest.mark.parametrize("hidden_sizes", [(0,), (10, -1)])
@every_layer
def test_a_layer_without_units_raises_an_error(hidden_sizes: tuple[int, ...], convolutional: bool) -> None:
    with pytest.raises(ValueError, match="hidden_sizes="):
        Autoencoder(spec(), hidden_sizes=hidden_sizes, convolutional=convolutional)


def test_too_many_convolutions_for_the_image_raise_an_error() -> None:
    assert Autoencoder(spec(), hidden_sizes=(2, 2, 2))(images()).shape == (4, 1, 8, 8)
    with pytest.raises(ValueError, match=r"hidden_sizes=\[2, 2, 2, 2\]: must be fewer, .* the image of 8x8 pixels"):
        Autoencoder(spec(), hidden_sizes=(2, 2, 2, 2))


@pytest.mark.parametrize("noise", [-0.1, float("inf"), float("nan")])
def test_negative_or_infinite_noise_raises_an_error(noise: float) -> None:
    with pytest.raises(ValueError, match=f"noise={noise}"):
        Autoencoder(spec(), noise=noise)


@every_layer
def test_dropout_follows_each_activation_and_spares_the_latent(convolutional: bool) -> None:
    network = Autoencoder(spec(), hidden_sizes=[6, 5], dropout=0.4, convolutional=convolutional)
    assert kinds(network).count(nn.ReLU) == 4
    for part in (network.encoder, network.decoder):
        for layer, after in itertools.pairwise(part):
            assert isinstance(layer, nn.ReLU) == isinstance(after, nn.Dropout)
    torch.manual_seed(0)
    zeros = [float((part == 0).float().mean()) for part in (network.encoder(images(batch=200)), network.mean.weight)]
    assert zeros[0] > 0.4 > zeros[1] == 0  # those that the ReLU clears come on top
    assert not torch.equal(network(images()), network(images()))
    network.eval()
    assert torch.equal(network(images()), network(images()))
    plain = Autoencoder(spec(), hidden_sizes=[6, 5], convolutional=convolutional)
    assert nn.Dropout not in kinds(plain)
    with pytest.raises(ValueError, match="dropout=1: must be at least 0 and below 1"):
        Autoencoder(spec(), dropout=1)


def test_an_unknown_activation_raises_an_error() -> None:
    with pytest.raises(ValueError, match=r"activation=rello: .* did you mean 'relu'\?"):
        Autoencoder(spec(), activation="rello")
