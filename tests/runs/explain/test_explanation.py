import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from firstlight.config import RunConfig
from firstlight.runs.explain.channels import strongest_channels
from firstlight.runs.explain.drawing.bars import Bars, draw_bars
from firstlight.runs.explain.drawing.panels import mosaic
from firstlight.runs.explain.errors import reconstruction_errors
from firstlight.runs.explain.explanation import of_images, of_reconstructions, of_texts
from firstlight.runs.explain.tokens import token_losses
from firstlight.runs.figures.canvas import as_image
from firstlight.runs.predict.inputs import InputBatch
from firstlight.spec import DataSpec
from firstlight.tasks import Language, Reconstruction
from firstlight.tasks.build import build_task
from helpers.small import IMAGES, TOKENS, images


def batch(raw: torch.Tensor) -> InputBatch:
    """Return inputs whose names hold what matplotlib and a terminal would interpret."""
    return InputBatch([{"path": f"/photos/$x^{number}$ \x1b.png"} for number in range(len(raw))], raw, [[]] * len(raw))


def titles(figure: Figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes]


def assert_drawn(figure: Figure) -> None:
    """Assert that a figure can be drawn, and is not empty."""
    pixels = np.asarray(as_image(figure))
    assert pixels.std() > 5


def test_images_are_explained_for_the_chosen_class_in_one_row_each(the_same_draws: None) -> None:
    task = build_task(RunConfig.from_overrides("model=cnn"), IMAGES).eval()
    found = of_images(task, batch(images(2)[0]), 1)
    layers = strongest_channels(task.network, task.preprocess(images(2)[0]))
    assert_drawn(found.figure)
    assert len(titles(found.figure)) == 2 * (3 + len(layers))
    assert titles(found.figure)[1].startswith("b: Grad-CAM\nfeatures.")
    assert titles(found.figure)[0].startswith("$x^0$ \\x1b.png\n")
    assert found.lines[0].count("explains b") == 2
    assert "\x1b" not in found.lines[0]


def test_a_network_without_places_says_so() -> None:
    task = build_task(RunConfig.from_overrides("model=mlp"), IMAGES).eval()
    found = of_images(task, batch(images(1)[0]), None)
    assert [title.partition(":")[2].partition("\n")[0] for title in titles(found.figure)][1:] == [
        " integrated gradients"
    ]
    assert found.lines[-1] == "without Grad-CAM, because MLP has no layer with feature maps"


def test_the_strongest_channels_come_first() -> None:
    layer = torch.nn.Conv2d(1, 6, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, -5, 2, 0, 4, 3]).view(6, 1, 1, 1))
    (found,) = strongest_channels(torch.nn.Sequential(layer), torch.ones(2, 1, 4, 4))
    assert found.name == "0"
    assert found.numbers.tolist() == [[1, 4, 5, 2]] * 2
    assert found.values[0, :, 0, 0].tolist() == [-5, 4, 3, 2]


def test_a_mosaic_holds_each_channel_from_0_to_1() -> None:
    values = torch.arange(3.0)[:, None, None] * torch.linspace(0, 1, 24).expand(3, 24, 24)
    tiled = mosaic(values)
    assert tiled.shape == (49, 49)
    assert torch.equal(tiled[:24, :24], torch.zeros(24, 24))  # a constant channel
    assert torch.equal(tiled[:24, 25:], torch.linspace(0, 1, 24).expand(24, 24))
    assert tiled[25:, 25:].isnan().all()


@pytest.mark.parametrize("model", ["gru", "transformer"])
def test_the_losses_of_the_tokens_are_those_of_the_logits(model: str, the_same_draws: None) -> None:
    config = RunConfig.from_overrides(f"model={model}", "data=text", "model.dropout=0")
    task = build_task(config, TOKENS).eval()
    assert isinstance(task, Language)
    raw = torch.tensor([[1, 2, 3, 4, 5], [5, 0, 2, -1, -1]], dtype=torch.int32)
    long, short = token_losses(task, raw)
    with torch.no_grad():
        expected = -task.network(raw[:1].long())[0].log_softmax(1)[range(4), [2, 3, 4, 5]]
        likeliest = task.network(raw[:1].long())[0].argmax(1)
    assert [each.token for each in long] == list("abcde")
    assert long[0].loss is None
    if model == "gru":  # a transformer reads a longer text in windows
        assert [each.loss for each in long[1:]] == pytest.approx(expected.tolist(), abs=1e-5)
        assert [each.expected for each in long[1:]] == [TOKENS.labels[index] for index in likeliest[:4]]
    assert [each.token for each in short] == ["e", "<unk>", "b"]
    losses = [each.loss for each in short[1:] if each.loss is not None]
    assert sum(losses) / 2 == pytest.approx(task.predict_rows(raw)[1]["loss"], abs=1e-5)


def test_a_text_is_drawn_and_listed_token_by_token() -> None:
    labels = ("<unk>", "\n", " ", "$", "猫", "a")
    task = build_task(RunConfig.from_overrides("model=gru", "data=text"), DataSpec((5,), 6, labels, (), ())).eval()
    assert isinstance(task, Language)
    raw = torch.tensor([[1, 5, 2, 3, 1, 5, *[3, 5] * 60]], dtype=torch.int32)
    found = of_texts(task, InputBatch([{"line": 1}], raw, [[]]))
    lines = "\n".join(found.lines).splitlines()
    assert lines[0].split() == ["token", "loss", "expected"]
    assert lines[1].split() == ["'\\n'", "given"]
    assert float(lines[2].split()[1]) > 0
    assert lines[-1] == "… and 26 more tokens"
    shown = "".join(text.get_text() for text in found.figure.axes[0].texts)
    assert shown == "⏎a·$⏎a" + "$a" * 60
    assert_drawn(found.figure)


def test_the_errors_of_a_reconstruction_are_those_of_its_pixels() -> None:
    task = build_task(RunConfig.from_overrides("model=autoencoder"), IMAGES).eval()
    assert isinstance(task, Reconstruction)
    raw = images(2)[0]
    found = reconstruction_errors(task, raw)
    mse = [row["mse"] for row in task.predict_rows(raw)]
    assert found.errors.mean((1, 2)).tolist() == pytest.approx(mse, abs=1e-6)
    assert found.images == pytest.approx(raw / 255, abs=1e-6)
    drawn = of_reconstructions(task, batch(raw))
    assert_drawn(drawn.figure)
    assert f"mse {mse[0]:.6f}" in drawn.lines[0]


def test_the_largest_bars_are_drawn_and_the_others_counted() -> None:
    names = [f"${number}" for number in range(30)]
    figure = draw_bars([Bars("t", "points", names, [(-1) ** number * number for number in range(30)])])
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == names[:9:-1]
    assert axes.get_xlabel() == "points; 10 smaller ones are not drawn"
    assert_drawn(figure)
