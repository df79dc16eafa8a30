from collections.abc import Callable

import pytest

from firstlight.runs.demo.page import parts_for
from firstlight.runs.demo.parts.classified_texts import ClassAnswers
from firstlight.runs.demo.subject import Subject
from firstlight.runs.predict.results import predict_batch
from firstlight.runs.predict.texts import TextInputs
from helpers.generate import write_labelled_texts


def test_a_text_gets_its_class_and_the_tokens_that_speak_for_it(
    subject: Callable[..., Subject], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("mails")
    write_labelled_texts(folder)
    loaded = subject("data=text_classes", f"data.dir={folder}", "data.batch_size=8", "optimizer.lr=3e-2")
    assert [name for name, _ in parts_for(loaded.task, "RUN")] == ["Text"]
    answers = ClassAnswers(loaded)
    classes, tokens, notes = answers.of("Free zebra prize")
    row = predict_batch(loaded.task, next(TextInputs(["Free zebra prize"], loaded.task.spec).batches(1)))[0].found
    assert max(classes, key=lambda name: classes[name]) == row["label"]
    assert sum(classes.values()) == pytest.approx(1, abs=1e-3)
    assert "".join(token for token, _ in tokens) == "Free zebra prize"
    assert max(abs(value) for _, value in tokens) == pytest.approx(1)
    assert notes.startswith("**Unknown.**")
    for text in ("  ", "a" * 20_001):
        with pytest.raises(ValueError, match=r"^Text: must"):
            answers.of(text)
