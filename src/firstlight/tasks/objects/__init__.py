"""Objects in images: one class and one box, or any number of them.

`geometry` computes with boxes, `matching` says which place of an image predicts which object.
"""

from firstlight.tasks.objects.detection import Detection as Detection
from firstlight.tasks.objects.localisation import Localisation as Localisation
from firstlight.tasks.objects.torchvision_detection import TorchvisionDetection as TorchvisionDetection
