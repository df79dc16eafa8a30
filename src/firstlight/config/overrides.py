"""Rewrite words of the command line for Hydra: quotes that its grammar needs, and nodes that replace a group's file."""

import re
from collections.abc import Iterable

# Groups whose file a node may replace.
_REPLACEABLE = ("augment", "averaging", "data", "optimizer", "scheduler", "task")


def with_quotes(overrides: Iterable[str], texts: Iterable[str] = ()) -> list[str]:
    """Return the overrides, with quotes around each value that Hydra cannot read without them.

    Commas and brackets keep their meaning if possible: `data.dir=/a,/é` becomes `data.dir=/a,"/é"` and sweeps over two
    values. A value that is still unreadable, such as `photo (1).png`, is quoted as a whole unless it has a comma.

    Args:
        overrides: words such as `key=value`, and options of Hydra.
        texts: keys whose values are free text, such as a prompt. They are quoted unless they have quotes already. Notes
            are always free text: they have one value for all jobs of a sweep.
    """
    plain = re.compile(rf"({'|'.join(map(re.escape, ('notes', *texts)))})=(?!['\"])")
    return [
        quoted(word) if plain.match(word) else next(filter(is_readable, (word, *_candidates(word))), word)
        for word in overrides
    ]


def replacing_files(overrides: Iterable[str]) -> list[str]:
    """Return the overrides, in which a node with a `_target_` takes the place of an option of its group.

    Hydra would merge `scheduler={_target_: torch.optim.lr_scheduler.StepLR, step_size: 3}` with the default scheduler,
    whose options StepLR does not have. So this word becomes `~scheduler` and `+scheduler={...}`.
    """
    pattern = re.compile(rf"({'|'.join(_REPLACEABLE)})=\{{.*\b_target_:")
    return [
        part
        for word in overrides
        for part in ((f"~{word.split('=')[0]}", f"+{word}") if pattern.match(word) else (word,))
    ]


def quoted(word: str) -> str:
    """Return the override with quotes around its value."""
    key, equals, value = word.partition("=")
    return f"{key}{equals}{_text(value)}"


def value_of(word: str) -> str:
    """Return the value of an override as text, without the quotes around it."""
    value = word.partition("=")[2]
    if not value.startswith(('"', "'")):
        return value
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_override(word).value()
    return parsed if isinstance(parsed, str) else value


def is_readable(word: str) -> bool:
    """Return whether Hydra can read the override."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    return True


def _candidates(word: str) -> list[str]:
    key, equals, value = word.partition("=")
    if not equals or word.startswith("-"):  # an option of Hydra, or its value
        return []
    items = re.sub(r"[^][(),]+", lambda item: item[0] if is_readable(f"_={item[0]}") else _text(item[0].strip()), value)
    return [f"{key}={items}", *([] if "," in value else [quoted(word)])]


def _text(value: str) -> str:
    """Quote a value. In Hydra's grammar a backslash is doubled only before a quote."""
    escaped = re.sub(r'(\\*)"', r"\1\1\"", value)
    return '"' + re.sub(r"(\\+)$", r"\1\1", escaped) + '"'
