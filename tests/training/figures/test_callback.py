"""After a run, the event files hold every figure, for each task: decoded, of a plausible size, and not blank."""

import io
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.compat.proto.graph_pb2 import GraphDef

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.training.figures.confusion import confusion_image
from firstlight.training.run import resume, train
from helpers.failing import FailingOnce
from helpers.records import events, same_run
from helpers.runs import same_weights
from helpers.shows import Shows

pytestmark = pytest.mark.figures
SHORT = ["trainer.max_epochs=2", "+trainer.limit_train_batches=2", "trainer.accelerator=cpu"]
ENDS = {"network/filters"}
CLASSES = {"test/confusion", "test/calibration", "test/precision_recall"}
TASKS: dict[str, tuple[list[str], set[str], set[str], set[str]]] = {  # words; images of epochs and of the end; texts
    "images": (
        ["model=cnn", "augment=light", "augment.views=0"],
        {"val/confusion"},
        ENDS | CLASSES | {"augmentation", "test/mistakes", "network/channels"},
        set(),
    ),
    "table": (["data=iris", "model=mlp"], {"val/confusion"}, CLASSES, set()),
    "regression": (["data=line", "model=linear"], set(), {"test/predicted_true", "line"}, set()),
    "vae": (
        ["model=vae"],
        {"val/reconstructions", "val/samples"},
        ENDS | {"samples", "test/latent_walk", "network/channels"},
        set(),
    ),
    "gan": (["model=gan"], {"val/samples"}, ENDS | {"samples", "test/latent_walk"}, set()),
    "language": (["model=gru", "model.hidden_size=8"], set(), set(), {"val/sample", "samples"}),
}


def read(folder: Path) -> tuple[dict[str, list[tuple[int, Image.Image]]], list[GraphDef]]:
    """Return the steps and images of each tag, and the graphs, in the event file of a run."""
    images: dict[str, list[tuple[int, Image.Image]]] = {}
    graphs = []
    (path,) = (folder / "tensorboard").glob("events.out.tfevents.*")
    for event in LegacyEventFileLoader(str(path)).Load():
        if event.graph_def:
            graphs.append(GraphDef.FromString(event.graph_def))
        for value in event.summary.value:
            if value.WhichOneof("value") == "image":
                image = Image.open(io.BytesIO(value.image.encoded_image_string))
                assert image.format == "PNG"
                assert image.size == (value.image.width, value.image.height)
                images.setdefault(value.tag, []).append((event.step, image))
    return images, graphs


def check_images(found: dict[str, list[tuple[int, Image.Image]]]) -> None:
    for tag, shown in found.items():
        for _, image in shown:
            assert min(image.size) >= 60, tag
            assert max(image.size) <= 2000, tag
            pixels = np.asarray(image.convert("L"))
            assert np.ptp(pixels) > 50, tag
            assert len(np.unique(pixels)) > 2, tag


@pytest.mark.parametrize("name", TASKS)
def test_each_task_shows_what_fits_it(name: str, tmp_path: Path) -> None:
    words, in_epochs, at_end, texts = TASKS[name]
    if name == "language":
        (tmp_path / "text.txt").write_text("A line of text, and another one.\n" * 100)
        words = [*words, "data=text", f"data.file={tmp_path / 'text.txt'}", "data.length=16", "data.batch_size=4"]
    short = [word for word in SHORT if "limit" not in word or name != "vae"]  # not all black
    metrics = train(compose(*words, *short), run_dir=tmp_path / "run")
    assert metrics["status"] == "completed"
    assert "cannot be drawn" not in (tmp_path / "run" / "train.log").read_text()
    images, graphs = read(tmp_path / "run")
    check_images(images)
    assert {tag for tag, shown in images.items() if len(shown) == 2} == in_epochs
    steps = [step for step, _ in events(tmp_path / "run")["lr"]]
    assert all([step for step, _ in images[tag]] == steps for tag in in_epochs)
    assert {tag for tag, shown in images.items() if len(shown) == 1} == at_end
    assert {f"{text}/text_summary" for text in texts} <= events(tmp_path / "run").keys()
    assert len(graphs) == 1
    assert len(graphs[0].node) > 3
    check_projector(tmp_path / "run" / "tensorboard", has_points=name not in ("language", "gan"))


def check_projector(folder: Path, *, has_points: bool) -> None:
    assert (folder / "projector_config.pbtxt").exists() == has_points
    if has_points:
        from google.protobuf import text_format  # type: ignore[import-untyped]
        from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

        config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
        (entry,) = config.embeddings
        points = np.fromfile(folder / entry.tensor_path, "<f4").reshape(entry.tensor_shape)
        assert len(points) == len((folder / entry.metadata_path).read_text().splitlines())
        assert len(points) >= 30  # all test samples of iris
        assert points.std(0).max() > 0
        if entry.sprite.image_path:
            with Image.open(folder / entry.sprite.image_path) as sprite:
                assert sprite.size == (math.ceil(math.sqrt(len(points))) * 32,) * 2
                assert [*entry.sprite.single_image_dim] == [32, 32]


