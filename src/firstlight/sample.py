"""What a generative network makes, from a run folder alone."""

import io
from pathlib import Path

from torch import Tensor

from firstlight.contact_sheet import contact_sheet
from firstlight.environment import quieten
from firstlight.files import whole_file
from firstlight.load import load_run
from firstlight.run_folder import RunFolder
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
        ValueError: no such run or checkpoint, a number below 1, a network that generates nothing, or an output that
            cannot be written.
    """
    quieten()
    if number < 1:
        raise ValueError(f"number={number}: one picture or more.")
    task = load_run(run, checkpoint)
    if not task.generates:
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
        _write(target, text.encode())
        print(text)
        return text
    assert isinstance(task, Adversarial | Reconstruction)
    pictures = task.generate(number, seed)
    content = io.BytesIO()
    contact_sheet(pictures).save(content, "png")
    _write(target, content.getvalue())
    print(f"{number:,} pictures in {target}")
    return pictures


def _write(target: Path, content: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as file:
            file.write(content)
    except OSError as error:
        raise ValueError(f"output={target}: cannot be written ({error}).") from error
