"""Add the generated pages to the site; mkdocs calls these functions, see mkdocs.yml."""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from api_reference import api_pages
from config_reference import config_pages
from course_notebooks import notebooks, with_link

_ROOT = Path(__file__).resolve().parents[2]
_PAGES = {
    "Config": ("reference/config", config_pages(_ROOT / "configs")),
    "Python": ("reference/python", api_pages(_ROOT / "src" / "firstlight")),
}
# What a browser loads by itself, in contrast to links that a reader may follow.
_LOADED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*(?:src|href)=[\"']?(?:https?:)?//[^>]*>")


def on_config(config: MkDocsConfig) -> None:
    """Add the course, if there is one, and the references to the navigation."""
    docs = Path(config.docs_dir)
    course = sorted(path.relative_to(docs).as_posix() for path in (docs / "course").glob("*.md"))
    course.sort(key=lambda path: path != "course/index.md")  # then the lessons, whose names begin with their numbers
    assert config.nav is not None
    config.nav[1:1] = [{"Course": course}] if course else []
    for title, (folder, pages) in _PAGES.items():
        entries = [{page_title: f"{folder}/{name}.md"} for name, (page_title, _) in pages.items()]
        config.nav.append({f"{title} reference": entries})


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages of the references, and the notebooks of the course."""
    for name, content in notebooks().items():
        files.append(File.generated(config, f"course/{name}.ipynb", content=content))
    for folder, pages in _PAGES.values():
        for name, (_, content) in pages.items():
            files.append(File.generated(config, f"{folder}/{name}.md", content=content))


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Add a link to the notebook of a lesson."""
    path = Path(page.file.src_uri)
    return with_link(markdown, path.stem) if path.parent.name == "course" and path.stem in notebooks() else markdown


def on_post_page(output: str, **_: Any) -> None:
    """Check that a page loads nothing from elsewhere, so that the site works offline.

    Raises:
        PluginError: it does.
    """
    if found := _LOADED.search(output):
        raise PluginError(f"{found.group()}: must be a file of the site.")
