"""Config: turns the words of a command line into a checked, frozen `RunConfig`.

`checking` compares a config with the signatures of the classes in it. Nothing here imports torch.
"""

from firstlight.config.compose import compose as compose
from firstlight.config.options import Transfer as Transfer
from firstlight.config.project import CONFIG_DIR as CONFIG_DIR
from firstlight.config.run_config import RunConfig as RunConfig
