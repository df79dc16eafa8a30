"""The project of the user: the working directory, if it has a folder `configs`. It extends firstlight.

Its modules are importable (`modules`), and its YAML files are options of the groups (`yaml_files`). Code is taken only
from where the user stands: neither from parent folders, nor from the folder of a run that someone else has made.
"""

from firstlight.config.project.folder import CONFIG_DIR as CONFIG_DIR
from firstlight.config.project.folder import groups as groups
from firstlight.config.project.folder import is_own as is_own
from firstlight.config.project.folder import option_files as option_files
from firstlight.config.project.folder import project_dir as project_dir
from firstlight.config.project.folder import replaced_files as replaced_files
from firstlight.config.project.modules import use_project as use_project
