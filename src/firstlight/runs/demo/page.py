"""The page of a run: its heading, and the parts that fit its task."""

from collections.abc import Callable
from typing import Any

from firstlight.runs.command_line import command
from firstlight.runs.demo.library import gradio
from firstlight.runs.demo.parts.classified_texts import add_classified_texts
from firstlight.runs.demo.parts.images import add_images
from firstlight.runs.demo.parts.latents import add_latents
from firstlight.runs.demo.parts.tables import add_tables
from firstlight.runs.demo.parts.texts import add_texts
from firstlight.runs.demo.subject import Subject
from firstlight.tasks import Task

# Small images are shown with sharp pixels.
STYLE = ".pixels img { image-rendering: pixelated; } footer { display: none !important; }"
_SECONDS_BETWEEN, _SECONDS_TO_LIVE = 60, 600  # of uploads and of images that are shown
_MAX_WAITING = 32

Part = tuple[str, Callable[[Subject], None]]


def parts_for(task: Task, run: str) -> list[Part]:
    """Return the parts of the page that fit a task, each with the name of its tab.

    Raises:
        ValueError: the task neither predicts nor generates.
    """
    by_kind: dict[str, Part] = {
        "images": ("Images", add_images),
        "tokens": ("Text", add_texts),
        "numbers": ("Table", add_tables),
    }
    if (task.spec.kind, task.spec.targets) == ("tokens", "classes"):
        by_kind["tokens"] = ("Text", add_classified_texts)
    found = [by_kind[task.spec.kind]] if task.can_predict else []
    if task.latent_dim is not None or hasattr(task.network, "decode"):
        found.append(("Latents", add_latents))
    if not found:
        raise ValueError(
            f"run={run}: must be a run whose task predicts or decodes latents, and {task.task_name} of {task.spec.kind}"
            f" has no page. To fix: use {command('predict' if task.can_predict else 'sample')} run={run}"
        )
    return found


def build_page(subject: Subject, parts: list[Part]) -> Any:
    """Return the page, a `gradio.Blocks`.

    Args:
        subject: the run.
        parts: see `parts_for`.
    """
    gr = gradio()
    cache = (_SECONDS_BETWEEN, _SECONDS_TO_LIVE)
    with gr.Blocks(title=subject.title, analytics_enabled=False, delete_cache=cache) as page:
        gr.Markdown(f"# {subject.title}\n{subject.summary}")
        if len(parts) == 1:
            parts[0][1](subject)
        else:
            for name, add in parts:
                with gr.Tab(name):
                    add(subject)
    page.queue(max_size=_MAX_WAITING)
    return page
