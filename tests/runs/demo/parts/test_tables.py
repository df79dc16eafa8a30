from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firstlight.runs.demo.parts.tables import RowAnswers, _readable, _usual
from firstlight.runs.demo.subject import Subject

ROWS = "age,kind,member,joined,price\n" + "".join(
    f"{20 + row},{'abc'[row % 3]},{'yes' if row % 2 else 'no'},2024-01-{row % 28 + 1:02},{row * 1.5}\n"
    for row in range(60)
)


@pytest.fixture
def mixed(subject: Callable[..., Subject], tmp_path_factory: pytest.TempPathFactory) -> RowAnswers:
    path = tmp_path_factory.getbasetemp() / "mixed.csv"
    path.write_text(ROWS)
    return RowAnswers(
        subject("data=table", f"data.file={path}", "data.target=price", "task=regression", "model=linear")
    )


def test_a_row_is_answered_as_predict_answers_it(mixed: RowAnswers, tmp_path: Path) -> None:
    from firstlight.runs.predict.results import predict_all
    from firstlight.runs.predict.tables import TableInputs

    path = tmp_path / "row.csv"
    path.write_text("age,kind,member,joined\n30,b,yes,2024-01-05\n")
    row = predict_all(mixed.task, TableInputs.read(path, mixed.spec), 1)[0]
    answer, note = mixed.of(30, "b", True, "2024-01-05")
    assert answer == f"price: {row['price']:.6g}"
    assert note == ""


@pytest.mark.parametrize(
    ("cells", "why"), [((30, "b", True, "yesterday"), "joined"), ((30, "b", True, "2024-13-45"), "joined")]
)
def test_a_cell_that_cannot_be_read_is_named(cells: tuple[Any, ...], why: str, mixed: RowAnswers) -> None:
    with pytest.raises(ValueError, match=why):
        mixed.of(*cells)


def test_values_unlike_training_are_named(mixed: RowAnswers) -> None:
    assert "**Unlike training.** age is" in mixed.of(10_000, "b", True, "2024-01-05")[1]


def test_classes_are_answered_by_bars(subject: Callable[..., Subject]) -> None:
    answers = RowAnswers(subject("data=iris", "model=linear"))
    usual = [_usual(column, mean) for column, mean in zip(answers.spec.columns, answers.spec.mean, strict=True)]
    bars, _ = answers.of(*usual)
    assert set(bars) == {"setosa", "versicolor", "virginica"}
    assert sum(bars.values()) == pytest.approx(1, abs=1e-5)


def test_fields_begin_with_usual_values(mixed: RowAnswers) -> None:
    assert [column.kind for column in mixed.spec.columns] == ["number", "category", "boolean", "date"]
    assert [_usual(column, 0.25) for column in mixed.spec.columns] == [0.25, "a", False, ""]
    assert _readable("%d.%m.%Y %H:%M") == "DD.MM.YYYY hh:mm"
