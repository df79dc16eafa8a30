from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from firstlight.config import RunConfig
from firstlight.runs.load import load_task
from firstlight.runs.sample import sample
from firstlight.tasks import Adversarial
from firstlight.training.run import train

SHORT = ("trainer.max_epochs=2", "trainer.accelerator=cpu", "+trainer.limit_train_batches=3")


@pytest.fixture(scope="module")
def gan_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "gan"
    train(RunConfig.from_overrides("model=gan", "model.base_channels=4", *SHORT), run_dir=folder)
    return folder


@pytest.fixture(scope="module")
def text_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text("A line of text, and another one.\n" * 100)
    words = ("data=text", f"data.file={folder / 'text.txt'}", "data.length=16", "data.batch_size=4", "model=gru")
    train(RunConfig.from_overrides(*words, "model.hidden_size=8", *SHORT), run_dir=folder / "text")
    return folder / "text"


def events(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder / "tensorboard"))
    accumulator.Reload()
    return accumulator


def checkpoint(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


def test_a_gan_writes_images_at_the_end_of_its_training(gan_run: Path) -> None:
    with Image.open(gan_run / "samples.png") as image:
        assert image.size == (8 * 68 + 4, 4 * 68 + 4)
    (image,) = events(gan_run).Images("samples")
    assert image.width == 8 * 68 + 4


def test_a_language_model_writes_a_text_at_the_end_of_its_training(text_run: Path) -> None:
    text = (text_run / "samples.txt").read_text()
    assert len(text) == 301
    assert set(text) <= set("A line of text, and another one.\n")
    (logged,) = events(text_run).Tensors("samples/text_summary")
    assert text.encode() in logged.tensor_proto.string_val[0]


def test_the_checkpoint_of_a_gan_holds_both_optimizers_and_the_averaged_generator(gan_run: Path) -> None:
    state = checkpoint(gan_run)
    sizes = [len(optimizer["state"]) for optimizer in state["optimizer_states"]]
    names = state["state_dict"]
    parts = [sum(name.startswith(f"network.{part}.") for name in names) for part in ("generator", "discriminator")]
    assert len(sizes) == len(state["lr_schedulers"]) == 2
    assert all(0 < size <= part for size, part in zip(sizes, parts, strict=True))
    assert sum(name.startswith("average.") for name in names) == parts[0]
    assert state["global_step"] == 6


def test_the_images_come_from_the_averaged_generator_and_depend_on_the_seed(gan_run: Path, tmp_path: Path) -> None:
    made = sample(gan_run, tmp_path / "made.png", number=5)
    assert isinstance(made, torch.Tensor)
    task = load_task(gan_run)
    assert isinstance(task, Adversarial)
    assert torch.equal(made, task.generate(5))
    assert not torch.equal(made, torch.as_tensor(sample(gan_run, tmp_path / "made.png", number=5, seed=2)))
    with Image.open(tmp_path / "made.png") as image:
        assert image.size == (8 * 68 + 4, 68 + 4)


def test_a_variational_autoencoder_generates_images_and_a_plain_autoencoder_does_not(tmp_path: Path) -> None:
    for model in ("vae", "autoencoder"):
        train(RunConfig.from_overrides(f"model={model}", "model.hidden_sizes=[4]", *SHORT), run_dir=tmp_path / model)
        with Image.open(tmp_path / model / "samples.png") as image:  # 32 images, each with its reconstruction
            assert image.size == (8 * 68 + 4, 8 * 68 + 4)
    assert torch.as_tensor(sample(tmp_path / "vae", number=3)).shape == (3, 1, 8, 8)
    with pytest.raises(
        ValueError, match=r"^run=.*: must be a run with .* because Autoencoder cannot generate samples\.$"
    ):
        sample(tmp_path / "autoencoder")


def test_without_an_output_the_samples_lie_in_the_run_folder(
    gan_run: Path, text_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample(gan_run, number=9)
    with Image.open(gan_run / "samples.png") as image:
        assert image.size == (8 * 68 + 4, 2 * 68 + 4)
    assert "9 images in" in capsys.readouterr().out
    before = (text_run / "samples.txt").read_text()
    text = sample(text_run, length=5)
    assert (text_run / "samples.txt").read_text() == text != before


def test_a_classifier_cannot_generate_samples(trained_run: Path) -> None:
    with pytest.raises(ValueError, match=r"because Linear cannot generate samples\.$"):
        sample(trained_run)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"number": 0}, r"^number=0: must be at least 1\.$"),
        ({"checkpoint": "first"}, r"^checkpoint=first: unknown checkpoint of .*/checkpoints; known: best, last\.$"),
        ({"output": "samples.txt"}, r"^output=.*samples\.txt: must end in one of \.png"),
        ({"output": "/proc/nowhere/samples.png"}, r"^output=/proc/nowhere/samples\.png: "),
    ],
)
def test_a_wrong_option_raises_an_error(options: dict[str, Any], message: str, gan_run: Path) -> None:
    with pytest.raises(ValueError, match=message):
        sample(gan_run, **options)


@pytest.mark.parametrize("options", [{"length": -1}, {"temperature": -0.1}])
def test_the_length_and_the_temperature_of_a_text_must_not_be_negative(options: dict[str, Any], text_run: Path) -> None:
    with pytest.raises(ValueError, match=r"must be at least 0"):
        sample(text_run, **options)
