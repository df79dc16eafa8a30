"""What a generative network makes, from a run folder alone."""

from pathlib import Path

from torch import Tensor

from firstlight.files import output_file, write_text
from firstlight.runs.contact_sheet import check_format, contact_sheet, write_image
from firstlight.runs.load import load_run
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks import Adversarial, Language, Reconstruction
from firstlight.training.environment import silence_lightning


def sample(
    run: str | Path,
    output: str | Path | None = None,
    checkpoint: str = "best",
    seed: int = 1,
    prompt: str = "",
    length: int = 500,
    temperature: float = 0.8,
    number: int = 64,
) -> Tensor | str:
    """A text that goes on from a prompt, or images.

    Args:
        run: the run folder of a language model, a generative adversarial network or a variational autoencoder.
        output: path of the text or of the contact sheet, whose suffix says its format; by default samples.txt or
            samples.png in the run folder.
        checkpoint: `best` or `last`.
        seed: of the draws.
        prompt: how a text begins.
        length: tokens of a text.
        temperature: of a text: likelier tokens become likelier still below 1.
        number: images.

    Returns:
        The text, or the images (number, channels, height, width), from 0 to 1.

    Raises:
        ValueError: no such run or checkpoint, a number below 1, a network that generates nothing, or an output that
            cannot be written.
    """
    silence_lightning()
    if number < 1:
        raise ValueError(f"number={number}: one image or more.")
    task = load_run(run, checkpoint)
    if not task.can_sample:
        raise ValueError(
            f"run={run}: {type(task.network).__name__} generates nothing; samples come of model=gan,"
            " model=vae and of language models."
        )
    is_text = isinstance(task, Language)
    target = (
        Path(output).expanduser() if output else RunFolder(run).path / ("samples.txt" if is_text else "samples.png")
    )
    if isinstance(task, Language):
        text = task.sample(prompt, length, temperature, seed)
        with output_file("output", target):
            write_text(target, text)
        print(text)
        return text
    assert isinstance(task, Adversarial | Reconstruction)
    check_format("output", target)
    images = task.generate(number, seed)
    with output_file("output", target):
        write_image(target, contact_sheet(images))
    print(f"{number:,} images in {target}")
    return images
