import copy
import io

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
def test_an_image_comes_back_in_its_shape_by_way_of_a_code(
    shape: tuple[int, int, int], variational: bool, convolutional: bool
) -> None:
    network = Autoencoder(spec(*shape), latent_dim=5, variational=variational, convolutional=convolutional)
    reconstruction, mean, log_variance = network.reconstruct(images(*shape))
    assert reconstruction.shape == (4, *shape)
    assert mean.shape == (4, 5)
    assert (None if log_variance is None else log_variance.shape) == ((4, 5) if variational else None)


@every_kind
def test_measured_it_decodes_the_mean_of_the_code(variational: bool) -> None:
    network = Autoencoder(spec(), variational=variational, noise=0.5).eval()
    mean, log_variance = network.posterior(images())
    reconstruction, *posterior = network.reconstruct(images())
    torch.testing.assert_close((reconstruction, *posterior), (network.decode(mean), mean, log_variance))
    assert torch.equal(network(images()), reconstruction)


@torch.no_grad()
def test_in_training_a_variational_latent_is_drawn_from_its_distribution() -> None:
    network = Autoencoder(spec(), latent_dim=4, variational=True)
    # Far from the standard normal distribution, so that a wrong mean or deviation shows.
    torch.nn.init.constant_(network.mean.bias, 3)
    torch.nn.init.constant_(network.log_variance.bias, -2)
    drawn: list[Tensor] = []
    network.decoder.register_forward_pre_hook(lambda _, inputs: drawn.append(inputs[0]))
    _, mean, log_variance = network.reconstruct(images(batch=1).expand(4000, -1, -1, -1))
    assert log_variance is not None
    torch.testing.assert_close(drawn[0].mean(0), mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(drawn[0].var(0), log_variance[0].exp(), atol=0.02, rtol=0)


def test_in_training_noise_of_its_deviation_is_added_to_the_inputs() -> None:
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
def test_it_learns_images_by_heart(convolutional: bool) -> None:
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


def test_dense_layers_are_as_wide_as_they_are_asked_to_be() -> None:
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
def test_neither_latents_nor_images_are_squashed(convolutional: bool) -> None:
    network = Autoencoder(spec(), convolutional=convolutional, activation="sigmoid", latent_dim=200)
    mean, _ = network.posterior(100 * images())
    reconstruction = network.decode(100 * torch.randn(50, 200))
    for values in (mean, reconstruction):
        assert float(values.min()) < 0 < float(values.max())
    assert kinds(network).count(nn.Sigmoid) == 4


@every_kind
def test_its_state_survives_a_file(variational: bool) -> None:
    saved, loaded = (Autoencoder(spec(), variational=variational).eval() for _ in range(2))
    assert not torch.equal(saved(images()), loaded(images()))
    file = io.BytesIO()
    torch.save(saved.state_dict(), file)
    file.seek(0)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(saved(images()), loaded(images()))


@every_layer
def test_shapes_alone_pass_through_a_copy_on_the_meta_device(convolutional: bool) -> None:
    network = Autoencoder(spec(), convolutional=convolutional, variational=True, noise=0.1)
    shadow = copy.deepcopy(network.to(memory_format=torch.channels_last)).to("meta")
    assert shadow(torch.empty(2, 1, 8, 8, device="meta")).shape == (2, 1, 8, 8)


@every_layer
def test_a_batch_of_no_samples_passes_through(convolutional: bool) -> None:
    assert Autoencoder(spec(), convolutional=convolutional)(torch.randn(0, 1, 8, 8)).shape == (0, 1, 8, 8)


def test_a_latent_has_one_number_or_more() -> None:
    with pytest.raises(ValueError, match="latent_dim=0"):
        Autoencoder(spec(), latent_dim=0)


@pytest.mark.parametrize("hidden_sizes", [(0,), (10, -1)])
@every_layer
def test_a_layer_without_units_is_refused(hidden_sizes: tuple[int, ...], convolutional: bool) -> None:
    with pytest.raises(ValueError, match="hidden_sizes="):
        Autoencoder(spec(), hidden_sizes=hidden_sizes, convolutional=convolutional)


def test_an_image_that_cannot_be_halved_so_often_is_refused() -> None:
    assert Autoencoder(spec(), hidden_sizes=(2, 2, 2))(images()).shape == (4, 1, 8, 8)
    with pytest.raises(
        ValueError, match=r"hidden_sizes=\[2, 2, 2, 2\]: an image of 8x8 cannot be halved 4 times; give fewer"
    ):
        Autoencoder(spec(), hidden_sizes=(2, 2, 2, 2))


@pytest.mark.parametrize("noise", [-0.1, float("inf"), float("nan")])
def test_noise_that_is_no_deviation_is_refused(noise: float) -> None:
    with pytest.raises(ValueError, match=f"noise={noise}"):
        Autoencoder(spec(), noise=noise)


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(ValueError, match=r"activation=rello: .* did you mean 'relu'\?"):
        Autoencoder(spec(), activation="rello")
