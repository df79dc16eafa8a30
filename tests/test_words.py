"""The glossary of CONTRIBUTING.md holds: none of its rejected words occurs in the code, the configs or the docs."""

import re
from pathlib import Path

from helpers.runs import REPOSITORY

CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text()
TABLE = CONTRIBUTING.partition("## Glossary")[2].partition("| --- |")[2]
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]*\|$", TABLE, flags=re.MULTILINE)
ACCEPTED = [word for accepted, _ in ROWS for word in accepted.split(", ")]
REJECTED = [word for _, rejected in ROWS for word in rejected.split(", ")]
PATTERNS = (
    "src/**/*.py",
    "configs/**/*.yaml",
    "scripts/**/*.py",
    "docs/**/*.md",
    "docs/**/*.py",
    "tests/**/*.py",
    "*.md",
    "*.toml",
    "*.yml",
)
FILES = sorted(path for pattern in PATTERNS for path in REPOSITORY.glob(pattern) if path != Path(__file__))
# The name of a seed cannot change without other random numbers; those of Optuna, Linux, torchmetrics, torchvision and a
# paper cannot change at all.
FIXED_NAMES = (
    'generator(0, "measure"',
    "study.tell(",
    "/proc/self/maps",
    '{"scores":',
    'found["scores"]',
    '"Focal loss for dense object detection"',
)


def found_in(text: str) -> list[str]:
    """The rejected words in a text; parts of identifiers count, parts of longer words do not."""
    text = text.replace(CONTRIBUTING.partition("## Glossary")[2], "")
    for name in FIXED_NAMES:
        text = text.replace(name, "")
    for phrase in filter(lambda accepted: " " in accepted, ACCEPTED):
        text = re.sub(rf"\b{phrase}s?\b", "", re.sub(r"\s+", " ", text), flags=re.IGNORECASE)
    words = "|".join(word.replace(" ", "[ _]") for word in REJECTED)
    return re.findall(rf"(?<![a-zA-Z])(?:{words})(?![a-zA-Z])", text, flags=re.IGNORECASE)


def test_the_glossary_is_read() -> None:
    assert len(ROWS) > 25
    assert {"picture", "share", "told"} <= set(REJECTED)


def test_a_rejected_word_is_found_and_an_accepted_phrase_is_not() -> None:
    assert found_in("a Picture, num_scores; deviation") == ["Picture", "scores", "deviation"]
    assert found_in("the standard\n    deviation of feature maps, at most; bookshares") == []


def test_no_rejected_word_occurs() -> None:
    found = {path.relative_to(REPOSITORY).as_posix(): found_in(path.read_text()) for path in FILES}
    assert {path: words for path, words in found.items() if words} == {}
