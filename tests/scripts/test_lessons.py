"""The small experiments of the course: their numbers are those of exact computations, PyTorch and publications."""

import math
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from firstlight.config.help import help_text
from firstlight.networks.kernels import KERNELS
from firstlight.networks.layers import ACTIVATIONS, build_activation
from firstlight.runs.load import load_task
from helpers.runs import REPOSITORY
from lessons import backprop as backprop_module
from lessons.activations import activations
from lessons.architectures import architectures
from lessons.backprop import backprop
from lessons.convolve import PADDINGS, convolve, filtered, named
from lessons.functions import FUNCTIONS
from lessons.line_surface import descend, gradient, largest_rate, least_squares, line_surface, mean_squared_error
from lessons.network_surface import filter_normalised, loss_grid, network_surface

Run = Callable[..., tuple[int | str | None, str, str]]

IMAGE = [[int(cell) for cell in row] for row in ("101101", "010010", "011110", "011110", "101101", "110011")]
KERNEL = [[0.06, 0.13, 0.06], [0.13, 0.25, 0.13], [0.06, 0.13, 0.06]]
PAGE = (REPOSITORY / "docs" / "course" / "small_experiments.md").read_text()
# Each command of the page with the output below it.
SHOWN = re.findall(r"```bash\n(uv run [^\n]*)\n```\n(?:\n```\n(.*?)```)?", PAGE, flags=re.DOTALL)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a script in an empty folder, and returns its exit status and what it prints."""

    def run_script(*words: str) -> tuple[int | str | None, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", list(words))
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPOSITORY / "scripts" / f"{words[0]}.py"), run_name="__main__")
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err.strip()

    return run_script


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.mark.parametrize(("command", "shown"), SHOWN)
def test_the_page_shows_what_the_commands_print(command: str, shown: str, run: Run, trained_run: Path) -> None:
    _, _, script, *words = shlex.split(command.replace("run=RUN", f"run={trained_run} resolution=3"))
    status, out, err = run(Path(script).stem, *words)
    assert (status, err) == (0, "")
    lines = [line for line in out.splitlines() if not line.startswith("figure ")]
    if shown and "run=" not in command:
        first, _, last = shown.strip().partition("\n...\n")  # the page may leave out lines
        assert "\n".join(lines).startswith(first) if last else "\n".join(lines).strip() == first
        assert "\n".join(lines).strip().endswith(last)


def test_the_page_has_every_command_and_its_figures() -> None:
    scripts = {"loss_surface", "convolve", "activations", "backprop"}
    assert {Path(shlex.split(command)[2]).stem for command, _ in SHOWN} == scripts
    figures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", PAGE)
    assert len(figures) >= 4
    assert all((REPOSITORY / "docs" / "course" / name).stat().st_size < 100_000 for name in figures)


@pytest.mark.parametrize("name", ["activations", "architectures", "backprop", "convolve", "loss_surface", "race"])
def test_the_help_of_a_command_shows_its_keys(name: str) -> None:
    text = help_text(name)
    assert f"{name}.py" in text
    assert "output: " in text
    assert "$" not in text


def test_a_script_starts_in_any_folder(tmp_path: Path) -> None:
    command = [sys.executable, str(REPOSITORY / "scripts" / "activations.py"), "names=[relu]", "at=[2]", "output=null"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-4:] == ["", "f'(x)", "x    relu", "2  1.0000"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["convolve", "nothing.png", "pading=none"], "pading: unknown key, did you mean 'padding'?"),
        (["convolve", "nothing.png", "padding=zeros"], "padding=zeros: unknown padding, did you mean 'zero'?"),
        (["convolve", "nothing.png", "kernel=sobel"], "kernel=sobel: unknown kernel, did you mean 'sobel_"),
        (["convolve", "nothing.png"], "nothing.png: must be an existing image file, or a matrix such as"),
        (["convolve"], "image: must be set"),
        (["convolve", "[[1,2],[3]]"], "image=[[1, 2], [3]]: must be rows of finite numbers, all of the same length."),
        (["convolve", "[[1,2],[3,4]]", "kernel=[[1,1,1]]", "padding=none"], "kernel: must be at most as large as"),
        (["convolve", "[[1,2],[3,4]]", "kernel=[[1,1]]"], "padding=zero: must be none for a kernel of 1x2"),
        (["convolve", "[[1]]", "stride=0"], "stride=0: must be at least 1."),
        (["convolve", "[[1]]", "stride=half"], "stride=half: must be a whole number (convolve)."),
        (["convolve", "[[1]]", "output=result.doc"], "result.doc: must end in one of .png"),
        (["loss_surface", "points=[[1,3],[2]]"], "points=[[1, 3], [2]]: must be pairs of x and y"),
        (["loss_surface", "start=[1]"], "start=[1]: must be m and b"),
        (["loss_surface", "rates=[0.1,-1]"], "rates=-1: must be above 0 and finite."),
        (["loss_surface", "rates=0.1"], "rates=0.1: must be a list of numbers (line_surface)."),
        (["loss_surface", "run=nothing"], "run=nothing: must be a run folder"),
        (["activations", "names=[relu,sigmod]"], "names=sigmod: unknown activation, did you mean 'sigmoid'?"),
        (["activations", "at=[]"], "at=[]: must hold at least one finite number."),
        (["backprop", "activation=rely"], "activation=rely: unknown activation, did you mean 'relu'?"),
        (["backprop", "target=[1]", "weights=[[[1,2],[3,4]]]"], "target=[1]: must be 2 numbers"),
        (["backprop", "weights=[[[1]]]"], "weights: must hold 2 numbers for each unit of layer 1"),
        (["backprop", "biases=[[1]]"], "biases=[[1]]: must be lists of 2, 2 numbers"),
        (["backprop", "inputs=[nan]"], "inputs=[nan]: must be at least one number"),
    ],
)
def test_a_mistake_has_a_short_answer(words: list[str], message: str, run: Run) -> None:
    status, out, err = run(*words)
    assert status == 1
    assert message in err
    assert len(err.splitlines()) <= 2
    assert out == ""


# convolve


def test_the_table_of_the_course_is_exact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = convolve(IMAGE, KERNEL, padding="none", output=tmp_path / "result.png")
    weights = [[Decimal(str(weight)) for weight in row] for row in KERNEL]
    cells = [(row, column) for row in range(3) for column in range(3)]
    exact = [[sum(weights[r][c] * IMAGE[top + r][left + c] for r, c in cells) for left in range(4)] for top in range(4)]
    assert list(map(str, exact[0])) == ["0.56", "0.57", "0.57", "0.56"]  # the first row of the course's table
    np.testing.assert_allclose(found, np.array(exact, dtype=float), rtol=0, atol=1e-12)
    printed = capsys.readouterr().out.partition("result 4x4\n")[2].splitlines()[:4]
    assert [line.split() for line in printed] == [[str(value) for value in row] for row in exact]
    assert size_of(tmp_path / "result.png") == (900, 360)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [(3, 3), (1, 5), (5, 3)])
def test_filtering_is_that_of_torch(padding: str, stride: int, size: tuple[int, int], the_same_draws: None) -> None:
    images, kernel = torch.rand(2, 3, 8, 9, dtype=torch.float64), torch.randn(size, dtype=torch.float64)
    margins = (size[1] // 2, size[1] // 2, size[0] // 2, size[0] // 2)
    mode = {"zero": "constant", "mirror": "reflect"}.get(padding)
    padded = F.pad(images, margins, mode) if mode else images
    expected = F.conv2d(padded.flatten(0, 1)[:, None], kernel[None, None], stride=stride).unflatten(0, (2, 3))[:, :, 0]
    np.testing.assert_allclose(filtered(images.numpy(), kernel.numpy(), stride, padding), expected, atol=1e-12)


def test_an_image_file_is_filtered_at_its_own_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = np.zeros((5, 8), dtype=np.uint8)
    pixels[:, 4:] = 255  # an edge from black to white
    Image.fromarray(pixels).save(tmp_path / "edge=1 (a).png")
    for kernel, edge in (("sobel_x", 4.0), ("sobel_y", 0.0)):
        found = convolve(str(tmp_path / "edge=1 (a).png"), kernel, padding="mirror", output=tmp_path / "out.png")
        assert found.shape == (1, 5, 8)
        assert found[0, 2].tolist() == [0, 0, 0, edge, edge, 0, 0, 0]
    assert "5x8, grey" in capsys.readouterr().out
    convolve(str(tmp_path / "edge=1 (a).png"), [[-1.0]], 2, output=tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        assert np.asarray(image).tolist() == [[128, 128, 0, 0]] * 3  # 0 is medium grey


def test_colour_channels_are_filtered_alone_and_a_turned_photo_stands_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (6, 4), (255, 0, 51))
    exif = Image.Exif()
    exif[274] = 6  # a quarter turn
    image.save(tmp_path / "photo.png", exif=exif)
    found = convolve(str(tmp_path / "photo.png"), "identity", output=tmp_path / "same.webp")
    assert found.shape == (3, 6, 4)
    assert found[:, 3, 2].tolist() == pytest.approx([1, 0, 0.2])
    assert size_of(tmp_path / "same.webp") == (4, 6)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["photo.jpg", "stride=2"], ["image=photo.jpg", "stride=2"]),
        (["stride=2", "[[1,0]]"], ["stride=2", "image=[[1,0]]"]),
        (["-m", "./a b=c/x.png"], ["-m", "image=./a b=c/x.png"]),
        (["image=a.png", "--cfg", "job"], ["image=a.png", "--cfg", "job"]),
        (["--help"], ["--help"]),
    ],
)
def test_the_image_needs_no_key(words: list[str], expected: list[str]) -> None:
    assert named(words) == expected


def test_a_matrix_may_have_lines(run: Run) -> None:
    status, out, err = run("convolve", "[[1, 2],\n [3, 4]]", "kernel=[[1, 1],\n[1, 1]]", "padding=none", "output=null")
    assert (status, err) == (0, "")
    assert out.endswith("result 1x1\n10\n\n")


def test_the_help_names_every_kernel() -> None:
    assert all(re.search(rf"\b{name}\b", help_text("convolve")) for name in KERNELS)


# architectures


def test_the_costs_are_those_of_the_publications(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    costs = architectures(["alexnet", "vgg16", "resnet18", "resnet50"], output=tmp_path / "costs.png")
    assert [cost.layers for cost in costs.values()] == [8, 16, 18 + 3, 50 + 4]  # ResNets: and those of the shortcuts
    assert [cost.parameters for cost in costs.values()] == [61_100_840, 138_357_544, 11_689_512, 25_557_032]
    # Torchvision states 0.71, 15.47, 1.81 and 4.09 billion multiplications, without an addition for each.
    assert [round(cost.flops / 2e9, 2) for cost in costs.values()] == [0.71, 15.47, 1.81, 4.09]
    assert re.search(r"^ *alexnet  2012 +8 +61,100,840 +1,428\.4$", capsys.readouterr().out, flags=re.MULTILINE)
    assert size_of(tmp_path / "costs.png") == (800, 450)


def test_a_small_network_costs_what_its_layers_cost() -> None:
    cost = architectures(["linear"], size=8, channels=1, num_classes=10, output=None)["linear"]
    assert (cost.layers, cost.parameters, cost.flops) == (1, 650, 2 * 640)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": ["resnet"]}, "names=resnet: unknown network, did you mean 'resnet"),
        ({"names": ["gan"]}, "names=gan: must be a network that classifies images."),
        ({"names": ["vae"]}, "names=vae: must be a network"),
        ({"names": []}, "names=[]: must hold at least one name."),
        ({"size": 0}, "size=0: must be at least 1"),
        ({"num_classes": 1}, "num_classes=1: must be at least 2"),
        ({"output": "a.doc"}, "a.doc: must end in one of .png"),
    ],
)
def test_a_mistake_in_architectures_has_a_short_answer(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        architectures(**({"names": ["linear"], "output": None} | options))


# loss_surface


def by_autograd(points: torch.Tensor, m: float, b: float) -> tuple[float, list[float]]:
    """Return the mean squared error and its gradient."""
    weights = torch.tensor([m, b], dtype=torch.float64, requires_grad=True)
    error = F.mse_loss(weights[0] * points[:, 0] + weights[1], points[:, 1])
    return error.item(), torch.autograd.grad(error, weights)[0].tolist()


@pytest.mark.parametrize("points", [[[1, 3], [2, 5]], [[0, 1], [1, -2], [4, 2]], [[1, 3], [2, 7]]])
@pytest.mark.parametrize("start", [(-1, 5), (0.5, -2)])
def test_error_and_gradient_are_those_of_autograd(points: list[list[float]], start: tuple[float, float]) -> None:
    x, y = np.array(points, dtype=float).T
    error, slope = by_autograd(torch.tensor(points, dtype=torch.float64), *start)
    assert mean_squared_error(x, y, *start) == pytest.approx(error)
    assert gradient(x, y, *start).tolist() == pytest.approx(slope)


def test_the_start_of_the_course(capsys: pytest.CaptureFixture[str]) -> None:
    line_surface([[1, 3], [2, 5]], [-1, 5], [0.1], 1, output=None)
    printed = capsys.readouterr().out
    assert "MSE 2.5, RMSE 1.58, gradient (-3, -1)\n" in printed
    assert "minimum   m = 2, b = 1, MSE 0\n" in printed
    x, y = np.array([[1, 3], [2, 7]], dtype=float).T  # the points to which the gradient (-7, -3) of some slides belongs
    assert gradient(x, y, -1, 5).tolist() == [-7, -3]
    assert mean_squared_error(x, y, -1, 5) == 8.5


def test_gradient_descent_converges_below_the_largest_rate_and_diverges_above_it() -> None:
    x, y = np.array([[1, 3], [2, 5]], dtype=float).T
    limit = largest_rate(x)
    assert limit == pytest.approx(4 / (7 + math.sqrt(45)))  # the Hessian is [[5, 3], [3, 2]]
    assert least_squares(x, y) == pytest.approx([2, 1])
    assert descend(x, y, (-1, 5), 0.6, 2)[1:].tolist() == [pytest.approx([0.8, 5.6]), pytest.approx([-3.88, 2.24])]
    below, above = (descend(x, y, (-1, 5), factor * limit, 2000)[-1] for factor in (0.99, 1.01))
    assert mean_squared_error(x, y, *below) < 1e-12
    assert mean_squared_error(x, y, *above) > 1e6
    endless = descend(x, y, (-1, 5), 1e30, 1000)
    assert len(endless) < 10
    assert np.isfinite(endless).all()


@pytest.mark.parametrize(
    ("points", "start", "rates"),
    [
        ([[1, 3], [2, 5]], [2, 1], [0.1]),  # starts at the minimum
        ([[3, 3]], [0, 0], [0.01, 9.0]),  # a single point, which many lines meet
        ([[1e40, 1], [2, 1e40]], [0, 0], [0.1] * 8),  # large numbers, and more paths than colours
        ([[0, 0], [0, 0]], [0, 0], [0.1]),
    ],
)
def test_unusual_points_have_a_figure(
    points: list[list[float]], start: list[float], rates: list[float], tmp_path: Path
) -> None:
    line_surface(points, start, rates, 20, output=tmp_path / "surface.png")
    assert size_of(tmp_path / "surface.png") == (900, 420)


def test_the_surface_around_a_network_has_the_loss_of_the_run_at_its_centre(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, Any] = {
        "samples": 10_000,
        "resolution": 3,
        "accelerator": "cpu",
        "output": tmp_path / "surface.png",
    }
    losses = network_surface(trained_run, **options)
    metrics = (trained_run / "metrics.json").read_text()
    expected = float(re.findall(r'"val/loss": ([\d.e-]+)', metrics)[0])
    assert losses[1, 1].item() == pytest.approx(expected, rel=1e-5)
    assert losses.isfinite().all()
    assert f"at the run's weights  val/loss {expected:.4g}" in capsys.readouterr().out
    assert torch.equal(losses, network_surface(trained_run, **options))
    assert not torch.equal(losses, network_surface(trained_run, **options, seed=2))


def test_directions_have_the_norms_of_the_filters_and_the_weights_come_back(trained_run: Path) -> None:
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 3))
    direction = filter_normalised(network, 1, "first")
    assert set(direction) == {"0.weight", "3.weight"}  # neither biases nor the batch normalisation
    for key, weights in network.named_parameters():
        if key in direction:
            torch.testing.assert_close(direction[key].flatten(1).norm(dim=1), weights.flatten(1).norm(dim=1))
    assert not torch.equal(direction["3.weight"], filter_normalised(network, 1, "second")["3.weight"])

    task = load_task(trained_run)
    before = {key: value.clone() for key, value in task.state_dict().items()}
    step = filter_normalised(task.network, 1, "first")
    nothing = {key: torch.zeros_like(value) for key, value in step.items()}
    batch = torch.arange(256, dtype=torch.uint8).reshape(4, 1, 8, 8), torch.tensor([0, 1, 2, 3])
    grid = loss_grid(task, [batch], [step, nothing], torch.tensor([-1.0, 0.0, 1.0]))
    assert all(torch.equal(before[key], value) for key, value in task.state_dict().items())
    assert torch.equal(grid[0], grid[2])  # the rows belong to the second direction
    assert grid[0, 0] != grid[0, 2]


# activations and backprop


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_formula_is_the_function_of_torch_and_its_derivative(name: str) -> None:
    inputs = torch.tensor([-800, -30, -3, -1, -0.1, 0, 0.1, 1, 3, 30, 800], dtype=torch.float64, requires_grad=True)
    outputs = build_activation(name)(inputs)
    (slopes,) = torch.autograd.grad(outputs.sum(), inputs)
    function = FUNCTIONS[name]
    assert [function.value(x) for x in inputs.tolist()] == pytest.approx(outputs.tolist(), abs=1e-9)
    assert [function.derivative(x) for x in inputs.tolist()] == pytest.approx(slopes.tolist(), abs=1e-9)


def test_every_activation_has_a_formula_and_a_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(FUNCTIONS) == set(ACTIVATIONS)
    activations(list(FUNCTIONS), [0, 1.0], output=tmp_path / "curves.svg")
    text = (tmp_path / "curves.svg").read_text()
    assert text.count('id="axes_') >= len(FUNCTIONS)
    rows = capsys.readouterr().out.partition("f'(x)\n")[2].splitlines()
    assert dict(zip(rows[0].split(), rows[1].split(), strict=True))["sigmoid"] == "0.2500"


def test_backprop_has_the_published_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """Mazur 2015, "A Step by Step Backpropagation Example"."""
    weights = [[[0.15, 0.2], [0.25, 0.3]], [[0.4, 0.45], [0.5, 0.55]]]
    hidden, last = backprop([0.05, 0.1], [0.01, 0.99], weights=weights, biases=[[0.35, 0.35], [0.6, 0.6]])
    assert last.weights[0] == pytest.approx([0.082167041, 0.082667628], abs=1e-9)
    assert hidden.weights[0][0] == pytest.approx(0.000438568, abs=1e-9)
    printed = capsys.readouterr().out
    assert "/ 2 = 0.298371\n" in printed
    assert "layer 1 unit 1  w = [0.149781, 0.199561]" in printed  # published: 0.149780716, 0.19956143
    assert "layer 2 unit 2  w = [0.511301, 0.56137]" in printed  # published: 0.511301270, 0.561370121


@pytest.mark.parametrize("activation", FUNCTIONS)
def test_backprop_agrees_with_autograd(activation: str, capsys: pytest.CaptureFixture[str]) -> None:
    backprop([1, -2, 0.5], [0.3], hidden_sizes=[3, 2], activation=activation, seed=5)
    assert "all 23 derivatives agree" in capsys.readouterr().out


def test_the_figure_of_backprop_has_every_number(tmp_path: Path) -> None:
    backprop([1, 0.5], [1, 0], weights=[[[0.15, -0.25]], [[0.4], [0.5]]], output=tmp_path / "network.svg")
    text = (tmp_path / "network.svg").read_text()
    assert all(f"<!-- {number} -->" in text for number in ("1", "0.5", "0.15", "-0.25", "0.4", "inputs", "layer 2"))
    assert text.count("dE/dz") == 3  # one for each unit
    backprop([1] * 20, [0] * 20, hidden_sizes=[20], output=tmp_path / "large.png")  # whose weights would be too many
    assert size_of(tmp_path / "large.png") == (780, 1200)


def test_a_wrong_derivative_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backprop_module, "backward", lambda layers, passes, *_: [[0.1] * len(p.sums) for p in passes])
    with pytest.raises(AssertionError):
        backprop([1], [0])
