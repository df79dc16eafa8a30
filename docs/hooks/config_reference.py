"""Write the reference of the config: a page for each group, made of the comments in the YAML files."""

import re
from pathlib import Path

from firstlight.commands.main import COMMANDS
from yaml_files import Key, Option, read_options

_TITLE = "Commands"
# What Markdown would read as HTML, as a link or as emphasis: `<name>/<date>_<time>`, `[[0, 1], [1, 0]]`.
_CODE = re.compile(r"[\w/]*<\w+>[\w/<>]*|\[\[[^\]]*\](?:, \[[^\]]*\])*\]|\[[^\]]*\]")

Options = dict[tuple[str, str], Option]


def config_pages(folder: Path) -> dict[str, tuple[str, str]]:
    """Return the title and the Markdown of each page, by the name of its file."""
    options = read_options(folder)
    groups = sorted({group for group, _ in options if group})
    pages = {
        "commands": (_TITLE, _page(_TITLE, [options["", name] for name in COMMANDS if ("", name) in options], options))
    }
    for group in groups:
        members = [option for (own, _), option in options.items() if own == group]
        pages[group] = (f"{group}=", _page(f"`{group}=`", members, options))
    return pages


def description(option: Option, key: Key, options: Options) -> str:
    """Return the comment of a key; without one, that of the same key where it is inherited from or belongs to."""
    if key.comment or key.name == "_target_":
        return key.comment or "the class"
    for parent in option.parents:
        found = _in(options.get((option.group, parent)), key.name, options)
        if found:
            return found
    return _elsewhere(option, key.name, options) if option.is_global else ""


def _in(option: Option | None, name: str, options: Options) -> str:
    """Return the description of a key in an option or its parents; empty if there is none."""
    if option is None:
        return ""
    names = (name, name.removeprefix(f"{option.group}."))
    own = next((key for key in option.keys if key.name in names), None)
    if own is not None:
        return description(option, own, options)
    parents = (_in(options.get((option.group, parent)), name, options) for parent in option.parents)
    return next(filter(None, parents), "")


def _elsewhere(option: Option, name: str, options: Options) -> str:
    """Return the description of a key of the whole config, in the option that is chosen for its group."""
    train = options["", "train"]
    group, _, rest = name.partition(".")
    chosen = option.chooses.get(group, train.chooses.get(group, ""))
    found = _in(options.get((group, chosen)), rest, options) or _in(train, name, options)
    if found or group != "augment":
        return found
    # A step that several pipelines have.
    pipelines = (_in(other, rest, options) for (own, _), other in options.items() if own == "augment")
    return next(filter(None, pipelines), "")


def _page(title: str, members: list[Option], options: Options) -> str:
    return "\n\n".join([f"# {title}", *(_section(option, options) for option in members)]) + "\n"


def _section(option: Option, options: Options) -> str:
    is_word = not option.name.startswith("_")
    title = f"{option.group}={option.name}" if option.group and is_word else option.name
    parts = [f"## `{title}`" if is_word else f"## Keys that several have in common: `{option.name}`"]
    parts.append(_as_markdown(option.header))
    if option.parents:
        links = [f"[`{name}`](#{_anchor(option.group, name, options)})" for name in option.parents]
        parts.append(f"Inherits the keys of {', '.join(links)}.")
    if option.group and option.chooses:
        chosen = ", ".join(f"`{group}={name}`" for group, name in option.chooses.items())
        parts.append(f"Selects {chosen}.")
    if option.keys:
        parts.append(_table(option, options))
    return f"{parts[0]} {{ #{_anchor(option.group, option.name, options)} }}\n\n" + "\n\n".join(parts[1:])


def _anchor(group: str, name: str, options: Options) -> str:
    assert (group, name) in options, f"{group}={name}: must be the name of a YAML file in configs."
    return f"{group}-{name}".strip("-")


def _table(option: Option, options: Options) -> str:
    lines = ["| key | default | |", "| --- | --- | --- |"]
    for key in option.keys:
        cells = (f"`{option.path_of(key)}`", _default(key), _as_markdown(description(option, key, options)))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _default(key: Key) -> str:
    """Return the default as code; a class that a package exports is a link to its reference."""
    is_public = key.name.endswith("_target_") and re.fullmatch(r"firstlight\.\w+\.\w+", key.default)
    return f"[`{key.default}`][{key.default}]" if is_public else f"`{key.default}`"


def _as_markdown(text: str) -> str:
    """Return a comment as Markdown, in which lists and placeholders are code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else _CODE.sub(r"`\g<0>`", part) for part in parts)
