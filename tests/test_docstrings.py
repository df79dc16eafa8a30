"""Every public name has a docstring that names the shapes of tensors and the errors, as CONTRIBUTING.md demands."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from api_reference import exported
from helpers.runs import REPOSITORY

SOURCES = REPOSITORY / "src"
Function = ast.FunctionDef | ast.AsyncFunctionDef
_RAISES = re.compile(r"\braise (?!StopIteration)|\bcheck_(range|order)\(|\bchoose\(")
_SHAPE = re.compile(r"\(\w[\w ]*,|\bscalar|\bshape|\bbatch")
_ARRAYS = re.compile(r"\b(Tensor|ndarray)\b")


class Public(NamedTuple):
    """A public class, function or constant, or a method of a public class."""

    name: str
    docstring: str | None
    signature: str
    body: str


def public() -> Iterator[Public]:
    for path in sorted(SOURCES.glob("firstlight/**/__init__.py")):
        module = ".".join(path.parent.relative_to(SOURCES).parts)
        for name in exported(ast.parse(path.read_text())):
            yield from _described(f"{module}.{name}", *_definition(module, name))


def _definition(module: str, name: str) -> tuple[ast.stmt, str | None]:
    """Return the statement that defines a name, and the string after a constant."""
    path = SOURCES.joinpath(*module.split("."))
    tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.asname == name for alias in node.names):
            return _definition(str(node.module), name)
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            return node, str(after.value.value) if is_text else None  # type: ignore[union-attr]
        if getattr(node, "name", None) == name:
            return node, None
    raise AssertionError(f"{module}.{name}: must be a class, a function or a constant.")


def _described(name: str, node: ast.stmt, text: str | None) -> Iterator[Public]:
    if isinstance(node, Function):
        yield _function(name, node)
    elif isinstance(node, ast.ClassDef):
        methods = {method.name: method for method in node.body if isinstance(method, Function)}
        made = [ast.unparse(methods[key]) for key in ("__init__", "__post_init__") if key in methods]
        yield Public(name, ast.get_docstring(node), "", "\n".join(made))
        # A method that overrides another needs no docstring; ruff demands one of the others.
        own = [method for key, method in methods.items() if not key.startswith("_") and ast.get_docstring(method)]
        yield from (_function(f"{name}.{method.name}", method) for method in own)
    else:
        yield Public(name, text, "", "")


def _function(name: str, node: Function) -> Public:
    signature = f"{ast.unparse(node.args)} -> {ast.unparse(node.returns) if node.returns else None}"
    return Public(name, ast.get_docstring(node), signature, "\n".join(map(ast.unparse, node.body)))


def faults(name: Public) -> str | None:
    """Return what the docstring of a public name lacks, or None."""
    if not name.docstring:
        return "docstring"
    returns_an_error = name.signature.endswith("-> ValueError")
    if _RAISES.search(name.body) and "Raises:" not in name.docstring and not returns_an_error:
        return "Raises:"
    is_row = name.name.endswith((".predict_rows", ".example_output"))  # described in Task
    if _ARRAYS.search(name.signature) and not is_row and not _SHAPE.search(name.docstring):
        return "shape"
    return None


def test_every_public_name_has_a_docstring_with_shapes_and_errors() -> None:
    found = list(public())
    assert len(found) > 250
    assert {name.name: fault for name in found if (fault := faults(name))} == {}


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("def f() -> int:\n    return 1", "docstring"),
        ("def f(rate: float) -> None:\n    'Check.'\n    check_range('rate', rate)", "Raises:"),
        ("def f(images: Tensor) -> None:\n    'Show images.'", "shape"),
        ("def f(images: Tensor) -> None:\n    'Show images (batch, channels, height, width).'", None),
        ("class A:\n    'A thing.'\n    def __init__(self):\n        raise ValueError", "Raises:"),
        ("class A:\n    'A thing.'\n    def f(self):\n        'Fail.'\n        raise ValueError", "Raises:"),
        ("LIMIT = 3", "docstring"),
    ],
)
def test_a_fault_is_found(source: str, fault: str | None) -> None:
    (node,) = ast.parse(source).body
    assert next(filter(None, map(faults, _described("name", node, None))), None) == fault


def test_the_text_below_a_constant_is_its_docstring() -> None:
    assert _definition("firstlight.config", "CONFIG_DIR")[1]
    assert Path(str(_definition("firstlight.files", "LOCK_FILES")[1])).name.startswith("The lock")
