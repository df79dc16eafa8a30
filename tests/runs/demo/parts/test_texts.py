import re
from collections.abc import Callable

import pytest

from firstlight.runs.demo.parts.texts import TextAnswers
from firstlight.runs.demo.subject import Subject


@pytest.fixture
def answers(subject: Callable[..., Subject], tmp_path_factory: pytest.TempPathFactory) -> TextAnswers:
    path = tmp_path_factory.getbasetemp() / "text.txt"
    path.write_text("the cat sat on the mat. " * 200)
    return TextAnswers(subject("data=text", f"data.file={path}", "data.length=16", "model=rnn"))


def test_a_prompt_is_continued_and_its_loss_is_that_of_predict(answers: TextAnswers) -> None:
    text, about = answers.of("the cat", 20, 0.8, 1)
    assert text.startswith("the cat")
    assert len(text) == 27
    assert answers.of("the cat", 20, 0.8, 1)[0] == text != answers.of("the cat", 20, 0.8, 2)[0]
    loss = float(re.search(r"loss ([\d.]+) nats", about)[1])  # type: ignore[index]
    perplexity = float(re.search(r"perplexity ([\d.]+)", about)[1])  # type: ignore[index]
    assert perplexity == pytest.approx(2.718281828**loss, rel=1e-3)
    assert about.count("%") == 5
    assert "6 predicted tokens" in about


def test_temperature_0_chooses_the_most_likely_token(answers: TextAnswers) -> None:
    assert answers.of("the", 9, 0, 1)[0] == answers.of("the", 9, 0, 2)[0]


def test_an_empty_prompt_has_no_loss_and_unknown_characters_are_named(answers: TextAnswers) -> None:
    assert answers.of("", 5, 1, 1)[1] == ""
    assert "**Unknown.** 1 of 3 tokens, such as '€'" in answers.of("a€a", 5, 1, 1)[1]


@pytest.mark.parametrize(
    ("prompt", "length", "temperature", "why"),
    [("a", 2001, 1, "Length"), ("a", -1, 1, "Length"), ("a", 1, -1, "Temperature"), ("a" * 20_001, 1, 1, "20,000")],
)
def test_values_out_of_range_are_refused(
    prompt: str, length: int, temperature: float, why: str, answers: TextAnswers
) -> None:
    with pytest.raises(ValueError, match=why):
        answers.of(prompt, length, temperature, 1)
