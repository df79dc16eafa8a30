"""The pages of the course as notebooks, so that both have one source: the commands run in cells."""

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lessons.course import Lesson

_SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
_SCRIPT = re.compile(r"^uv run (scripts/\w+\.py)", re.MULTILINE)
_COMMENTS = re.compile(r"<!-- .*? -->\n?")
_LINK = re.compile(r"\]\((?!https?:|#|pictures/)([^)#]+)\.md(#[^)]*)?\)")
_SET_UP = """\
import os
import sys
from pathlib import Path

# The cells below run in the folder of the checkout, whichever folder in it this notebook lies in.
for folder in (Path.cwd(), *Path.cwd().parents):
    if (folder / "scripts" / "train.py").exists():
        os.chdir(folder)
        break"""


def notebooks() -> dict[str, str]:
    """Return the content of a notebook for each lesson that has a page, by the name of the page."""
    sys.path.append(str(_SCRIPTS))
    from lessons.course import LESSONS

    return {lesson.page.stem: notebook(lesson) for lesson in LESSONS if lesson.page.exists()}


def notebook(lesson: "Lesson") -> str:
    """Return the page of a lesson as a notebook without outputs.

    The command becomes a cell for the shell, and the figure that it draws is shown below it; links lead to the pages.
    """
    text = _COMMENTS.sub("", lesson.page.read_text(encoding="utf-8"))
    before, command, after = re.split(r"^```bash\n(.*?)\n```\n", text, maxsplit=1, flags=re.DOTALL | re.MULTILINE)
    shell = _SCRIPT.sub(r'!"{sys.executable}" \1', command)
    figure = f"""\
from IPython.display import Image

Image(max(Path().rglob("{Path(lesson.figure).name}"), key=os.path.getmtime))  # the newest figure of this name"""
    after = re.sub(r"!\[[^]]*\]\(pictures/[^)]*\)\n+", "", after)  # which is drawn by the cell above
    cells = [_text(before), _code(_SET_UP), _code(shell), _code(figure), _text(after)]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, ensure_ascii=False)


def with_link(page: str, name: str) -> str:
    """Return the text of a page with a link to its notebook below the heading."""
    return re.sub(r"^(# .*\n)", rf"\1\n[This page as a notebook]({name}.ipynb)\n", page, count=1, flags=re.MULTILINE)


def _text(source: str) -> dict[str, Any]:
    linked = _LINK.sub(lambda found: f"]({found[1]}.html{found[2] or ''})", source)
    return {"cell_type": "markdown", "metadata": {}, "source": re.sub(r"\n{3,}", "\n\n", linked).strip()}


def _code(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": source, "execution_count": None, "outputs": []}
