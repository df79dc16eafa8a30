import copy
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.networks import GAN
from firstlight.spec import DataSpec

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 45, 30), (1, 9, 33)]
every_discriminator = pytest.mark.parametrize("spectral_norm", [False, True])


def spec(channels: int = 1, height: int = 16, width: int = 16) -> DataSpec:
    return DataSpec((channels, height, width), 3, ("a", "b", "c"), (0.5,) * channels, (0.2,) * channels)


def small(**options: Any) -> GAN:
    return GAN(spec(), **({"latent_dim": 5, "base_channels": 4} | options))


def latents(batch: int = 6, seed: int = 0) -> Tensor:
    return torch.randn(batch, 5, generator=torch.Generator().manual_seed(seed))


def without_gradient(network: nn.Module) -> list[str]:
    return [name for name, weights in network.named_parameters() if weights.grad is None or not weights.grad.any()]


@every_discriminator
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_latent_gives_an_image_and_an_image_gives_a_logit(shape: tuple[int, int, int], spectral_norm: bool) -> None:
    network = GAN(spec(*shape), latent_dim=5, base_channels=4, spectral_norm=spectral_norm)
    made = network.generate(latents())
    assert made.shape == (6, *shape)
    assert network.discriminate(made).shape == (6,)
    assert network(network.example_input(2, "cpu")).shape == (2, *shape)


@torch.no_grad()
def test_images_are_bounded_and_logits_are_not() -> None:
    network = small().eval()
    made = network.generate(1e6 * latents(100))
    assert -1 <= float(made.min()) < -0.9
    assert 0.9 < float(made.max()) <= 1
    assert float(network.discriminate(1e6 * made).abs().max()) > 2


def test_different_latents_give_different_images() -> None:
    network = small().eval()
    assert not torch.allclose(network(latents()), network(latents(seed=1)))


@every_discriminator
def test_a_gradient_reaches_every_parameter_of_both(spectral_norm: bool) -> None:
    network = small(spectral_norm=spectral_norm)
    # Squared, because the gradient of a plain sum is zero after batch normalisation.
    network.discriminate(network.generate(latents())).square().sum().backward()
    assert without_gradient(network) == []


