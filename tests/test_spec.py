import json
from dataclasses import FrozenInstanceError

import pytest

from firstlight.spec import DataSpec

SPEC = DataSpec((3, 8, 6), 2, ("cat", "dog"), (0.5, 0.4, 0.3), (0.2, 0.1, 0.25))


def test_a_spec_survives_the_way_through_json() -> None:
    assert DataSpec.from_dict(json.loads(json.dumps(SPEC.to_dict()))) == SPEC


def test_a_spec_becomes_plain_values() -> None:
    assert SPEC.to_dict() == {
        "input_shape": [3, 8, 6],
        "num_outputs": 2,
        "labels": ["cat", "dog"],
        "mean": [0.5, 0.4, 0.3],
        "std": [0.2, 0.1, 0.25],
    }


def test_resizing_changes_nothing_but_height_and_width() -> None:
    assert SPEC.resized(32) == DataSpec((3, 32, 32), 2, SPEC.labels, SPEC.mean, SPEC.std)
    assert SPEC.input_shape == (3, 8, 6)


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        SPEC.num_outputs = 3  # type: ignore[misc]
