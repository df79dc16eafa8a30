"""Words of the command line as Hydra's grammar takes them: a path needs no quotes, whatever letters are in it."""

import re
from collections.abc import Iterable


def with_quotes(words: Iterable[str], texts: Iterable[str] = ()) -> list[str]:
    """The same overrides, with quotes around what cannot be read without them and can be read with them.

    The values of the keys in `texts` are texts, whatever they look like, unless they stand in quotes already.

    Commas and brackets keep their meaning: `data.dir=/a,/é` sweeps over two texts. Where they are part of the text,
    as in `input=photo (1).png`, all of it is quoted, unless a comma leaves open what is meant.
    """
    plain = re.compile(rf"({'|'.join(map(re.escape, texts)) or '(?!)'})=(?!['\"])")
    return [
        quoted(word) if plain.match(word) else next(filter(is_readable, (word, *_candidates(word))), word)
        for word in words
    ]


def quoted(word: str) -> str:
    """The override with its value as one text."""
    key, equals, value = word.partition("=")
    return f"{key}{equals}{_text(value)}"


def is_readable(word: str) -> bool:
    """Whether Hydra can read the override."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    return True


def _candidates(word: str) -> list[str]:
    key, equals, value = word.partition("=")
    if not equals or word.startswith("-"):  # an option of Hydra's, or its value
        return []
    items = re.sub(r"[^][(),]+", lambda item: item[0] if is_readable(f"_={item[0]}") else _text(item[0].strip()), value)
    return [f"{key}={items}", *([] if "," in value else [quoted(word)])]


def _text(value: str) -> str:
    """A value in Hydra's quotes, where backslashes count double before a quote alone."""
    escaped = re.sub(r'(\\*)"', r"\1\1\"", value)
    return '"' + re.sub(r"(\\+)$", r"\1\1", escaped) + '"'
