"""Representations that are learned without labels, and what they are good for: probes, new classifiers, anomalies."""

from firstlight.tasks.representations.anomaly import Anomaly as Anomaly
from firstlight.tasks.representations.contrastive import Contrastive as Contrastive
from firstlight.tasks.representations.masked import Masked as Masked
from firstlight.tasks.representations.representation import Representation as Representation
