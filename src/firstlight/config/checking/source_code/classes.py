"""Find classes and their base classes in source code: nothing is imported."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from firstlight.config.checking.source_code.signature import definitions, descend, find_module, imported, top_level


class Definition(NamedTuple):
    """A class or function at the top level of a module: the source file and the statement."""

    path: Path
    statement: ast.ClassDef | ast.FunctionDef


def find_definition(target: str) -> Definition | None:
    """Return the class or function that a dotted path names, through imports; None if the source does not show it.

    A path through a module that another module only imports, such as `torch.os.system`, leads to None.
    """
    path, names = _module_of(target)
    return _find_in(path, names[0]) if path is not None and len(names) == 1 else None


def ancestors(definition: Definition) -> Iterator[Definition]:
    """Yield a class and all of its base classes that the source shows; nothing for a function."""
    waiting, seen = [definition], set()
    while waiting:
        current = waiting.pop()
        if current in seen or not isinstance(current.statement, ast.ClassDef):
            continue
        seen.add(current)
        yield current
        found = [_resolve(current.path, base) for base in current.statement.bases]
        waiting += [base for base in found if base is not None]


def returned(definition: Definition) -> Definition | None:
    """Return the class that the annotation of a function says it returns; None for a class, and if it says nothing."""
    function = definition.statement
    if not isinstance(function, ast.FunctionDef) or function.returns is None:
        return None
    return _resolve(definition.path, function.returns)


def _module_of(target: str) -> tuple[Path | None, list[str]]:
    try:
        return find_module(target)
    except ValueError:  # not installed
        return None, []


def _find_in(path: Path, name: str, seen: frozenset[tuple[Path, str]] = frozenset()) -> Definition | None:
    """Return the definition that `name` stands for in a file; `seen` ends circular imports."""
    if (path, name) in seen:
        return None
    seen |= {(path, name)}
    statement = definitions(path).get(name)
    if isinstance(statement, ast.ClassDef | ast.FunctionDef):
        return Definition(path, statement)
    for origin in _origins(path, name, statement):
        module, names = _imported(path, origin, name)
        found = _find_in(module, names[0], seen) if module is not None and len(names) == 1 else None
        if found is not None:
            return found
    return None


def _origins(path: Path, name: str, statement: ast.stmt | None) -> list[ast.ImportFrom]:
    """Return the imports that may bind a name in a file: the one that names it, or all with a star."""
    if isinstance(statement, ast.ImportFrom):
        return [statement]
    return [found for found in _imports_from(path) if found.names[0].name == "*"] if statement is None else []


@functools.cache
def _imports_from(path: Path) -> list[ast.ImportFrom]:
    return [statement for statement in top_level(path) if isinstance(statement, ast.ImportFrom)]


def _imported(path: Path, statement: ast.ImportFrom, name: str) -> tuple[Path | None, list[str]]:
    """Return the module and the remaining names of what an import binds to `name`."""
    original = next((alias.name for alias in statement.names if (alias.asname or alias.name) == name), name)
    try:
        return imported(path, statement, original)
    except ValueError:  # an optional package that is not installed
        return None, []


def _resolve(path: Path, expression: ast.expr) -> Definition | None:
    """Return the class that an expression such as `Module`, `nn.Module` or `Base[int]` stands for in a file."""
    match expression:
        case ast.Name(id=name):
            return _find_in(path, name)
        case ast.Subscript(value=inner):
            return _resolve(path, inner)
        case ast.Attribute(value=inner, attr=name):
            module = _resolve_module(path, inner)
            return None if module is None else _find_in(module, name)
    return None


def _resolve_module(path: Path, expression: ast.expr) -> Path | None:
    """Return the file of the module that an expression such as `nn` or `torch.nn` stands for in a file."""
    match expression:
        case ast.Attribute(value=inner, attr=name):
            parent = _resolve_module(path, inner)
            module, names = (None, []) if parent is None else descend(parent, [name])
        case ast.Name(id=name) if isinstance(statement := definitions(path).get(name), ast.ImportFrom):
            module, names = _imported(path, statement, name)
        case ast.Name(id=name):
            module, names = _module_of(_imported_as(path, name))
        case _:
            return None
    return None if names else module


def _imported_as(path: Path, name: str) -> str:
    """Return the dotted path of the module that `import` binds to a name, which may be the name itself."""
    for statement in top_level(path):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if alias.asname == name:
                    return alias.name
    return name
