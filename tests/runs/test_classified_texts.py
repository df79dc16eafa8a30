"""A run that classifies texts, from the preview to the predictions."""

from pathlib import Path
from typing import Any

import pytest
import torch

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.runs.evaluate import evaluate
from firstlight.runs.explain.explainer import explain
from firstlight.runs.explain.tokens import token_contributions
from firstlight.runs.load import load_task
from firstlight.runs.predict import predict
from firstlight.runs.predict.texts import TextInputs
from firstlight.runs.preview import preview
from firstlight.tasks.build import build_source, build_task
from firstlight.training.run import train
from helpers.generate import write_labelled_texts

WORDS = ("data=text_classes", "data.batch_size=8", "trainer.accelerator=cpu", "optimizer.lr=3e-2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of texts with a class."""
    folder = tmp_path_factory.mktemp("texts")
    write_labelled_texts(folder)
    return folder


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run on these texts."""
    run = tmp_path_factory.mktemp("runs") / "run"
    augmented = ("+augment.delete_tokens.rate=0.1", "+augment.swap_tokens.rate=0.1")
    words = (*WORDS, f"data.dir={folder}", "trainer.max_epochs=4", "figures=false", "logger=none", *augmented)
    assert train(compose(*words), run_dir=run)["test/accuracy"] >= 0.9
    return run


def test_a_text_and_the_lines_of_a_file_are_classified(run: Path, tmp_path: Path) -> None:
    (row,) = predict(run, "Free PRIZE word3 zebra", tmp_path / "out.csv")
    assert row["label"] == "spam"
    assert row["probability"] > 0.9
    assert row["top_1"].startswith("spam=")
    assert row["warning"] == "unknown: 1 of 4 tokens, such as 'zebra'"
    lines = tmp_path / "lines.txt"
    lines.write_text("thanks for the report\n\nclick winner\n")
    rows = predict(run, lines, tmp_path / "lines.csv")
    assert [row["label"] for row in rows][::2] == ["ham", "spam"]
    assert [row["line"] for row in rows] == [1, 2, 3]
    (long,) = predict(run, "word1 " * 300, tmp_path / "long.csv")
    assert "cut: the first 256 of" in long["warning"]


def test_other_labelled_texts_are_evaluated(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("text,label\nfree prize,spam\nmeeting at noon,ham\nwinner,ham\n")
    assert evaluate(run, input=other, figures=False)["other/accuracy"] == pytest.approx(2 / 3)


def test_a_folder_of_texts_for_each_class_is_evaluated(run: Path, tmp_path: Path) -> None:
    for label, texts in {"spam": ("free prize", "click winner"), "ham": ("meeting at noon", "winner")}.items():
        (tmp_path / "mails" / label).mkdir(parents=True)
        for number, text in enumerate(texts):
            (tmp_path / "mails" / label / f"{number}.txt").write_text(text)
    assert evaluate(run, input=tmp_path / "mails", figures=False)["other/accuracy"] == pytest.approx(3 / 4)
    with pytest.raises(ValueError, match="must be an existing table of texts and labels, or a folder with a folder"):
        evaluate(run, input=tmp_path / "none", figures=False)


def test_a_token_adds_what_the_logit_loses_without_it(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task: Any = load_task(run)
    spam = task.spec.labels.index("spam")
    texts = ["Free prize at noon", "free", ""]
    batch = next(TextInputs(texts, task.spec).batches(3))
    found = token_contributions(task, batch.raw, texts)
    assert ["".join(each.token for each in text) for text in found.texts] == [texts[0], "free", "<unk>"]  # of no token

    def logit(text: str) -> float:
        raw = next(TextInputs([text], task.spec).batches(1)).raw
        return float(task.class_logits(task.network(task.preprocess(raw)))[0, spam].detach())

    values = {each.token.strip().lower(): each.value for each in found.texts[0]}
    assert found.chosen[0] == spam
    assert values["prize"] == pytest.approx(logit(texts[0]) - logit("Free at noon"), abs=1e-5)
    assert values["free"] > values["noon"]
    against = token_contributions(task, batch.raw, texts, task.spec.labels.index("ham"))
    assert against.texts[0][0].value < 0  # of "Free"
    capsys.readouterr()
    target = explain(run, "Free prize at noon", tmp_path / "why.png", class_name="spam")
    assert target.stat().st_size > 5000
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("explains spam")
    assert lines[1].split()[-1] == f"{max(values.values(), key=abs):+.4f}"


def test_the_preview_shows_words_as_numbers_and_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = RunConfig.from_overrides(*WORDS, f"data.dir={folder}", "+augment.replace_tokens.rate=0.5")
    preview(config, "preview.png", samples=3)
    blocks = capsys.readouterr().out.split("\n\n")[1:]
    store, splits = build_source(config).splits(config.seed)
    sources = (folder / "train.csv").read_text()
    for block in blocks:
        lines = dict(line.split(maxsplit=1) for line in block.replace("and back", "back").splitlines())
        text = lines["text"].strip("'")
        assert f"{text},{lines['class']}" in sources  # of the training split, not of its complement
        numbers = [int(number) for number in lines["numbers"].split()]
        back = "".join(store.spec.vocabulary[number] for number in numbers)
        assert lines["back"] == f"'{back}'" != lines["augmented"]
        assert back.replace(" ", "") == text.replace(" ", "")  # a word is one token with and without a space before it
    assert len(blocks) == 3
    assert splits


def test_steps_for_tokens_keep_the_ends_of_texts(folder: Path) -> None:
    for name in ("replace_tokens", "insert_tokens", "delete_tokens", "swap_tokens"):
        config = RunConfig.from_overrides(*WORDS, f"data.dir={folder}", f"+augment.{name}.rate=0.4")
        store, splits = build_source(config).splits(config.seed)
        raw, targets = splits["train"].take(torch.arange(40))
        raw = raw[:, :14]
        changed, same = build_task(config, store.spec).augment(raw, targets)
        assert torch.equal(same, targets)
        before, after = (raw >= 0).sum(1), (changed >= 0).sum(1)
        assert not torch.equal(changed, raw.long())
        is_text = changed >= 0
        assert is_text[:, 0].all()
        assert not (is_text[:, 1:] & ~is_text[:, :-1]).any()  # no token after the end
        expected = {"insert_tokens": after >= before, "delete_tokens": after <= before}.get(name, after == before)
        assert expected.all()
