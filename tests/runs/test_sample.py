import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from firstlight.config.compose import compose
from firstlight.runs.evaluate import evaluate
from firstlight.runs.load import load_run
from firstlight.runs.sample import sample
from firstlight.training.run import train

Script = Callable[..., "subprocess.CompletedProcess[str]"]
SHORT = ("trainer.max_epochs=2", "trainer.accelerator=cpu", "+trainer.limit_train_batches=3")


@pytest.fixture(scope="module")
def gan_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "gan"
    train(compose("model=gan", "model.base_channels=4", *SHORT), run_dir=folder)
    return folder


@pytest.fixture(scope="module")
def text_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text("A line of text, and another one.\n" * 100)
    words = ("data=text", f"data.file={folder / 'text.txt'}", "data.length=16", "data.batch_size=4", "model=gru")
    train(compose(*words, "model.hidden_size=8", *SHORT), run_dir=folder / "text")
    return folder / "text"


def events(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return accumulator


def checkpoint(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


def test_a_run_of_a_gan_leaves_images(gan_run: Path) -> None:
    with Image.open(gan_run / "samples.png") as image:
        assert image.size == (8 * 68 + 4, 4 * 68 + 4)
    (image,) = events(gan_run).Images("samples")
    assert image.width == 8 * 68 + 4


def test_a_run_of_a_language_model_leaves_a_text(text_run: Path) -> None:
    text = (text_run / "samples.txt").read_text()
    assert len(text) == 301
    assert set(text) <= set("A line of text, and another one.\n")
    (logged,) = events(text_run).Tensors("samples/text_summary")
    assert text.encode() in logged.tensor_proto.string_val[0]


def test_the_checkpoint_of_a_gan_holds_both_optimizers_and_the_average(gan_run: Path) -> None:
    state = checkpoint(gan_run)
    sizes = [len(optimizer["state"]) for optimizer in state["optimizer_states"]]
    names = state["state_dict"]
    parts = [sum(name.startswith(f"network.{part}.") for name in names) for part in ("generator", "discriminator")]
    assert len(sizes) == len(state["lr_schedulers"]) == 2
    assert all(0 < size <= part for size, part in zip(sizes, parts, strict=True))
    assert sum(name.startswith("average.") for name in names) == parts[0]
    assert state["global_step"] == 6


def test_a_gan_is_measured_again_to_the_last_digit(gan_run: Path) -> None:

    before = json.loads((gan_run / "metrics.json").read_text())
    for name, value in evaluate(gan_run, accelerator="cpu").items():
        assert value == before[name], name


def test_images_are_those_of_the_average_generator_and_of_the_seed(gan_run: Path, tmp_path: Path) -> None:
    made = sample(gan_run, tmp_path / "made.png", number=5)
    assert isinstance(made, torch.Tensor)
    assert torch.equal(made, load_run(gan_run).generate(5))
    assert not torch.equal(made, torch.as_tensor(sample(gan_run, tmp_path / "made.png", number=5, seed=2)))
    with Image.open(tmp_path / "made.png") as image:
        assert image.size == (8 * 68 + 4, 68 + 4)


def test_a_variational_autoencoder_draws_and_a_plain_one_does_not(tmp_path: Path) -> None:
    for model in ("vae", "autoencoder"):
        train(compose(f"model={model}", "model.hidden_sizes=[4]", *SHORT), run_dir=tmp_path / model)
        with Image.open(tmp_path / model / "samples.png") as image:  # 32 images, each with what comes back
            assert image.size == (8 * 68 + 4, 8 * 68 + 4)
    assert torch.as_tensor(sample(tmp_path / "vae", number=3)).shape == (3, 1, 8, 8)
    with pytest.raises(ValueError, match="Autoencoder generates nothing; samples come of model=gan, model=vae"):
        sample(tmp_path / "autoencoder")


def test_the_command_prints_a_text_and_keeps_it(script: Script, text_run: Path, tmp_path: Path) -> None:
    words = [f"run={text_run}", "prompt=A line, ß", "length=40", "output=there/text.txt"]
    done = script("sample", *words)
    assert done.returncode == 0
    assert done.stderr == "left out of the prompt, for it is not in the vocabulary: 'ß'\n"
    assert done.stdout.startswith("A line, ")
    assert len(done.stdout) == len("A line, ") + 40 + 1
    assert (tmp_path / "there" / "text.txt").read_text() == done.stdout[:-1]


def test_without_an_output_samples_lie_in_the_run_folder(
    gan_run: Path, text_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample(gan_run, number=9)
    with Image.open(gan_run / "samples.png") as image:
        assert image.size == (8 * 68 + 4, 2 * 68 + 4)
    assert "9 images in" in capsys.readouterr().out
    assert (
        (text_run / "samples.txt").read_text() != sample(text_run, length=5) == (text_run / "samples.txt").read_text()
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"number": 0}, "number=0: one image or more"),
        ({"checkpoint": "first"}, "checkpoint=first: not in"),
        ({"output": "samples.txt"}, "output=samples.txt: images are written as .png, .jpg"),
        ({"output": "/proc/nowhere/samples.png"}, "output=/proc/nowhere/samples.png: cannot be written"),
    ],
)
def test_mistakes_are_told(options: dict[str, Any], told: str, gan_run: Path) -> None:
    with pytest.raises(ValueError, match=told):
        sample(gan_run, **options)


def test_a_text_of_less_than_nothing_is_refused(text_run: Path) -> None:
    with pytest.raises(ValueError, match=r"length=-1 temperature=0\.8: both are 0 or more"):
        sample(text_run, length=-1)


def test_a_classifier_generates_nothing(trained_run: Path) -> None:
    with pytest.raises(ValueError, match="Linear generates nothing"):
        sample(trained_run)


def test_a_folder_that_is_no_run_is_told(script: Script) -> None:
    done = script("sample", "run=nope", "number=3")
    assert done.returncode == 1
    assert done.stderr.startswith("run=nope: no run folder")
