"""What `--help` shows. Hydra's own way composes every option of every group first, which takes half a second."""

from string import Template

from omegaconf import OmegaConf

from firstlight.config.compose import CONFIG_DIR


def help_text(config_name: str) -> str:
    """The help template of a config, with the groups and the config's own keys filled in."""
    path = CONFIG_DIR / f"{config_name}.yaml"
    template = str(OmegaConf.select(OmegaConf.load(path), "hydra.help.template"))
    own_keys = path.read_text().partition("\nhydra:")[0].split("hydra: base\n\n")[-1]
    return Template(template).substitute(APP_CONFIG_GROUPS="\n".join(_groups()), CONFIG=own_keys)


def _groups() -> list[str]:
    """A line for each group: its name and its options."""
    folders = sorted(folder for folder in CONFIG_DIR.iterdir() if folder.is_dir() and folder.name != "hydra")
    options = {folder.name: sorted(path.stem for path in folder.glob("[!_]*.yaml")) for folder in folders}
    return [f"{group:10} {', '.join(names)}" for group, names in options.items() if names]
