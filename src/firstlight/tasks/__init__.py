"""Tasks: a network with its preprocessing, loss and metrics. They train, evaluate and predict, and know no Lightning.

`build.build_task` makes a task from a config.
"""

from firstlight.tasks.adversarial import Adversarial as Adversarial
from firstlight.tasks.classification import Classification as Classification
from firstlight.tasks.evaluated import Batch as Batch
from firstlight.tasks.language import Language as Language
from firstlight.tasks.metrics.metric import Metric as Metric
from firstlight.tasks.multilabel import Multilabel as Multilabel
from firstlight.tasks.objects import Detection as Detection
from firstlight.tasks.objects import Localisation as Localisation
from firstlight.tasks.objects import TorchvisionDetection as TorchvisionDetection
from firstlight.tasks.reconstruction import Reconstruction as Reconstruction
from firstlight.tasks.regression import Regression as Regression
from firstlight.tasks.reinforcement.dqn import DQN as DQN
from firstlight.tasks.reinforcement.policy_gradient import PolicyGradient as PolicyGradient
from firstlight.tasks.representations import Anomaly as Anomaly
from firstlight.tasks.representations import Contrastive as Contrastive
from firstlight.tasks.representations import Masked as Masked
from firstlight.tasks.segmentation import Segmentation as Segmentation
from firstlight.tasks.task import Task as Task
