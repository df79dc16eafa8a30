"""Texts whose tokens are coloured by their losses, or by what they add to a class."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from firstlight.runs.explain.tokens import TokenLoss, TokenValue
from firstlight.runs.figures.canvas import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 80  # characters in a line
_MAX_LINES = 60
_WIDTH, _HEIGHT = 0.105, 0.26  # inches of a character of 12 points in a monospaced font
_SHOWN = {" ": "·", "\n": "⏎", "\t": "⇥"}

_Token = tuple[str, float | None]  # with its value; None for a token that is given


def draw_tokens(texts: Sequence[Sequence[TokenLoss]], num_labels: int) -> "Figure":
    """Return a figure of the texts, at most 60 lines. The lighter a token's ground, the larger is its loss.

    A loss of the logarithm of the vocabulary's size is that of a network that knows nothing; it and larger ones have
    the lightest colour.

    Args:
        texts: the tokens of each text, see `token_losses`.
        num_labels: size of the vocabulary.
    """
    largest = math.log(max(2, num_labels))
    plain = [[(each.token, each.loss) for each in text] for text in texts]
    return _draw(plain, "cividis", (0, largest), "loss of the token in nats", lambda loss: loss < largest / 2)


def draw_contributions(texts: Sequence[Sequence[TokenValue]]) -> "Figure":
    """Return a figure of the texts, at most 60 lines. An orange token speaks for the class, a blue one against it.

    Args:
        texts: the tokens of each text, see `token_contributions`.
    """
    largest = max((abs(each.value) for text in texts for each in text), default=0.0) or 1.0
    plain = [[(each.token, each.value) for each in text] for text in texts]
    label = "what the token adds to the logit of the class"
    return _draw(plain, "PuOr_r", (-largest, largest), label, lambda value: abs(value) > 0.7 * largest)


def _draw(
    texts: Sequence[Sequence[_Token]],
    colours_name: str,
    limits: tuple[float, float],
    label: str,
    is_dark: Callable[[float], bool],
) -> "Figure":
    """Draw tokens on a ground whose colour shows their value; white without one."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.patches import Rectangle

    placed = [each for each in _placed(texts) if each[1] < _MAX_LINES]
    lines = 1 + max((line for _, line, _ in placed), default=0)
    figure = new_figure(_WIDTH * _COLUMNS + 0.4, _HEIGHT * lines + 1.2)
    axes = figure.add_subplot()
    axes.set(xlim=(0, _COLUMNS), ylim=(lines, 0))
    axes.set_axis_off()
    scale, colours = Normalize(*limits), colormaps[colours_name]
    for column, line, (token, value) in placed:
        shown = _shown(token)
        ground = "white" if value is None else colours(scale(value))
        axes.add_patch(Rectangle((column, line + 0.08), len(shown), 0.84, facecolor=ground, edgecolor="white"))
        for place, character in enumerate(shown):  # one by one, because a character of another font may be wider
            options: Any = {
                "color": "white" if value is not None and is_dark(value) else "black",
                "family": "monospace",
                "ha": "center",
                "va": "center",
            }
            axes.text(column + place + 0.5, line + 0.5, character, parse_math=False, fontsize=10, **options)
    bar = figure.colorbar(ScalarMappable(scale, colours), ax=axes, orientation="horizontal", aspect=50)
    bar.set_label(label)
    return figure


def _placed(texts: Sequence[Sequence[_Token]]) -> Iterator[tuple[int, int, _Token]]:
    """Yield the column and line of each token. A text begins a line, and so does a token after a line break."""
    line = 0
    for tokens in texts:
        column = 0
        for each in tokens:
            length = len(_shown(each[0]))
            if column and column + length > _COLUMNS:
                column, line = 0, line + 1
            yield column, line, each
            column += length
            if "\n" in each[0] and each[1] is not None:
                column, line = 0, line + 1
        line += 1 if column else 0


def _shown(token: str) -> str:
    """Return a token with white space as signs."""
    return "".join(_SHOWN.get(character, character) for character in token)[:_COLUMNS]
