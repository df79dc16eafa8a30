"""Generate texts or images with a trained run, or play an episode."""

from pathlib import Path

from torch import Tensor

from firstlight.checks import check_range
from firstlight.data.images.animation import Animation, check_animation_format, write_animation
from firstlight.data.images.contact_sheet import check_format, contact_sheet, write_image
from firstlight.files import output_file, user_path, write_text
from firstlight.runs.load import load_task
from firstlight.runs.run_folder import RunFolder


def sample(
    run: str | Path,
    output: str | Path | None = None,
    checkpoint: str = "best",
    seed: int = 1,
    prompt: str = "",
    length: int = 500,
    temperature: float = 0.8,
    number: int = 64,
    trust: bool = False,
) -> Tensor | str | Animation:
    """Generate a text or images, or play an episode, and write them to a file.

    Args:
        run: the run folder of a language model, a generative adversarial network, a variational autoencoder or an
            agent.
        output: path of the text, or of the contact sheet or animation, whose suffix selects the format; by default
            samples.txt, samples.png or samples.gif in the run folder.
        checkpoint: "best" or "last".
        seed: the seed of the random draws, or of the episode.
        prompt: for texts: the beginning.
        length: for texts: the number of new tokens.
        temperature: for texts: divides the logits. Values below 1 make likely tokens more likely.
        number: for images: how many.
        trust: whether the run's config may name any class or function, see `RunFolder.config`.

    Returns:
        The text, the images (number, channels, height, width), from 0 to 1, or the episode.

    Raises:
        ValueError: the run or the checkpoint does not exist, an option is out of its range, the network cannot
            generate samples, or the output cannot be written.
    """
    check_range("number", number, at_least=1)
    task = load_task(run, checkpoint, trust=trust)
    if not task.can_sample:
        raise ValueError(
            f"run={run}: must be a run with model=gan, model=vae, task=language, dqn or policy_gradient,"
            f" because {type(task.network).__name__} cannot generate samples."
        )
    default = RunFolder(run).path / f"samples{task.sample_suffix}"
    target = user_path(default if output is None else output, "output")
    checks = {".png": check_format, ".gif": check_animation_format}
    if check := checks.get(task.sample_suffix):
        check("output", target)
    made = task.sample(prompt=prompt, length=length, temperature=temperature, seed=seed, number=number)
    with output_file("output", target):
        if isinstance(made, str):
            write_text(target, made)
        elif isinstance(made, Animation):
            write_animation(target, made)
        else:
            write_image(target, contact_sheet(made))
    print(_result(made, target))
    return made


def _result(made: Tensor | str | Animation, target: Path) -> str:
    """Return the line to print: the generated text, or how many images were written, and where."""
    if isinstance(made, str):
        return made
    return f"{made.caption if isinstance(made, Animation) else f'{len(made):,} images'} in {target}"
