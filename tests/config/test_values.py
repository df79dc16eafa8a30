import ast
from typing import Any

import pytest

from firstlight.config.values import as_yaml, check_value


def check(value: Any, annotation: str) -> None:
    check_value("key", value, ast.parse(annotation, mode="eval").body)


@pytest.mark.parametrize(
    ("annotation", "fitting", "unfitting", "description"),
    [
        ("int", [1, -1], [True, 1.5, "1", None], "a whole number"),
        ("float", [1, 0.5], [True, "1", None], "a number"),
        ("str", ["", "1"], [1, None], "text"),
        ("bool", [True], [1, "true", None], "true or false"),
        ("int | None", [1, None], [1.5], "a whole number or null"),
        ("Optional[bool]", [True, None], [1], "true or false or null"),
        ("'Optional[str]'", ["a", None], [1], "text or null"),
        ("Union[int, float, str]", [1, 0.5, "a"], [None, True], "a number or text"),
        ("float | Tensor", [1], ["a"], "a number"),
        ("Literal['max', 1]", ["max", 1], ["min", 2], "max or 1"),
        ("list[int]", [[], [1, 2]], [1, [0.5], "12"], "a list of whole numbers"),
        ("Sequence[float] | None", [[0.5], None], [0.5, ["a"]], "a list of numbers or null"),
        ("list[list[str]]", [[["a"]]], [["a"]], "a list of items, each a list of texts"),
        ("tuple[int, str]", [[1, "a"]], [[1], ["a", 1], [1, "a", 1], 1], "a list of a whole number and text"),
        ("tuple[float, ...]", [[], [1, 0.5]], [["a"], 1], None),
        ("Unknown[int]", [1, "a", None], [], None),
    ],
)
def test_values_are_compared_with_annotations(
    annotation: str, fitting: list[Any], unfitting: list[Any], description: str | None
) -> None:
    for value in fitting:
        check(value, annotation)
    for value in unfitting:
        with pytest.raises(ValueError, match=r"^key=.*: must be ") as caught:
            check(value, annotation)
        assert description is None or str(caught.value) == f"key={as_yaml(value)}: must be {description}."


def test_the_message_shows_the_value_as_yaml_writes_it_and_the_owner() -> None:
    annotation = ast.parse("int", mode="eval").body
    for value, text in ((None, "null"), (True, "true"), ("a", "a")):
        with pytest.raises(ValueError, match=rf"^model\.depth={text}: must be a whole number \(ResNet\)\.$"):
            check_value("model.depth", value, annotation, "ResNet")
