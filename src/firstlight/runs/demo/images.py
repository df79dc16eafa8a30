"""The part of the page for images: a sketch pad, the camera, an upload and examples; what the network answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from firstlight.data.images.reading import read_image, refuse_decompression_bombs
from firstlight.runs.demo.drawing import Frame
from firstlight.runs.demo.library import ONE_AT_A_TIME, answering, gradio
from firstlight.runs.demo.shown import bars, enlarged, notes, numbers
from firstlight.runs.demo.sketch_pad import add_sketch_pad, sketch_of
from firstlight.runs.demo.subject import Subject
from firstlight.runs.predict.images import Images
from firstlight.runs.predict.results import predict_batch
from firstlight.spec import DataSpec

_MAX_SKETCH = 64  # pixels of the largest images that can be drawn with a few strokes

Shown = tuple[Any, ...]


class ImageAnswers:
    """The answers of a network to images, as values of `outputs`.

    Args:
        subject: the run.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.task = subject.task
        self.spec = subject.task.spec
        self.images = Images(self.spec, "bilinear", "auto", subject.known, subject.max_pixels)
        self.frame = Frame.of(subject.examples.raw[:, 0]) if can_draw(self.spec) else None
        self.nothing: Shown = (None, None, None, "")

    def of_file(self, path: str | None) -> Shown:
        """Return the answer to an uploaded file or a photo of the camera; an empty one if there is none.

        Raises:
            ValueError: the file is not an image, is damaged, or may be a decompression bomb.
        """
        if path is None:
            return self.nothing
        content, name = Path(path).read_bytes(), Path(Path(path).name)
        limit = self.subject.max_pixels
        with refuse_decompression_bombs(limit):
            shape, fit = self.spec.stored_shape, self.spec.fit
            return self._of_pixels(read_image(name, shape, content, "bilinear", fit, limit))

    def of_drawing(self, drawn: str | None) -> Shown:
        """Return the answer to what the sketch pad holds, see `sketch_of`; an empty one if nothing is drawn."""
        assert self.frame is not None
        sketch = sketch_of(drawn)
        return self.nothing if sketch is None else self._of_pixels(self.frame.fit(sketch, self.spec)[None])

    def _of_pixels(self, pixels: np.ndarray) -> Shown:
        """Return the answer to an image of the stored shape, uint8."""
        batch = self.images.batch([{}], pixels[None])
        result = predict_batch(self.task, batch)[0]
        raw = batch.raw.to(self.task.device)
        with torch.inference_mode():
            seen = self.task.preprocess.to_pixels(self.task.preprocess(raw))[0]
        answer = (
            bars(result.found)
            if self.spec.targets == "classes" and "top_1" in result.found
            else self._text(result.found)
        )
        return answer, enlarged(seen), self._second(raw), notes(result.warnings, self.spec)

    def _text(self, found: dict[str, Any]) -> str:
        is_regression = self.spec.targets == "numbers" and set(self.spec.labels) <= set(found)
        return numbers(self.task, found) if is_regression else "  ".join(self.task.cells(found))

    def _second(self, raw: torch.Tensor) -> Any:
        """Return the image beside the one that the network sees: its reconstruction; None for other tasks."""
        example = self.task.example_output(raw)
        return enlarged(example[-1]) if isinstance(example, torch.Tensor) else None


def can_draw(spec: DataSpec) -> bool:
    """Return whether images are small, grey and of one ground, as drawings are."""
    return spec.stored_shape[0] == 1 and spec.ground is not None and max(spec.image_size) <= _MAX_SKETCH


def add_images(subject: Subject) -> None:
    """Add inputs and answers to the page."""
    gr, answers = gradio(), ImageAnswers(subject)
    with gr.Row(equal_height=False):
        with gr.Column(min_width=340):
            inputs = _add_inputs(gr, subject, answers)
        with gr.Column(min_width=340):
            outputs = _add_outputs(gr, subject)
    for component, answer in inputs:
        options = {"trigger_mode": "always_last", "show_progress": "hidden", **ONE_AT_A_TIME}
        changed = component.change if hasattr(component, "clear") else component.input
        changed(answering(answer), component, outputs, **options)


def _add_inputs(gr: Any, subject: Subject, answers: ImageAnswers) -> list[tuple[Any, Callable[..., Shown]]]:
    """Add the ways to give an image, and return the component and the function of each."""
    found: list[tuple[Any, Callable[..., Shown]]] = []
    if answers.frame is not None:
        with gr.Tab("Draw"):
            found.append((add_sketch_pad(), answers.of_drawing))
    with gr.Tab("Photo"):
        photo = gr.Image(
            sources=["upload", "webcam", "clipboard"],
            type="filepath",
            label="Photo",
            height=380,
            buttons=[],
            elem_id="photo",
        )
        photo.preprocess = _path_of  # Gradio would decode the file, without the limits of `read_image`
        found.append((photo, answers.of_file))
        if paths := subject.examples.write_images(subject.folder):
            gr.Examples([[path] for path in paths], photo, label="From the test split", examples_per_page=len(paths))
    return found


def _path_of(payload: Any) -> str | None:
    """Return the path of an upload, which Gradio has checked to lie in the page's own folder."""
    return None if payload is None else payload.path


def _add_outputs(gr: Any, subject: Subject) -> list[Any]:
    """Add the answer, what the network sees, the second image and the notes."""
    task = subject.task
    if task.spec.targets == "classes" and task.task_name == "classification":
        answer = gr.Label(num_top_classes=5, label="Answer", elem_id="answer")
    else:
        answer = gr.Textbox(label="Answer", interactive=False, elem_id="answer")
    with gr.Row():
        seen = _add_image(gr, "What the network sees")
        second = _add_image(gr, "Reconstruction", task.task_name == "reconstruction")
    note = gr.Markdown(elem_id="notes")
    return [answer, seen, second, note]


def _add_image(gr: Any, heading: str, is_visible: bool = True) -> Any:
    """Add an image below its heading, which would otherwise lie upon it."""
    with gr.Column(min_width=140, visible=is_visible):
        gr.Markdown(heading)
        return gr.Image(
            show_label=False,
            label=heading,
            height=240,
            interactive=False,
            format="png",
            buttons=[],
            elem_classes="pixels",
        )
