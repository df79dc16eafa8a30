"""Texts whose tokens are coloured by their losses."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from firstlight.runs.explain.tokens import TokenLoss
from firstlight.runs.figures.canvas import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 80  # characters in a line
_MAX_LINES = 60
_WIDTH, _HEIGHT = 0.105, 0.26  # inches of a character of 12 points in a monospaced font
_SHOWN = {" ": "·", "\n": "⏎", "\t": "⇥"}


def draw_tokens(texts: Sequence[Sequence[TokenLoss]], num_labels: int) -> "Figure":
    """Return a figure of the texts, at most 60 lines. The lighter a token's ground, the larger is its loss.

    A loss of the logarithm of the vocabulary's size is that of a network that knows nothing; it and larger ones have
    the lightest colour.

    Args:
        texts: the tokens of each text, see `token_losses`.
        num_labels: size of the vocabulary.
    """
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
    largest, colours = math.log(max(2, num_labels)), colormaps["cividis"]
    for column, line, (token, loss, _) in placed:
        shown = _shown(token)
        ground = "white" if loss is None else colours(loss / largest)
        is_dark = loss is not None and loss < largest / 2
        axes.add_patch(Rectangle((column, line + 0.08), len(shown), 0.84, facecolor=ground, edgecolor="white"))
        for place, character in enumerate(shown):  # one by one, because a character of another font may be wider
            options: Any = {
                "color": "white" if is_dark else "black",
                "family": "monospace",
                "ha": "center",
                "va": "center",
            }
            axes.text(column + place + 0.5, line + 0.5, character, parse_math=False, fontsize=10, **options)
    bar = figure.colorbar(ScalarMappable(Normalize(0, largest), colours), ax=axes, orientation="horizontal", aspect=50)
    bar.set_label("loss of the token in nats")
    return figure


def _placed(texts: Sequence[Sequence[TokenLoss]]) -> Iterator[tuple[int, int, TokenLoss]]:
    """Yield the column and line of each token. A text begins a line, and so does a token after a line break."""
    line = 0
    for tokens in texts:
        column = 0
        for each in tokens:
            length = len(_shown(each.token))
            if column and column + length > _COLUMNS:
                column, line = 0, line + 1
            yield column, line, each
            column += length
            if "\n" in each.token and each.loss is not None:
                column, line = 0, line + 1
        line += 1 if column else 0


def _shown(token: str) -> str:
    """Return a token with white space as signs."""
    return "".join(_SHOWN.get(character, character) for character in token)[:_COLUMNS]
