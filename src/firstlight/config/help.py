"""The text of `--help`. Hydra's own help composes every option of every group first, which takes half a second."""

import re
import sys
from pathlib import Path
from string import Template

import yaml

from firstlight.config.project import CONFIG_DIR, groups, option_files

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, where PyYAML was built with it, is ten times faster


def help_text(config_name: str) -> str:
    """Return the help template of a config, with the groups and the config's own keys filled in."""
    text = (CONFIG_DIR / f"{config_name}.yaml").read_text(encoding="utf-8")
    template = yaml.load(text, _LOADER)["hydra"]["help"]["template"]
    found = Template(template).substitute(APP_CONFIG_GROUPS="\n".join(_groups()), CONFIG=_own_keys(text))
    is_installed = Path(sys.argv[0]).stem == "firstlight"
    return re.sub(r"\b([a-z]+)\.py\b", r"firstlight \1", found) if is_installed else found


def _own_keys(text: str) -> str:
    """Return the lines of a YAML file, with comments, that belong to keys other than `defaults` and `hydra`."""
    root = yaml.compose(text, _LOADER)
    assert isinstance(root, yaml.MappingNode)
    lines = text.splitlines()
    starts = [key.start_mark.line for key, _ in root.value]
    parts = zip(root.value, starts, [*starts[1:], len(lines)], strict=True)
    kept = ["\n".join(lines[start:end]) for (key, _), start, end in parts if key.value not in ("defaults", "hydra")]
    return "\n".join(kept).strip()


def _groups() -> list[str]:
    """Return a line for each group: its name and its options, also those of the project."""
    options = {group: sorted(option_files(group)) for group in groups()}
    return [f"{group:10} {', '.join(names)}" for group, names in options.items() if names]
