"""What a misspelled word was meant to be."""

import difflib
import re
from collections.abc import Sequence


def nearest(word: str, options: Sequence[str]) -> str | None:
    """The option most like `word`, or None where nothing is like it.

    Compares the last part of dotted names too, so that `lr` finds `optimizer.lr`, and the initials of
    compound words, so that `learning_rate` finds `lr`.
    """
    scored = [(_likeness(word, option), option) for option in options]
    best = max(scored, default=(0.0, ""), key=lambda pair: pair[0])
    return best[1] if best[0] >= 0.6 else None


def suggestion(word: str, options: Sequence[str], prefix: str = "") -> str:
    """A sentence: the nearest option, or all of them where none is near, or that there is none."""
    found = nearest(word, options)
    if found is not None:
        return f"Did you mean '{prefix + '.' if prefix else ''}{found}'?"
    return f"There are: {', '.join(sorted(options))}." if options else f"This {prefix} has no options."


def _likeness(word: str, option: str) -> float:
    def ratio(a: str, b: str) -> float:
        return difflib.SequenceMatcher(None, a.lower(), b.lower()).ratio()

    last_word, last_option = word.rsplit(".", 1)[-1], option.rsplit(".", 1)[-1]
    initials = "".join(part[0] for part in re.split(r"[_\W]+", last_word) if part).lower()
    score = ratio(word, option)
    if last_option.lower() in (last_word.lower(), initials):
        score = max(score, 0.9)
    return max(score, 0.95 * ratio(last_word, last_option) if "." in option else 0.0)
