"""What a generative network makes, from a run folder alone."""

from pathlib import Path

import torch
from torch import Tensor

from firstlight.contact_sheet import contact_sheet
from firstlight.environment import quieten
from firstlight.files import whole_file, write_text
from firstlight.load import load_run
from firstlight.randomness import generator
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
    """A text that goes on from a prompt, or pictures.

    Args:
        run: the run folder of a language model, a generative adversarial network or a variational autoencoder.
        output: path of the text or of the contact sheet; by default samples.txt or samples.png in the run folder.
        checkpoint: `best` or `last`.
        seed: of the draws.
        prompt: how a text begins.
        length: tokens of a text.
        temperature: of a text: likelier tokens become likelier still below 1.
        number: pictures.

    Returns:
        The text, or the pictures (number, channels, height, width), from 0 to 1.

    Raises:
        ValueError: no such run or checkpoint, a number below 1, or a network that generates nothing.
    """
    quieten()
    if number < 1:
        raise ValueError(f"number={number}: one picture or more.")
    task = load_run(run, checkpoint)
    if isinstance(task, Language):
        text = task.sample(prompt, length, temperature, seed)
        target = Path(output).expanduser() if output else Path(run) / "samples.txt"
        write_text(target, text)
        print(text)
        return text
    if isinstance(task, Adversarial):
        pictures = task.generate(number, seed)
    elif isinstance(task, Reconstruction) and task.network.log_variance is not None:
        codes = torch.randn(number, task.network.mean.out_features, generator=generator(seed, "codes"))
        with torch.inference_mode():
            pictures = task.as_pixels(task.network.decode(codes)).clamp(0, 1)
    else:
        raise ValueError(
            f"run={run}: {type(task.network).__name__} generates nothing; samples come of model=gan,"
            " model=vae and of language models."
        )
    target = Path(output).expanduser() if output else Path(run) / "samples.png"
    with whole_file(target) as file:
        contact_sheet(pictures).save(file, "png")
    print(f"{number:,} pictures in {target}")
    return pictures
