"""The part of the page for language models: a prompt, its loss, and how the network goes on."""

from typing import Any

from firstlight.checks import check_range
from firstlight.runs.demo.library import ONE_AT_A_TIME, answering, gradio
from firstlight.runs.demo.shown import notes
from firstlight.runs.demo.subject import Subject
from firstlight.runs.predict.results import predict_batch
from firstlight.runs.predict.texts import TextInputs

MAX_LENGTH = 2000  # tokens to generate; a large network takes some milliseconds for each
_MAX_PROMPT = 20_000  # characters


class TextAnswers:
    """The answers of a language model: a text, and what the prompt costs."""

    def __init__(self, subject: Subject) -> None:
        self.task = subject.task

    def of(self, prompt: str, length: float, temperature: float, seed: float) -> tuple[str, str]:
        """Return the prompt with its continuation, and lines about the prompt.

        Args:
            prompt: the beginning.
            length: tokens to generate.
            temperature: divides the logits.
            seed: of the random choice of tokens.

        Raises:
            ValueError: a number is out of its range, or the prompt is too long.
        """
        check_range("Length", length, at_least=0, at_most=MAX_LENGTH)
        check_range("Temperature", temperature, at_least=0)
        if len(prompt) > _MAX_PROMPT:
            raise ValueError(f"Prompt: must be at most {_MAX_PROMPT:,} characters, not {len(prompt):,}.")
        made = self.task.sample(prompt=prompt, length=int(length), temperature=temperature, seed=int(seed))
        return str(made), self.about(prompt)

    def about(self, prompt: str) -> str:
        """Return the loss of the prompt and the tokens likely to follow; empty without a prompt."""
        if not prompt:
            return ""
        batch = next(TextInputs([prompt], self.task.spec).batches(1))
        result = predict_batch(self.task, batch)[0]
        loss = result.found["loss"]
        line = f"Prompt: {result.found['tokens']:,} predicted tokens"
        line += "" if loss is None else f", loss {loss:.4f} nats per token, perplexity {result.found['perplexity']:.4g}"
        likely = ", ".join(f"`{name}` {float(value):.1%}" for name, value in self._next(result.found))
        return "\n\n".join(part for part in (line, f"Next: {likely}", notes(result.warnings, self.task.spec)) if part)

    def _next(self, found: dict[str, Any]) -> list[tuple[str, str]]:
        pairs = [found[key].rpartition("=") for key in found if key.startswith("next_")]
        return [(name, value) for name, _, value in pairs]


def add_texts(subject: Subject) -> None:
    """Add inputs and answers to the page."""
    gr, answers = gradio(), TextAnswers(subject)
    with gr.Row(equal_height=False):
        with gr.Column(min_width=340):
            prompt = gr.Textbox(label="Prompt", lines=4, max_length=_MAX_PROMPT, elem_id="prompt")
            length = gr.Slider(0, MAX_LENGTH, 300, step=10, label="Length (tokens)")
            temperature = gr.Slider(0, 2, 0.8, step=0.05, label="Temperature")
            seed = gr.Number(1, precision=0, label="Seed")
            button = gr.Button("Continue the text", variant="primary")
        with gr.Column(min_width=340):
            text = gr.Textbox(label="Text", lines=14, max_lines=30, interactive=False, elem_id="answer")
            about = gr.Markdown(elem_id="notes")
    button.click(answering(answers.of), [prompt, length, temperature, seed], [text, about], **ONE_AT_A_TIME)
