"""Read the YAML files in configs/ with their comments, which are the documentation of the keys."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, where PyYAML was built with it
_SKIPPED = ("defaults", "hydra")


@dataclass(frozen=True)
class Key:
    """A key that has a value: its path, such as `rotate.degrees`, the default as it is written, and the comment."""

    name: str
    default: str
    comment: str


@dataclass(frozen=True)
class Option:
    """A YAML file.

    Attributes:
        group: the folder, such as `data`; empty for the config of a command.
        name: the word on the command line.
        header: the comment at the top, without line breaks.
        is_global: whether its keys are those of the whole config, and not of the group.
        parents: names of the options in the same group whose keys it inherits.
        chooses: options of other groups that it selects: group -> name.
        keys: its own keys.
    """

    group: str
    name: str
    header: str
    is_global: bool
    parents: tuple[str, ...]
    chooses: dict[str, str]
    keys: tuple[Key, ...]

    def path_of(self, key: Key) -> str:
        """Return the key as it is written on the command line."""
        return key.name if self.is_global or not self.group else f"{self.group}.{key.name}"


def read_options(folder: Path) -> dict[tuple[str, str], Option]:
    """Return all options by group and name, without those for Hydra itself."""
    paths = [path for path in sorted(folder.rglob("*.yaml")) if path.parent.name != "hydra"]
    options = [_read(path, "" if path.parent == folder else path.parent.name) for path in paths]
    return {(option.group, option.name): option for option in options}


def _read(path: Path, group: str) -> Option:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    top = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    header = [line.lstrip("# ") for line in lines[:top] if not line.startswith("# @package")]
    parents, chooses = _defaults((yaml.load(text, _LOADER) or {}).get("defaults", []), group)
    root = yaml.compose(text, _LOADER)
    keys = tuple(_keys(root, "", text, lines, top)) if root else ()
    return Option(group, path.stem, " ".join(header), "# @package _global_" in text, parents, chooses, keys)


def _defaults(entries: list[str | dict[str, str | None]], group: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the options of the same group that a list of defaults names, and those of other groups."""
    parents: list[str] = []
    chooses: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry, str):
            parents += [] if entry == "_self_" else [entry.partition("@")[0]]
            continue
        for key, name in entry.items():
            if name is not None:
                chooses[key.removeprefix("override ").lstrip("/").partition("@")[0]] = name
    return tuple(parents), chooses


def _keys(node: yaml.MappingNode, prefix: str, text: str, lines: list[str], top: int) -> Iterator[Key]:
    for key, value in node.value:
        if not prefix and key.value in _SKIPPED:
            continue
        name = prefix + key.value
        is_block = isinstance(value, yaml.MappingNode) and not value.flow_style
        if is_block:
            yield from _keys(value, f"{name}.", text, lines, top)
        else:
            default = text[value.start_mark.index : value.end_mark.index].strip()
            yield Key(name, default, _comment(lines, key.start_mark.line, value.end_mark, top))


def _comment(lines: list[str], line: int, end: yaml.Mark, top: int) -> str:
    """Return the comment behind a value, or the lines of comments above its key, but not the header."""
    behind = lines[end.line][end.column :].strip() if end.line < len(lines) else ""
    if behind.startswith("#"):
        return behind.lstrip("# ")
    above: list[str] = []
    while line - 1 >= top and re.match(r"\s*#", lines[line - 1]):
        line -= 1
        above.insert(0, lines[line].strip().lstrip("# "))
    return " ".join(above)
