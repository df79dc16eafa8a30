"""Write the reference of the Python API: a page for each package, with the names that its `__init__` exports."""

import ast
from pathlib import Path


def api_pages(package: Path) -> dict[str, tuple[str, str]]:
    """Return the title and the Markdown of each page by its name. mkdocstrings replaces the `:::` lines."""
    pages = {}
    for path in sorted(package.rglob("__init__.py"), key=lambda path: path.parent.as_posix()):
        module = ".".join(path.parent.relative_to(package.parent).parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if names := exported(tree):
            entries = [f"::: {module}.{name}" for name in names]
            pages[module] = (module, "\n\n".join([f"# {module}", ast.get_docstring(tree) or "", *entries]) + "\n")
    return pages


def exported(tree: ast.Module) -> list[str]:
    """Return the names that a module imports to export them: `from … import name as name`."""
    aliases = [alias for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
    return sorted({alias.name for alias in aliases if alias.asname == alias.name})
