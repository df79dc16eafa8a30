"""Checks of values, with suggestions for misspelled words.

All error messages of firstlight have one of three forms: `key=value: must be …`,
`key=value: unknown …, did you mean …?` and `path: cannot read (…). To fix: …`.
"""

import difflib
import re
from collections.abc import Collection, Iterable


def choose(key: str, value: str, options: Collection[str], what: str) -> str:
    """Return `value` if it is one of `options`.

    Args:
        key: the key of the config, for the message.
        value: the value of the key.
        options: the allowed values.
        what: a noun for the values, such as "activation".

    Raises:
        ValueError: the value is not one of the options. The message suggests the most similar option.
    """
    if value not in options:
        raise unknown(key, value, options, what)
    return value


def unknown(key: str, value: str, options: Collection[str], what: str) -> ValueError:
    """Return the error for a value that is not one of the options; the arguments are those of `choose`."""
    return ValueError(f"{key}={value}: unknown {what}{suggestion(value, options)}")


def check_range(
    key: str,
    value: float,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> None:
    """Check that a number lies within bounds.

    Raises:
        ValueError: the number is out of bounds, or NaN.
    """
    fits = [
        above is None or value > above,
        at_least is None or value >= at_least,
        below is None or value < below,
        at_most is None or value <= at_most,
    ]
    if not all(fits):
        named = {"above": above, "at least": at_least, "below": below, "at most": at_most}
        bounds = [f"{name} {bound:g}" for name, bound in named.items() if bound is not None]
        raise ValueError(f"{key}={value}: must be {' and '.join(bounds).replace('below inf', 'finite')}.")


def nearest(word: str, options: Iterable[str]) -> str | None:
    """Return the option that is most similar to `word`, or None if no option is similar.

    Compares the last part of dotted names too, so that `lr` finds `optimizer.lr`, the initials of compound words, so
    that `learning_rate` finds `lr`, and their parts, so that `hiden` finds `hidden_size`.
    """
    scored = [(_similarity(word, option), option) for option in options]
    best = max(scored, default=(0.0, ""), key=lambda pair: pair[0])
    name, found = word.rpartition(".")[2], best[1].rpartition(".")[2]
    # One wrong letter of three is a third of the word; and few people mistype the first letter.
    is_likely = len(name) <= 3 or name[:1] == found[:1]
    return best[1] if best[0] >= (0.6 if is_likely else 0.7) else None


def suggestion(word: str, options: Collection[str], prefix: str = "") -> str:
    """Return the end of an error message: the most similar option, or all options if none is similar.

    Args:
        word: the unknown word.
        options: the known words.
        prefix: the dotted path that the suggested option gets.
    """
    found = nearest(word, options)
    if found is not None:
        return f", did you mean '{prefix + '.' if prefix else ''}{found}'?"
    return f"; known: {', '.join(sorted(options, key=_numbers_first))}." if options else "; there are no options."


def _numbers_first(option: str) -> tuple[bool, int, str]:
    """Sort whole numbers by size, then words."""
    return (False, int(option), option) if option.isdecimal() else (True, 0, option)


def _similarity(word: str, option: str) -> float:
    def ratio(a: str, b: str) -> float:
        return difflib.SequenceMatcher(None, a.lower(), b.lower()).ratio()

    last_word, last_option = word.rsplit(".", 1)[-1], option.rsplit(".", 1)[-1]
    initials = "".join(part[0] for part in re.split(r"[_\W]+", last_word) if part).lower()
    score = ratio(word, option)
    if last_option.lower() in (last_word.lower(), initials):
        score = max(score, 0.9)
    if len(last_word) > 3 and "_" in last_option:
        score = max(score, 0.85 * max(ratio(last_word, part) for part in last_option.split("_")))
    return max(score, 0.95 * ratio(last_word, last_option) if "." in option else 0.0)


def printable(value: object, length: int | None = None) -> str:
    """Return a value of unknown origin as text in one line that does no harm to a terminal.

    Control characters, and bytes of names that are not UTF-8, are escaped.

    Args:
        value: the value.
        length: the most characters of the value; None for all.
    """
    text = str(value) if length is None else str(value)[: length + 1]
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:length])
    return shown if length is None or len(text) <= length else f"{shown}…"
