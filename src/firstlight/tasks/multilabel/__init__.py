"""Several labels for each sample: the task, and the sums that its metrics follow from."""

from firstlight.tasks.multilabel.multilabel import Multilabel as Multilabel
