"""Messages for words of the command line that are not `key=value`, or whose value Hydra cannot read."""

import re
import shlex
from collections.abc import Sequence

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from firstlight.config.errors.unknown_key import composed, dotted_keys
from firstlight.config.overrides import is_readable, quoted
from firstlight.config.project import groups, option_files


def unreadable(word: str, argv: Sequence[str]) -> str | None:
    """Return the message for a word that Hydra cannot parse; None if Hydra's own text says more.

    Args:
        word: the word, as Hydra has seen it.
        argv: the words of the command line.
    """
    if "=" not in word or word.startswith("="):
        return _without_value(word, argv)
    if is_readable(quoted(word)):
        example = shlex.quote(quoted(word))
        return f"{word}: cannot read this word. To fix: quote it for Hydra and for the shell: {example}"
    return None


def _without_value(word: str, argv: Sequence[str]) -> str:
    place = argv.index(word) if word in argv else 0
    before, after = argv[place - 1] if place else "", "".join(argv[place + 1 : place + 2])
    if word.startswith("=") and before:  # `=mlp` or `=` after `model`
        return _spaced(before, word + after if word == "=" else word)
    if after.startswith("="):
        return _spaced(word, after + "".join(argv[place + 2 : place + 3]) if after == "=" else after)
    if before.endswith("="):
        return _spaced(before.removesuffix("="), f"={word}")
    chosen = [group for group in groups() if word in option_files(group)]
    if word in groups():
        return f"{word}: must have a value, as in {word}=..., without spaces around the =."
    if chosen:
        return f"{word}: must be key=value, as in {chosen[0]}={word}."
    if "=" in before:
        return f"{word}: must be key=value. A value with spaces needs quotes: {shlex.quote(f'{before} {word}')}"
    return f"{word}: must be key=value, as in seed=3."


def _spaced(key: str, value: str) -> str:
    example = f"{key}={value.removeprefix('=') or '...'}"
    return f"{key}: must have a value, as in {example}, without spaces around the =."


def several_values(word: str) -> str:
    """Return the message for a word with commas outside of a sweep, such as `model=linear,mlp` or `optimizer.lr=0,01`.

    Args:
        word: the word.
    """
    key, _, value = word.partition("=")
    if re.fullmatch(r"[-+]?(0,\d+|\d+,0\d*)", value):
        fix = f"write a decimal number with a point, {key}={value.replace(',', '.')}"
    elif re.fullmatch(r"[-+]?\d+,\d+", value):
        fix = f"write a decimal number as {key}={value.replace(',', '.')}, a list as {key}=[{value}]"
    elif key == "logger":
        fix = f"write several loggers as a list, {key}=[{value}]"
    elif key in groups():
        return f"{word}: must be one option. To fix: add -m, which runs each of them."
    else:
        fix = f"write a list as {key}=[{value}], quote a text as {shlex.quote(quoted(word))}"
    return f"{word}: must be one value. To fix: {fix}, or add -m, which runs each of them."


def unknown_flag(flag: str, argv: Sequence[str], config_name: str) -> str:
    """Return the message for an option such as `--max_epochs` or `--lr=0.1`, which other programs have.

    Args:
        flag: the word.
        argv: the words of the command line.
        config_name: the name of the command.
    """
    name, _, value = flag.partition("=")
    after = "".join(argv[argv.index(flag) + 1 :][:1]) if flag in argv else ""
    if not value and after and "=" not in after and not after.startswith("-"):
        value = after
    words = [word for word in argv if not word.startswith("-")]
    last = name.lstrip("-").replace("-", "_").rpartition(".")[2]
    key = _with_last_part(last, words, config_name)
    example = f"such as {key}={f'{value}.' if value else '...'}" if key else "and --help lists them."
    return f"{name}: unknown option; options are written as key=value, {example}"


def _with_last_part(name: str, argv: Sequence[str], config_name: str) -> str | None:
    """Return the first key of a command's config whose last part is a name, or begins with `max_` before the name."""
    try:
        keys = list(dotted_keys(composed(argv, config_name)))
    except (HydraException, OmegaConfBaseException):  # another word is wrong as well
        keys = list(dotted_keys(composed((), config_name)))
    keys.sort(key=lambda key: key.count("."))
    return next((key for last in (name, f"max_{name}") for key in keys if key.rpartition(".")[2] == last), None)
