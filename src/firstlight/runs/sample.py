"""Samples of a generative network, from a run folder alone."""

from pathlib import Path

from torch import Tensor

from firstlight.checks import check_range
from firstlight.data.contact_sheet import check_format, contact_sheet, write_image
from firstlight.files import output_file, user_path, write_text
from firstlight.runs.load import load_run
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks import Adversarial, Language, Reconstruction


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
    """Generate a text or images, and write them to a file.

    Args:
        run: the run folder of a language model, a generative adversarial network or a variational autoencoder.
        output: path of the text, or of the contact sheet, whose suffix selects the format; by default samples.txt or
            samples.png in the run folder.
        checkpoint: "best" or "last".
        seed: of the draws.
        prompt: the beginning of a text.
        length: tokens of a text.
        temperature: of a text; below 1, likely tokens become more likely.
        number: number of images.

    Returns:
        The text, or the images (number, channels, height, width), from 0 to 1.

    Raises:
        ValueError: the run or the checkpoint does not exist, `number` is below 1, the network generates nothing, or
            the output cannot be written.
    """
    check_range("number", number, at_least=1)
    task = load_run(run, checkpoint)
    if not task.can_sample:
        raise ValueError(
            f"run={run}: must be a run of model=gan, model=vae or a language model;"
            f" {type(task.network).__name__} generates nothing."
        )
    is_text = isinstance(task, Language)
    target = user_path(output or RunFolder(run).path / ("samples.txt" if is_text else "samples.png"))
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
