"""The part of the page for images: a sketch pad, the camera, an upload and examples; what the network answers."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from firstlight.data.images.reading import read_image, refuse_decompression_bombs
from firstlight.runs.demo.drawing import Frame
from firstlight.runs.demo.library import QUIETLY, answering, gradio, sentence
from firstlight.runs.demo.shown import bars, enlarged, notes, numbers
from firstlight.runs.demo.sketch_pad import add_sketch_pad, sketch_of
from firstlight.runs.demo.subject import Subject
from firstlight.runs.explain.attributions import explain_images
from firstlight.runs.explain.drawing.overlay import heat_overlay
from firstlight.runs.predict.images import Images
from firstlight.runs.predict.results import predict_batch
from firstlight.spec import DataSpec
from firstlight.tasks import Classification, Reconstruction, Regression, Segmentation
from firstlight.tasks.task import TOP

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

        A file that is no image, is damaged, or may be a decompression bomb is answered by a sentence that says so.
        """
        try:
            return self.nothing if path is None else self._of_pixels(self._read(path))
        except ValueError as error:
            return (None, None, None, f"**Not read.** {sentence(error)}")

    def _read(self, path: str) -> np.ndarray:
        """Return a file as an image of the stored shape, with the limits of `read_image`."""
        content, name = Path(path).read_bytes(), Path(Path(path).name)
        limit = self.subject.max_pixels
        with refuse_decompression_bombs(limit):
            shape, fit = self.spec.stored_shape, self.spec.fit
            return read_image(name, shape, content, "bilinear", fit, limit)

    def of_drawing(self, drawn: str | None) -> Shown:
        """Return the answer to what the sketch pad holds, see `sketch_of`; an empty one if nothing is drawn."""
        assert self.frame is not None
        sketch = sketch_of(drawn)
        return self.nothing if sketch is None else self._of_pixels(self.frame.fit(sketch, self.spec)[None])

    def _of_pixels(self, pixels: np.ndarray) -> Shown:
        """Return the answer to an image of the stored shape, uint8."""
        batch = self.images.batch([{}], np.array(pixels)[None])  # a copy, as decoded pixels are read-only
        result = predict_batch(self.task, batch)[0]
        seen, second = self._views(batch.raw)
        return self._answer(result.found), enlarged(seen), second, notes(result.warnings, self.spec)

    def _answer(self, found: dict[str, Any]) -> Any:
        """Return a row of predictions as the value of the answer: bars for classes, else a text."""
        if isinstance(self.task, Classification):
            return bars(found)
        return numbers(self.task, found) if isinstance(self.task, Regression) else "  ".join(self.task.cells(found))

    def _views(self, raw: Tensor) -> tuple[Tensor, Any]:
        """Return the image that the network sees, and the one beside it: a mask, a reconstruction, Grad-CAM or None.

        Args:
            raw: a batch of one image, see `Split`.
        """
        if isinstance(self.task, Classification | Regression):
            found = explain_images(self.task, raw, integrated=False)
            heat = None if found.grad_cam is None else enlarged(heat_overlay(found.images, found.grad_cam)[0])
            return found.images[0], heat
        with torch.inference_mode():
            seen = self.task.preprocess.to_pixels(self.task.preprocess(raw.to(self.task.device)))[0]
        example = self.task.example_output(raw.to(self.task.device))
        return seen, enlarged(example[-1]) if isinstance(example, Tensor) else None

    @cached_property
    def has_second(self) -> bool:
        """Whether answers have a second image. The first call imports what all answers need, which takes seconds."""
        empty = np.zeros(self.spec.stored_shape, np.uint8)
        return self._of_pixels(empty)[2] is not None

    @property
    def second_heading(self) -> str:
        """Heading of the second image."""
        if self.task.predicts_boxes:
            return "Found objects"
        names = {Reconstruction: "Reconstruction", Segmentation: "Its mask"}
        return next((name for kind, name in names.items() if isinstance(self.task, kind)), "Where it looks (Grad-CAM)")


def can_draw(spec: DataSpec) -> bool:
    """Return whether images are small, grey and of one ground, as drawings are."""
    return spec.stored_shape[0] == 1 and spec.ground is not None and max(spec.image_size) <= _MAX_SKETCH


def add_images(subject: Subject) -> None:
    """Add inputs and answers to the page."""
    gr, answers = gradio(), ImageAnswers(subject)
    with gr.Row(equal_height=False):
        with gr.Column(min_width=340):
            events = _add_inputs(gr, subject, answers)
        with gr.Column(min_width=340):
            outputs = _add_outputs(gr, answers)
    for event, component, answer in events:
        event(answering(answer), component, outputs, trigger_mode="always_last", **QUIETLY)


def _add_inputs(gr: Any, subject: Subject, answers: ImageAnswers) -> list[tuple[Any, Any, Callable[..., Shown]]]:
    """Add the ways to give an image, and return the event, the component and the answer of each."""
    found: list[tuple[Any, Any, Callable[..., Shown]]] = []
    if answers.frame is not None:
        with gr.Tab("Draw"):
            pad = add_sketch_pad()
            found.append((pad.input, pad, answers.of_drawing))
    with gr.Tab("Photo"):
        sources = ["upload", "webcam", "clipboard"]
        photo = gr.Image(sources=sources, type="filepath", label="Photo", height=380, buttons=[], elem_id="photo")
        photo.preprocess = _path_of  # Gradio would decode the file, without the limits of `read_image`
        found.append((photo.change, photo, answers.of_file))  # an upload, the camera, and a click on an example
        if paths := subject.examples.write_images(subject.folder):
            gr.Examples([[path] for path in paths], photo, label="From the test split", examples_per_page=len(paths))
    return found


def _path_of(payload: Any) -> str | None:
    """Return the path of an upload, which Gradio has checked to lie in the page's own folder."""
    return None if payload is None else payload.path


def _add_outputs(gr: Any, answers: ImageAnswers) -> list[Any]:
    """Add the answer, what the network sees, the second image and the notes."""
    if isinstance(answers.task, Classification):
        answer = gr.Label(num_top_classes=TOP, label="Answer", elem_id="answer")
    else:
        answer = gr.Textbox(label="Answer", interactive=False, elem_id="answer")
    with gr.Row():
        seen = _add_image(gr, "What the network sees")
        second = _add_image(gr, answers.second_heading, answers.has_second)
    return [answer, seen, second, gr.Markdown(elem_id="notes")]


def _add_image(gr: Any, heading: str, is_visible: bool = True) -> Any:
    """Add an image below its heading, which would otherwise lie upon it."""
    with gr.Column(min_width=140, visible=is_visible):
        gr.Markdown(heading)
        options = {"show_label": False, "interactive": False, "buttons": [], "format": "png", "height": 240}
        return gr.Image(label=heading, alt_text=heading, elem_classes="pixels", **options)