def test_figures_change_nothing_of_the_training(tmp_path: Path) -> None:
    for name in ("true", "false"):
        train(compose("model=gan", "model.base_channels=4", *SHORT, f"figures={name}"), run_dir=tmp_path / name)
    assert same_weights(tmp_path / "true", tmp_path / "false", "last")
    assert read(tmp_path / "false")[0].keys() <= {"samples"}
    assert read(tmp_path / "false")[1] == []
    assert not (tmp_path / "false" / "tensorboard" / "projector_config.pbtxt").exists()


def test_a_resumed_run_has_each_figure_once(tmp_path: Path) -> None:
    words = ["model=linear", *SHORT, "+trainer.callbacks=[{_target_: helpers.failing.FailingOnce}]"]
    train(compose(*words), run_dir=tmp_path / "whole")
    FailingOnce.error = KeyboardInterrupt(15)
    with pytest.raises(KeyboardInterrupt):
        train(compose(*words), run_dir=tmp_path / "stopped")
    resume(tmp_path / "stopped", trust=True)
    same_run(tmp_path / "whole", tmp_path / "stopped")
    assert len(read(tmp_path / "stopped")[1]) == 1


def test_a_task_says_itself_what_it_shows_and_an_error_costs_its_figure_alone(tmp_path: Path) -> None:
    Shows.modes = []
    words = ["model=linear", *SHORT]
    own = "task._target_=helpers.shows.Shows"
    train(compose(*words, own), run_dir=tmp_path / "own")
    train(compose(*words, "figures=false"), run_dir=tmp_path / "plain")
    images, _ = read(tmp_path / "own")
    assert len(images["val/negative"]) == 2
    assert "val/note/text_summary" in events(tmp_path / "own")
    assert Shows.modes == [False] * 3
    log = (tmp_path / "own" / "train.log").read_text()
    assert log.count("figures=true: test/ cannot be drawn (out of luck).") == 1
    assert "network/filters" in images
    assert same_weights(tmp_path / "own", tmp_path / "plain", "last")


def test_a_network_that_cannot_be_traced_has_no_graph_and_the_log_says_why(tmp_path: Path) -> None:
    plain = RunConfig.from_overrides(*SHORT).to_plain() | {"model": {"_target_": "helpers.shows.Branching"}}
    train(RunConfig.parse(plain), run_dir=tmp_path / "run")
    assert read(tmp_path / "run")[1] == []
    log = (tmp_path / "run" / "train.log").read_text()
    assert "TensorBoard shows no graph, because Branching cannot be traced (not this way)" in log


def test_the_confusion_matrix_has_a_cell_for_each_pair() -> None:
    counts = torch.tensor([[8, 0, 0], [0, 2, 6], [0, 0, 0]])
    image: Any = confusion_image(counts, ["a", "b", "c"])
    pixels = np.asarray(image)
    left = image.width - 4 - 3 * 24 if image.width > 150 else None
    dark = (pixels == (8, 48, 107)).all(2).nonzero()
    assert len(dark[0]) == 24 * 24  # the whole row a is predicted as a
    top, start = dark[0].min(), dark[1].min()
    assert left is None or start == left
    cell = pixels[top + 24 + 12, start + 24 + 12]  # a quarter of row b: half of the way on the scale of the root
    assert cell.tolist() == pytest.approx([(255 + 8) / 2, (255 + 48) / 2, (255 + 107) / 2], abs=1)
    assert confusion_image(torch.ones(201, 201), ["x"] * 201) is None
    assert confusion_image(torch.zeros(100, 100), ["x"] * 100).size == (18 + 400 + 4, 36 + 400)  # type: ignore[union-attr]


@pytest.mark.real
@pytest.mark.slow  # digits show the same
@pytest.mark.skipif(not os.environ.get("REAL_DATA"), reason="FIRSTLIGHT_DATA is not set")
def test_mnist_shows_what_digits_show(tmp_path: Path) -> None:
    words = ["data=mnist", "model=lenet", f"data.dir={os.environ['REAL_DATA']}/MNIST/raw", "augment=light"]
    train(compose(*words, "augment.views=0", *SHORT), run_dir=tmp_path / "run")
    images, graphs = read(tmp_path / "run")
    check_images(images)
    assert images.keys() == TASKS["images"][1] | TASKS["images"][2]
    assert len(graphs) == 1
