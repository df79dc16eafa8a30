"""Labels that people easily take for the same: `banana` and `Banana`."""

import unicodedata
from collections.abc import Collection, Iterable


def almost(label: str, known: Collection[str]) -> str:
    """Return the part of a message that names the known label with the same letters and digits; empty if none has.

    Args:
        label: a label that is not known.
        known: the known labels.
    """
    found = next((other for other in sorted(known) if other != label and _plain(other) == _plain(label)), None)
    return "" if found is None else f"; '{label}' and '{found}' differ only in {_how(label, found)}"


def alike(labels: Iterable[str]) -> list[str]:
    """Return a line for each label that has the same letters and digits as one before it."""
    seen: dict[str, str] = {}
    lines = []
    for label in labels:
        first = seen.setdefault(_plain(label), label)
        if first != label:
            lines.append(f"'{first}' and '{label}' are two classes, and differ only in {_how(first, label)}")
    return lines


def _plain(label: str) -> str:
    """Return what remains of a label without case, blanks, punctuation and forms of characters."""
    text = unicodedata.normalize("NFKC", label).casefold()
    return "".join(character for character in text if character.isalnum()) or text


def _how(one: str, other: str) -> str:
    if one.casefold() == other.casefold():
        return "case"
    if "".join(one.split()) == "".join(other.split()):
        return "blanks"
    forms = [unicodedata.normalize("NFKC", label) for label in (one, other)]
    return "the form of their characters" if forms[0] == forms[1] else "case, blanks or punctuation"
