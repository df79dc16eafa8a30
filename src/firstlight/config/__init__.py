"""Config: from the words of a command line to one checked, frozen `RunConfig`.

`checking` compares a config with the signatures of the classes that it names. Nothing here imports torch.
"""

from firstlight.config.compose import CONFIG_DIR as CONFIG_DIR
from firstlight.config.compose import compose as compose
from firstlight.config.run_config import RunConfig as RunConfig
from firstlight.config.transfer import Transfer as Transfer
