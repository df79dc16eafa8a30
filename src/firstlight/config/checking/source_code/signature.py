"""Read the parameters of a class or function from its source code, in milliseconds: nothing is imported."""

import ast
import functools
import importlib.util
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from firstlight.checks import nearest

Parameters = dict[str, ast.expr | None]  # name -> annotation, or None


def parameters(target: str) -> Parameters | None:
    """Return the parameters of a class or function, without `self`.

    Follows imports between modules, base classes, and `**kwargs` that are passed to a base class.

    Args:
        target: dotted path of the class or function.

    Returns:
        The annotation of each parameter; None if the source does not show them, as for a compiled function.

    Raises:
        ValueError: the module or the name does not exist.
    """
    module, names = find_module(target)
    if module is None or len(names) != 1:
        return None
    return _parameters_in(module, names[0], target)


def takes_spec(accepted: Parameters) -> bool:
    """Return whether parameters include the spec of the data, which the code passes: `spec`, of no other type."""
    annotation = accepted.get("spec")
    return "spec" in accepted and (annotation is None or is_spec(ast.unparse(annotation)))


def is_spec(annotation: str) -> bool:
    """Return whether an annotation allows a `DataSpec`."""
    return "DataSpec" in annotation or annotation in ("Any", "typing.Any")


def names(package: str) -> list[str]:
    """Return the names that a package's `__init__` defines or imports, in order."""
    path, _ = find_module(package)
    assert path is not None
    return list(definitions(path))


def find_module(target: str) -> tuple[Path | None, list[str]]:
    """Return the source file of the module part of `target`, and the remaining names.

    Raises:
        ValueError: the first module is not installed.
    """
    first, *rest = target.split(".")
    try:
        spec = importlib.util.find_spec(first)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        raise ValueError(f"the module '{first}' must be installed")
    if spec.origin is None:  # a folder without an __init__.py
        found = (descend(Path(folder), rest) for folder in spec.submodule_search_locations or ())
        return next((pair for pair in found if pair[0] is not None), (None, rest))
    return descend(Path(spec.origin), rest) if spec.origin.endswith(".py") else (None, rest)


def descend(path: Path, names: list[str]) -> tuple[Path | None, list[str]]:
    """Follow names from a module's file or a package's folder into submodules.

    Returns:
        The file that the names lead to, and the remaining names; None if they lead to a folder without `__init__.py`.
    """
    rest = names
    while rest and (path.is_dir() or path.name == "__init__.py"):
        folder = path if path.is_dir() else path.parent
        package, module = folder / rest[0] / "__init__.py", folder / f"{rest[0]}.py"
        if package.is_file():
            path = package
        elif module.is_file():
            path = module
        elif package.parent.is_dir():
            path = package.parent
        else:
            break
        rest = rest[1:]
    return (None, names) if path.is_dir() else (path, rest)


def imported(path: Path, statement: ast.ImportFrom, name: str) -> tuple[Path | None, list[str]]:
    """Return the source file from which `statement` in the file `path` imports `name`, and the remaining names.

    Raises:
        ValueError: the module is not installed.
    """
    if statement.level == 0:
        return find_module(f"{statement.module}.{name}")
    package = path.parents[statement.level - 1] / "__init__.py"
    return descend(package, [*(statement.module.split(".") if statement.module else []), name])


@functools.cache
def definitions(path: Path) -> dict[str, ast.stmt]:
    """Return the last top-level statement of a file that binds each name."""
    bound: dict[str, ast.stmt] = {}
    for statement in top_level(path):
        if isinstance(statement, ast.ClassDef | ast.FunctionDef):
            bound[statement.name] = statement
        elif isinstance(statement, ast.ImportFrom):
            bound.update({alias.asname or alias.name: statement for alias in statement.names})
    return bound


@functools.cache
def top_level(path: Path) -> tuple[ast.stmt, ...]:
    """Return the statements of a module, including those inside `if` and `try`.

    Raises:
        ValueError: the file is not Python. The message names the line.
    """
    try:
        return tuple(_flattened(ast.parse(path.read_bytes()).body))
    except SyntaxError as error:
        raise ValueError(f"{path}, line {error.lineno}: must be Python ({error.msg})") from error


def _flattened(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try):
            handlers = [s for handler in getattr(statement, "handlers", []) for s in handler.body]
            yield from _flattened([*handlers, *statement.orelse, *statement.body])


def _parameters_in(path: Path, name: str, target: str) -> Parameters | None:
    bound = definitions(path)
    statement = bound.get(name)
    if isinstance(statement, ast.FunctionDef):
        return None if statement.args.kwarg else _from_function(statement)
    if isinstance(statement, ast.ClassDef):
        return _from_class(path, statement)
    if isinstance(statement, ast.ImportFrom):
        original = next(alias.name for alias in statement.names if (alias.asname or alias.name) == name)
        return _follow_import(path, statement, original)
    if statement is None and "*" in bound:
        return _through_stars(path, name)
    if statement is None and "__getattr__" not in bound and not _assigns(path, name):
        raise _undefined(target, name, bound)
    if statement is None and name not in (offered := _exports(path)) and nearest(name, offered):
        raise _undefined(target, name, offered)
    return None


def _undefined(target: str, name: str, known: Iterable[str]) -> ValueError:
    found = nearest(name, (other for other in known if not other.startswith("_")))
    hint = f", did you mean '{found}'?" if found else ""
    return ValueError(f"'{name}' must be defined in {target.rsplit('.', 1)[0]}{hint}")


def _exports(path: Path) -> list[str]:
    """Return the names in the `__all__` of a module that computes other names by `__getattr__`; none of others."""
    if "__getattr__" not in definitions(path):
        return []
    for statement in top_level(path):
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            with suppress(ValueError):  # it is computed
                return list(ast.literal_eval(statement.value))
    return []


def _through_stars(path: Path, name: str) -> Parameters | None:
    """Return the parameters of a name that one of the star imports of a file may bind."""
    for statement in top_level(path):
        if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
            try:
                found = _follow_import(path, statement, name)
            except ValueError:  # this module does not define it
                continue
            if found is not None:
                return found
    return None


def _assigns(path: Path, name: str) -> bool:
    """Return whether a file contains the name outside classes, functions and imports, for example as an assignment."""
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(ast.parse(path.read_bytes())))


def _follow_import(path: Path, statement: ast.ImportFrom, name: str) -> Parameters | None:
    module, rest = imported(path, statement, name)
    if module is None or len(rest) != 1 or module == path:
        return None
    return _parameters_in(module, rest[0], name)


def _from_function(function: ast.FunctionDef) -> Parameters:
    arguments = function.args
    return {a.arg: a.annotation for a in arguments.posonlyargs + arguments.args + arguments.kwonlyargs}


def _from_class(path: Path, statement: ast.ClassDef) -> Parameters | None:
    init = next((s for s in statement.body if isinstance(s, ast.FunctionDef) and s.name == "__init__"), None)
    own = _from_function(init) if init else {}
    own.pop("self", None)
    if init and not init.args.kwarg:
        return own
    for base in statement.bases:
        inherited = _parameters_in(path, base.id, base.id) if isinstance(base, ast.Name) else None
        if inherited is not None:
            return inherited | own
    return None
