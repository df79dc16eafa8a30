from dataclasses import replace

import pytest
import torch
from sklearn import metrics as sk

from firstlight.networks import Linear
from firstlight.runs.evaluate import compute_metrics
from firstlight.runs.findings.classified import COLUMNS, Classified
from firstlight.runs.findings.text import classes_text
from firstlight.tasks import Classification
from firstlight.tasks.outcomes import Outcomes
from helpers.small import IMAGES, augment, images

LABELS = tuple(f"label {index}" for index in range(50))


def classified(num_classes: int = 3, samples: int = 60, seed: int = 0) -> Classified:
    random = torch.Generator().manual_seed(seed)
    outcomes = Outcomes()
    logits = torch.randn(samples, num_classes, generator=random)
    targets = torch.randint(0, num_classes, (samples,), generator=random)
    outcomes.add(logits, targets, torch.nn.functional.cross_entropy(logits, targets, reduction="none"))
    spec = replace(IMAGES, num_outputs=num_classes, labels=LABELS[:num_classes])
    return Classified.of(outcomes.gather(), spec)


def test_the_table_of_the_classes_agrees_with_scikit_learn() -> None:
    found = classified()
    expected = sk.precision_recall_fscore_support(found.targets, found.predicted)
    for index, row in enumerate(found.per_class()):
        own = [row[name] for name in ("precision", "recall", "f1", "support")]
        assert own == pytest.approx([values[index] for values in expected], abs=1e-6)
        arguments = found.targets == index, found.probabilities[:, index]
        assert row["auroc"] == pytest.approx(sk.roc_auc_score(*arguments), abs=1e-6)
        assert row["average_precision"] == pytest.approx(sk.average_precision_score(*arguments), abs=1e-6)
        assert list(row) == ["class", *COLUMNS]


def test_the_confusion_matrix_is_that_of_the_meter() -> None:
    task = Classification(IMAGES, Linear(IMAGES), augment(IMAGES)).eval()
    batches = [images(30), images(11, seed=2)]
    meter, outcomes = task.new_meter(), Outcomes()
    for batch in batches:
        task.batch_loss(batch, meter)
    found = compute_metrics(task, batches, outcomes=outcomes)
    own = Classified.of(outcomes, IMAGES)
    assert torch.equal(own.confusion(), meter.counts)
    assert found["f1"] == pytest.approx(sum(float(row["f1"]) for row in own.per_class()) / 3, abs=1e-6)


def test_the_worst_mistakes_have_the_highest_losses() -> None:
    found = classified()
    worst = found.worst(5)
    wrong = found.losses[~found.is_correct].sort(descending=True).values
    assert found.losses[worst].tolist() == wrong[:5].tolist()
    assert len(found.worst(1000)) == len(wrong)


def test_a_class_without_samples_has_no_auroc() -> None:
    found = replace(classified(), targets=torch.zeros(60, dtype=torch.int64))
    text = classes_text(found)
    assert text.splitlines()[1].split()[-3:] == ["-", "1.0000", "60"]
    assert text.splitlines()[2].split()[-3:] == ["-", "-", "0"]


@pytest.mark.parametrize(
    ("num_classes", "rows", "has_matrix"), [(2, 2, True), (12, 12, True), (13, 13, False), (50, 40, False)]
)
def test_what_is_printed_of_the_classes(num_classes: int, rows: int, has_matrix: bool) -> None:
    found = classified(num_classes, 400)
    table, _, matrix = classes_text(found).partition("\n\n")
    lines = table.splitlines()
    assert lines[0].split() == ["class", *COLUMNS]
    assert sum(line.startswith("label") for line in lines) == rows
    assert ("of 50 with the lowest f1" in table) == (num_classes > rows)
    assert bool(matrix) == has_matrix
    if has_matrix:
        first = matrix.splitlines()[2].removeprefix("label 0").split()
        assert [int(cell) for cell in first] == found.confusion()[0].tolist()
