"""The part of the page for texts with a class: a text, its class, and the tokens that speak for it."""

from typing import Any

from firstlight.runs.demo.library import ONE_AT_A_TIME, answering, gradio
from firstlight.runs.demo.shown import bars, notes
from firstlight.runs.demo.subject import Subject
from firstlight.runs.explain.tokens import token_contributions
from firstlight.runs.predict.results import predict_batch
from firstlight.runs.predict.texts import TextInputs
from firstlight.tasks import Classification

_MAX_TEXT = 20_000  # characters


class ClassAnswers:
    """The answers of a network to texts."""

    def __init__(self, subject: Subject) -> None:
        assert isinstance(subject.task, Classification)
        self.task = subject.task

    def of(self, text: str) -> tuple[Any, list[tuple[str, float]], str]:
        """Return the probabilities of the classes, the tokens with what each adds to the likeliest, and notes.

        The largest value of a token is 1 or -1.

        Raises:
            ValueError: the text is empty or too long.
        """
        if not text.strip():
            raise ValueError("Text: must have a word.")
        if len(text) > _MAX_TEXT:
            raise ValueError(f"Text: must be at most {_MAX_TEXT:,} characters, not {len(text):,}.")
        batch = next(TextInputs([text], self.task.spec).batches(1))
        result = predict_batch(self.task, batch)[0]
        (tokens,) = token_contributions(self.task, batch.raw, [text]).texts
        largest = max((abs(each.value) for each in tokens), default=0.0) or 1.0
        shown = [(each.token, each.value / largest) for each in tokens]
        return bars(result.found), shown, notes(result.warnings, self.task.spec)


def add_classified_texts(subject: Subject) -> None:
    """Add inputs and answers to the page."""
    gr, answers = gradio(), ClassAnswers(subject)
    with gr.Row(equal_height=False):
        with gr.Column(min_width=340):
            text = gr.Textbox(label="Text", lines=6, max_length=_MAX_TEXT, elem_id="prompt")
            button = gr.Button("Answer", variant="primary")
        with gr.Column(min_width=340):
            answer = gr.Label(num_top_classes=5, label="Answer", elem_id="answer")
            colours = {"-": "blue", "+": "orange"}
            tokens = gr.HighlightedText(label="What speaks for it, and against it", color_map=colours, elem_id="tokens")
            note = gr.Markdown(elem_id="notes")
    button.click(answering(answers.of), [text], [answer, tokens, note], **ONE_AT_A_TIME)
