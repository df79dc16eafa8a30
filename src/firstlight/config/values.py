"""Compare values from YAML with the annotations of arguments, and describe the annotations for people."""

import ast
from typing import Any

_NAMES = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}
_NAMES |= {"Callable": "a function, as {_target_: module.name, _partial_: true}"}
_PLURALS = {"int": "whole numbers", "float": "numbers", "str": "texts"}
_NEVER_IN_YAML = ("Tensor", "Module", "timedelta")


def check_value(key: str, value: Any, annotation: ast.expr, owner: str = "") -> None:
    """Compare a value from YAML with the annotation of an argument.

    Args:
        key: dotted path of the value in the config.
        value: the value.
        annotation: the annotation of the argument, parsed from the source.
        owner: the class or function that has the argument, for the message.

    Raises:
        ValueError: the value does not fit the annotation. The message describes the values that fit.
    """
    if not _accepts(annotation, value):
        where = f" ({owner})" if owner else ""
        raise ValueError(f"{key}={as_yaml(value)}: must be {_description(annotation)}{where}.")


def as_yaml(value: Any) -> Any:
    """Return a value as YAML writes it."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else value


def _description(annotation: ast.expr) -> str:
    """Describe an annotation for people: `Optional[int]` is "a whole number or null"."""
    match annotation:
        case ast.Constant(value=None):
            return "null"
        case ast.Constant(value=str(quoted)):
            return _description(ast.parse(quoted, mode="eval").body)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _alternatives([left, right])
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return _alternatives([inner, ast.Constant(None)])
        case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=options)):
            return _alternatives(options)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Constant(value=choice)):
            return str(as_yaml(choice))
        case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Tuple(elts=choices)):
            return " or ".join(str(as_yaml(ast.literal_eval(choice))) for choice in choices)
        case ast.Subscript(value=ast.Name(id="list" | "List" | "Sequence" | "Iterable"), slice=inner):
            return f"a list of {_PLURALS.get(ast.unparse(inner)) or f'items, each {_description(inner)}'}"
        case ast.Subscript(value=ast.Name(id="tuple" | "Tuple"), slice=ast.Tuple(elts=inner)):
            return f"a list of {' and '.join(map(_description, inner))}"
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name):
        return _NAMES.get(annotation.value.id, ast.unparse(annotation))
    return _NAMES.get(ast.unparse(annotation), ast.unparse(annotation))


def _alternatives(options: list[ast.expr]) -> str:
    settable = [option for option in options if not isinstance(option, ast.Name) or option.id not in _NEVER_IN_YAML]
    found = list(dict.fromkeys(map(_description, settable)))
    if _NAMES["int"] in found and _NAMES["float"] in found:
        found.remove(_NAMES["int"])
    return " or ".join(found)


def _accepts(annotation: ast.expr, value: Any) -> bool:
    """Return whether a value from YAML fits an annotation. An annotation of an unknown form fits every value."""
    if isinstance(value, dict) and "_target_" in value:  # an item of a list, whose type is unknown
        return True
    match annotation:
        case ast.Constant(value=None):
            return value is None
        case ast.Constant(value=str(quoted)):
            return _accepts(ast.parse(quoted, mode="eval").body, value)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _accepts(left, value) or _accepts(right, value)
        case ast.Name(id="bool"):
            return isinstance(value, bool)
        case ast.Name(id="int"):
            return isinstance(value, int) and not isinstance(value, bool)
        case ast.Name(id="float"):
            return isinstance(value, int | float) and not isinstance(value, bool)
        case ast.Name(id="str" | "Path" | "_PATH"):
            return isinstance(value, str)
        case ast.Name(id=name) if name in _NEVER_IN_YAML:
            return False
        case ast.Name(id="Callable") | ast.Subscript(value=ast.Name(id="Callable")):
            return False
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return value is None or _accepts(inner, value)
        case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=options)):
            return any(_accepts(option, value) for option in options)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            choices = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return any(isinstance(choice, ast.Constant) and choice.value == value for choice in choices)
        case ast.Subscript(value=ast.Name(id="list" | "List" | "Sequence" | "Iterable"), slice=inner):
            return isinstance(value, list) and all(_accepts(inner, item) for item in value)
        case ast.Subscript(value=ast.Name(id="tuple" | "Tuple"), slice=ast.Tuple(elts=[inner, ast.Constant()])):
            return isinstance(value, list) and all(_accepts(inner, item) for item in value)
        case ast.Subscript(value=ast.Name(id="tuple" | "Tuple"), slice=ast.Tuple(elts=inner)):
            return (
                isinstance(value, list)
                and len(value) == len(inner)
                and all(_accepts(one, item) for one, item in zip(inner, value, strict=True))
            )
    return True
