"""The lessons of docs/course: what the command of each page leaves behind, and what the page shows of it."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COURSE = Path(__file__).resolve().parents[2] / "docs" / "course"
_COMMAND = re.compile(r"^```bash\nuv run scripts/(\w+)\.py ?([^\n]*)\n```$", re.MULTILINE)


@dataclass(frozen=True)
class Lesson:
    """A page of the course, whose first block in bash is the command of the lesson.

    Attributes:
        name: a word for --only. The page is NUMBER_NAME.md, and its figure pictures/NAME.png.
        figure: the figure that the command draws: `run/` is the run folder, other files lie beside it.
        alt: what the figure shows, for those who do not see it.
        metrics: the names of the metrics that the page shows, in metrics.json or in the summary of a sweep.
        lines: a pattern of the lines on the screen that the page shows.
        needs: the lesson whose run folder stands for RUN in the command.
        bundled: words that replace the data where there are no official files; None: the lesson needs them.
        short: words for a test, which make the command shorter.
        photos: number of photos of pets, each of another breed, that the command finds in the folder `photos`.
    """

    name: str
    figure: str
    alt: str
    metrics: tuple[str, ...] = ()
    lines: str = ""
    needs: str | None = None
    bundled: str | None = ""
    short: str = ""
    photos: int = 0

    @property
    def page(self) -> Path:
        """The path of the page."""
        return COURSE / f"{LESSONS.index(self) + 1:02}_{self.name}.md"

    @property
    def drawn(self) -> Path:
        """The path of the figure on the page."""
        return COURSE / "pictures" / f"{self.name}.png"

    def command(self) -> tuple[str, list[str]]:
        """Return the name of the script in the command of the page, and its words.

        Raises:
            ValueError: the page has no command.
        """
        if (found := _COMMAND.search(self.page.read_text(encoding="utf-8"))) is None:
            raise ValueError(f"{self.page}: must have a block in bash with one line, `uv run scripts/NAME.py ...`.")
        return found[1], shlex.split(found[2])


_DIGITS = "data=digits"  # bundled with scikit-learn
_ONE_EPOCH = "trainer.max_epochs=1"
_ACCURACIES = ("train/accuracy", "val/accuracy", "test/accuracy")
_WITH_GAP = (*_ACCURACIES, "gap/accuracy")

LESSONS: tuple[Lesson, ...] = (
    Lesson(
        "line",
        "run/line.png",
        "Points with the line after some epochs, and the path of slope and intercept over the loss surface",
        ("slope", "intercept", "test/rmse", "test/r2"),
        short="trainer.max_epochs=3",
    ),
    Lesson(
        "optimizers",
        "race.png",
        "The paths of six optimizers over one loss surface, and the loss after each step",
        lines=r"^ *(?:optimizer|\w+ +-?\d.* \d)",
    ),
    Lesson(
        "activations",
        "activations.png",
        "Eight activations with their derivatives",
        lines=r"^(?:f'?\(x\)$| *(?:x|-3|0|3) )",
    ),
    Lesson(
        "neurons",
        "backprop.png",
        "A network of two inputs, three neurons and two outputs, with its weights and what passes through them",
        lines=r"^(?:error|autograd|one step)",
    ),
    Lesson(
        "mnist",
        "run/mistakes.png",
        "Test digits at which the network is wrong, with their classes and its answers",
        (*_ACCURACIES, "parameters"),
        bundled=_DIGITS,
        short=_ONE_EPOCH,
    ),
    Lesson(
        "overfitting",
        "run/curves.png",
        "Training and validation curves that separate",
        _WITH_GAP,
        bundled=_DIGITS,
        short=f"{_ONE_EPOCH} watch.gap=100",
    ),
    Lesson(
        "kernels",
        "run/filtered.png",
        "Digits, each followed by its filtered images",
        _ACCURACIES,
        bundled=_DIGITS,
        short=_ONE_EPOCH,
    ),
    Lesson(
        "cnn",
        "run/filters.png",
        "The learned kernels of the first convolution",
        (*_ACCURACIES, "parameters"),
        bundled=_DIGITS,
        short=_ONE_EPOCH,
    ),
    Lesson(
        "seeing",
        "explain.png",
        "Four drawn digits with Grad-CAM, integrated gradients and the strongest channels of each layer",
        lines=r"\.jpg",
        needs="cnn",
    ),
    Lesson(
        "augmentation",
        "preview.png",
        "Rows of the same hands: as they are, after each step of the augmentation alone, and after all steps",
        lines=r"^(?:train|a row) ",
        bundled=_DIGITS,
        short="preview.samples=2",
    ),
    Lesson(
        "deployment",
        "predictions.png",
        "Four drawn digits as the network gets them, with its answers",
        lines=r"\S",
        needs="cnn",
    ),
    Lesson(
        "pretrained",
        "predictions.png",
        "Photos of dogs and cats with the answers of the network",
        lines=r"\S",
        bundled=None,
        photos=16,
    ),
    Lesson(
        "transfer",
        "run/mistakes.png",
        "Photos of which the network names another breed",
        (*_ACCURACIES, "parameters"),
        bundled=None,
        short=_ONE_EPOCH,
    ),
    Lesson(
        "words",
        "run/curves.png",
        "The loss and the perplexity of training and validation after each epoch",
        ("val/perplexity", "test/perplexity", "test/accuracy", "parameters"),
        short="trainer.max_epochs=1 data.sentences=60",
    ),
    Lesson(
        "autoencoders",
        "run/samples.png",
        "Test digits, each followed by its reconstruction",
        ("train/loss", "val/loss", "test/loss", "parameters"),
        bundled=_DIGITS,
        short=_ONE_EPOCH,
    ),
    Lesson(
        "gans",
        "run/samples.png",
        "Digits that the generator has made",
        ("parameters",),
        bundled=_DIGITS,
        short=f"{_ONE_EPOCH} data.train_fraction=0.1",
    ),
    Lesson(
        "regularisation",
        "run/curves.png",
        "Training and validation curves that stay together",
        _WITH_GAP,
        bundled=_DIGITS,
        short=f"{_ONE_EPOCH} watch.gap=100",
    ),
    Lesson(
        "search",
        "run/2/confusion.png",
        "The confusion matrix of one run of the sweep",
        ("val/loss", "val/accuracy", "test/accuracy", "parameters"),
        short=f'optimizer.lr=1e-3 "model.hidden_sizes=[8],[4],[2]" {_ONE_EPOCH}',
    ),
    Lesson(
        "architectures",
        "architectures.png",
        "Eight networks by the operations of a forward pass and by their parameters",
        lines=r"^ *\w+ +\w+ +\w+ ",
        short="names=[lenet,resnet18]",
    ),
)


def with_words(argv: Sequence[str], others: str) -> list[str]:
    """Return the words of a command line, in which each of the others takes the place of the word with its key."""
    added = shlex.split(others)
    keys = {word.partition("=")[0] for word in added}
    return [*(word for word in argv if word.partition("=")[0] not in keys), *added]
