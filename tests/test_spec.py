import json
from dataclasses import FrozenInstanceError, replace

import pytest

from firstlight.spec import Column, DataSpec

SPEC = DataSpec((3, 8, 6), 2, ("cat", "dog"), (0.5, 0.4, 0.3), (0.2, 0.1, 0.25))


def test_a_spec_can_be_saved_as_json() -> None:
    assert DataSpec.from_dict(json.loads(json.dumps(SPEC.to_dict()))) == SPEC


def test_the_columns_of_a_table_are_saved_too() -> None:
    columns = (Column("colour", "category", ("blue", "red"), has_flag=True), Column("age", "number", fill=28.5))
    spec = replace(SPEC, columns=columns)
    assert DataSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert [column.num_inputs for column in columns] == [3, 1]


def test_to_dict_returns_plain_values() -> None:
    assert SPEC.to_dict() == {
        "input_shape": [3, 8, 6],
        "num_outputs": 2,
        "labels": ["cat", "dog"],
        "mean": [0.5, 0.4, 0.3],
        "std": [0.2, 0.1, 0.25],
        "margin": 0,
        "target_mean": [],
        "target_std": [],
        "size": None,
        "interpolation": "bilinear",
        "columns": [],
        "vocabulary": [],
        "fit": "crop",
        "ground": None,
        "target_type": "",
        "environment": "",
    }


@pytest.mark.parametrize(
    ("shape", "mean", "kind"), [((3, 8, 6), (0.1,) * 3, "images"), ((16,), (), "tokens"), ((2,), (0.5, 3), "numbers")]
)
def test_the_kind_follows_from_shape_and_mean(shape: tuple[int, ...], mean: tuple[float, ...], kind: str) -> None:
    assert DataSpec(shape, 2, ("a", "b"), mean, mean).kind == kind


def test_stored_images_have_their_margin_on_every_side() -> None:
    assert SPEC.stored_shape == (3, 8, 6)
    assert replace(SPEC, margin=3).stored_shape == (3, 14, 12)


def test_resizing_changes_nothing_but_height_and_width() -> None:
    assert SPEC.resized(32, 32) == DataSpec((3, 32, 32), 2, SPEC.labels, SPEC.mean, SPEC.std)
    assert SPEC.input_shape == (3, 8, 6)


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        SPEC.num_outputs = 3  # type: ignore[misc]  # it is frozen, which is the point
