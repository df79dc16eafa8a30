"""The front door for Python: what `import firstlight` offers for training, on the functions that the commands call.

`words` turns words and objects into a config, `train` trains, `Run` is a trained run with its folder, and `sweep`
trains several runs and ranks them.
"""

from firstlight.training.front_door.run import Run as Run
from firstlight.training.front_door.run import load_run as load_run
from firstlight.training.front_door.sweep import Ranking as Ranking
from firstlight.training.front_door.sweep import sweep as sweep
from firstlight.training.front_door.train import load_pretrained as load_pretrained
from firstlight.training.front_door.train import preview as preview
from firstlight.training.front_door.train import resume as resume
from firstlight.training.front_door.train import train as train
from firstlight.training.front_door.words import compose as compose