@every_discriminator
def test_the_discriminator_learns_to_separate_two_classes(spectral_norm: bool) -> None:
    torch.manual_seed(0)
    network, inputs = small(spectral_norm=spectral_norm), torch.rand(16, 1, 16, 16) * 2 - 1
    truth = torch.arange(16) % 2
    optimizer = torch.optim.Adam(network.discriminator.parameters(), 1e-2)
    for _ in range(100):
        loss = F.binary_cross_entropy_with_logits(5 * network.discriminate(inputs), truth.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1


def test_the_generator_learns_an_image_for_each_latent() -> None:
    torch.manual_seed(0)
    network, targets = small(base_channels=16), torch.rand(6, 1, 16, 16) * 1.8 - 0.9
    optimizer = torch.optim.Adam(network.generator.parameters(), 1e-2)
    for _ in range(150):
        loss = F.mse_loss(network(latents()), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.01


def test_the_generator_mirrors_the_discriminator() -> None:
    network = GAN(spec(3, 256, 128), base_channels=2)
    down = [(layer.in_channels, layer.out_channels) for layer in network.discriminator if isinstance(layer, nn.Conv2d)]
    up = [
        (layer.out_channels, layer.in_channels) for layer in network.generator if isinstance(layer, nn.ConvTranspose2d)
    ]
    assert down == up[::-1] == [(3, 2), (2, 4), (4, 8), (8, 16), (16, 16)]


def test_all_layers_except_those_at_the_images_have_batch_normalisation() -> None:
    network = GAN(spec(3, 32, 32), base_channels=2)
    normalised = [layer.num_features for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert normalised == [8, 4, 2, 4, 8]  # the generator's, then the discriminator's
    linear = [layer.num_features for layer in network.modules() if isinstance(layer, nn.BatchNorm1d)]
    assert linear == [512, 512]
    discriminator = GAN(spec(3, 32, 32), base_channels=2, spectral_norm=True).discriminator
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in discriminator)


def test_spectral_normalisation_bounds_the_largest_singular_value_by_one() -> None:
    network = small(spectral_norm=True)
    with torch.no_grad():
        for layer in network.discriminator:
            if hasattr(layer, "parametrizations"):
                layer.get_parameter("parametrizations.weight.original").mul_(30)
    for _ in range(50):  # each training step improves the estimate of the largest singular value
        network.discriminate(network.generate(latents()))
    network.eval()
    layers = [layer for layer in network.discriminator if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(layers) == 3
    for layer in layers:
        assert float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) == pytest.approx(1, abs=0.01)


@every_discriminator
def test_a_saved_state_gives_the_same_outputs(spectral_norm: bool) -> None:
    saved, loaded = (small(spectral_norm=spectral_norm) for _ in range(2))
    saved.discriminate(saved.generate(latents()))
    file = io.BytesIO()
    torch.save(saved.state_dict(), file)
    file.seek(0)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    for network in (saved, loaded):
        network.eval()
    assert torch.equal(loaded(latents()), saved(latents()))
    assert torch.equal(loaded.discriminate(saved(latents())), saved.discriminate(saved(latents())))


@every_discriminator
def test_a_copy_gives_the_same_outputs_and_is_independent(spectral_norm: bool) -> None:
    network = small(spectral_norm=spectral_norm).eval()
    twin, made = copy.deepcopy(network), network(latents())
    assert torch.equal(twin.discriminate(made), network.discriminate(made))
    before = network.discriminate(made)
    with torch.no_grad():
        for weights in twin.parameters():
            weights.add_(0.1)
    assert torch.equal(network.discriminate(made), before)
    assert not torch.equal(twin.discriminate(made), before)


@every_discriminator
def test_a_copy_runs_on_the_meta_device(spectral_norm: bool) -> None:
    network = small(spectral_norm=spectral_norm).to(memory_format=torch.channels_last)
    shadow = copy.deepcopy(network).to("meta").eval()
    made = shadow(shadow.example_input(1, "meta"))
    assert made.shape == (1, 1, 16, 16)
    assert shadow.discriminate(made).shape == (1,)


@every_discriminator
def test_in_evaluation_a_sample_does_not_depend_on_its_batch(spectral_norm: bool) -> None:
    network = small(spectral_norm=spectral_norm).eval()
    together = network(latents())
    torch.testing.assert_close(torch.cat([network(latent[None]) for latent in latents()]), together)
    alone = torch.cat([network.discriminate(image[None]) for image in together])
    torch.testing.assert_close(alone, network.discriminate(together))


def linear_layers(network: nn.Module) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in network.modules() if isinstance(layer, nn.Linear)]


def test_both_networks_have_a_hidden_linear_layer() -> None:
    assert linear_layers(small(hidden_size=7)) == [(5, 7), (7, 8 * 16), (8 * 16, 7), (7, 1)]


@pytest.mark.parametrize("options", [{"hidden_size": 0}, {"spectral_norm": True}], ids=str)
def test_hidden_linear_layers_can_be_omitted_as_in_the_paper(options: dict[str, int]) -> None:
    assert linear_layers(small(**options)) == [(5, 8 * 16), (8 * 16, 1)]


def test_hidden_linear_layers_can_have_spectral_normalisation() -> None:
    network = small(hidden_size=7, spectral_norm=True)
    assert not any(isinstance(layer, nn.BatchNorm1d) for layer in network.discriminator)
    network.discriminate(network.generate(latents())).square().sum().backward()
    assert without_gradient(network) == []


@every_discriminator
def test_initial_weights_have_a_std_of_two_hundredths(spectral_norm: bool) -> None:
    network = GAN(spec(3, 32, 32), spectral_norm=spectral_norm, hidden_size=64)
    weights = [weight for weight in network.parameters() if weight.ndim > 1]
    assert len(weights) == 10
    assert [float(weight.detach().std()) for weight in weights] == pytest.approx([0.02] * 10, rel=0.3)


def test_a_batch_of_one_has_gradients_and_keeps_the_running_averages() -> None:
    network = GAN(spec(1, 8, 8))
    network.discriminate(network.generate(torch.randn(8, 64)))
    layer = network.discriminator[-3]
    assert isinstance(layer, nn.BatchNorm1d)
    mean, variance = layer.get_buffer("running_mean").clone(), layer.get_buffer("running_var").clone()
    network.discriminate(network.generate(torch.randn(1, 64))).sum().backward()
    assert without_gradient(network.discriminator) == []
    assert torch.equal(layer.get_buffer("running_mean"), mean)
    assert torch.equal(layer.get_buffer("running_var"), variance)


def test_an_empty_batch_gives_an_empty_output() -> None:
    assert small().discriminate(small()(latents(0))).shape == (0,)


def test_a_negative_hidden_size_raises_an_error() -> None:
    with pytest.raises(ValueError, match="hidden_size=-1: must be at least 0"):
        small(hidden_size=-1)


@pytest.mark.parametrize("size", [(7, 8), (8, 7)])
def test_an_image_that_is_too_small_raises_an_error(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"at least 8x8, not {size[0]}x{size[1]}"):
        GAN(spec(1, *size))


@pytest.mark.parametrize("name", ["latent_dim", "base_channels"])
def test_a_size_below_one_raises_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=0: must be at least 1"):
        small(**{name: 0})
