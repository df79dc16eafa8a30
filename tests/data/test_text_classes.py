import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from firstlight.data import Split, Store, TextClasses
from firstlight.data.relabel import relabelled
from helpers.generate import write_labelled_texts

TEXTS = [("Free money, FREE!", "spam"), ("See you at noon", "ham"), ("Free prize", "spam"), ("Lunch at noon?", "ham")]


def write_table(
    path: Path, rows: list[tuple[str, str]] = TEXTS * 5, header: tuple[str, ...] = ("text", "label")
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_folders(folder: Path, number: int = 5, encoding: str = "utf-8") -> None:
    for label, text in (("ham", "Bis später, schöne Grüße"), ("spam", "Für dich größtes Geld")):
        for place in range(number):
            path = folder / label / f"{place}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{text} {place}".encode(encoding))


def opened(folder: Path, **options: Any) -> tuple[Store, dict[str, Split]]:
    return TextClasses(str(folder), **options).splits(1)


def text_of(store: Store, row: torch.Tensor) -> str:
    return "".join(store.spec.vocabulary[number] for number in row.tolist() if number >= 0)


def test_tables_of_the_splits_become_tokens_and_classes(tmp_path: Path) -> None:
    write_table(tmp_path / "train.csv")
    write_table(tmp_path / "test.csv", [("Free lunch", "spam")])
    store, splits = opened(tmp_path, length=6)
    assert (store.spec.kind, store.spec.targets, store.spec.labels) == ("tokens", "classes", ("ham", "spam"))
    assert store.spec.input_shape == (6,)
    assert store.spec.vocabulary[0] == "<unk>"
    whole = store.stored["train"]
    assert text_of(store, whole.inputs[1]) == "see you at noon"
    assert whole.inputs[0].tolist()[-1:] == [-1]
    assert whole.targets[:4].tolist() == [1, 0, 1, 0]
    assert {name: len(split) for name, split in splits.items()} == {"train": 18, "val": 2, "test": 1}
    assert "train 18, val 2, test 1 texts of at most 6 tokens, in 2 classes: ham, spam" in store.remarks[-1]


@pytest.mark.parametrize(
    ("header", "options"),
    [
        (("text", "label"), {}),
        (("Message", "Category"), {}),
        (("v2", "v1"), {}),  # found by their content
        (("a", "b"), {"text": "a", "label": "b"}),
    ],
)
def test_columns_are_found_or_named(header: tuple[str, str], options: dict[str, str], tmp_path: Path) -> None:
    store, _ = opened(tmp_path, file=str(write_table(tmp_path / "mails.csv", header=header)), **options)
    assert store.spec.labels == ("ham", "spam")
    assert any(f"texts in column {header[0]!r}, labels in column {header[1]!r}" in line for line in store.remarks)


def test_a_table_without_a_header_and_with_tabs_is_read(tmp_path: Path) -> None:
    path = tmp_path / "SMSSpamCollection"
    path.write_text("".join(f"{label}\t{text} {place}\n" for place in range(5) for text, label in TEXTS))
    store, splits = opened(tmp_path, file=str(path))
    assert store.spec.labels == ("ham", "spam")
    assert sum(map(len, splits.values())) == 20


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Training", "test_set"), (".", None)])
def test_folders_of_files_are_read_in_any_encoding(train: str, test: str | None, encoding: str, tmp_path: Path) -> None:
    write_folders(tmp_path / train, encoding=encoding)
    (tmp_path / train / "ham" / ".DS_Store").write_bytes(b"\0\1")
    if test:
        write_folders(tmp_path / test, 2, encoding)
    store, splits = opened(tmp_path)
    assert store.spec.labels == ("ham", "spam")
    assert text_of(store, store.stored["train"].inputs[0]) == "bis später, schöne grüße 0"
    assert len(splits["test"]) == (4 if test else 2)


def test_a_word_is_the_same_token_with_and_without_a_space_before_it(tmp_path: Path) -> None:
    write_table(tmp_path / "train.csv")
    write_table(tmp_path / "test.csv", [("noon (lunch) free", "ham")])
    store, splits = opened(tmp_path, length=6)
    words = [token.strip() for token in store.spec.vocabulary]
    assert len(set(words)) == len(words)
    free, lunch, noon = (words.index(word) for word in ("free", "lunch", "noon"))
    assert store.spec.vocabulary[free] == "free"  # the more frequent form
    assert store.stored["train"].inputs[0].tolist()[::3][:2] == [free, free]  # "free money, free!"
    assert splits["test"].inputs[0].tolist() == [noon, 0, lunch, 0, free, -1]


def test_the_vocabulary_has_no_token_of_the_texts_for_testing(tmp_path: Path) -> None:
    rows = [(f"common word{place}", "ab"[place % 2]) for place in range(20)]
    store, splits = opened(tmp_path, file=str(write_table(tmp_path / "table.csv", rows)))
    rare = splits["test"].own_inputs[:, 1]
    assert rare.tolist() == [0] * 4
    assert len(store.spec.vocabulary) == 2 + 16


def test_case_and_unit_are_options(tmp_path: Path) -> None:
    path = str(write_table(tmp_path / "t.csv"))
    store, _ = opened(tmp_path, file=path, lowercase=False, unit="characters", length=5)
    assert text_of(store, store.stored["train"].inputs[0]) == "Free "
    assert any("20 of 20 texts are cut after 5 characters" in line for line in store.remarks)


def test_a_store_is_opened_again_with_its_vocabulary(tmp_path: Path) -> None:
    path = str(write_table(tmp_path / "t.csv"))
    first, _ = opened(tmp_path, file=path)
    again, _ = opened(tmp_path, file=path)
    other, _ = opened(tmp_path, file=path, split_seed=1)
    assert again.spec == first.spec
    assert other.spec.vocabulary


def test_other_texts_get_the_tokens_and_classes_of_a_run(tmp_path: Path) -> None:
    store, _ = opened(tmp_path, file=str(write_table(tmp_path / "t.csv")))
    other = TextClasses(
        str(tmp_path), file=str(write_table(tmp_path / "o.csv", [("new money", "spam"), ("noon", "ham")]))
    )
    found = other.read_all(store.spec)
    assert found.targets.tolist() == [1, 0]
    assert store.spec.vocabulary[found.inputs[0, 1]] == " money"
    unknown = TextClasses(str(tmp_path), file=str(write_table(tmp_path / "u.csv", [("a", "Spam"), ("b", "ham")])))
    with pytest.raises(ValueError, match=r"Spam is unknown; 'Spam' and 'spam' differ only in case"):
        unknown.read_all(store.spec)


def test_another_vocabulary_is_renumbered(tmp_path: Path) -> None:
    one, _ = opened(tmp_path, file=str(write_table(tmp_path / "a.csv")), length=6)
    two, splits = opened(
        tmp_path, file=str(write_table(tmp_path / "b.csv", list(reversed(TEXTS * 5 + TEXTS)))), length=6
    )
    whole = two.stored["train"]
    found = relabelled(whole, two.spec, one.spec)
    assert text_of(one, found.inputs[3]) == text_of(two, whole.inputs[3])
    assert torch.equal(found.inputs < 0, whole.inputs < 0)
    assert splits


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([("a", "x"), ("b", "x")], {}, "it has 1 class of texts, not two or more"),
        ([*TEXTS, ("late", "")], {}, r"line 6.*no label in column 'label'"),
        (TEXTS, {"label": "labl", "header": True}, r"data.label=labl: unknown column of .*, did you mean 'label'\?"),
        (TEXTS, {"length": 0}, "data.length=0: must be at least 1"),
        (TEXTS, {"unit": "word"}, r"data.unit=word: unknown unit, did you mean 'words'\?"),
    ],
)
def test_a_mistake_is_named(rows: list[tuple[str, str]], options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        opened(tmp_path, file=str(write_table(tmp_path / "t.csv", rows)), **options)


def test_folders_that_are_not_understood_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"this folder does not exist.*data.dir="):
        opened(tmp_path / "gone")
    with pytest.raises(ValueError, match=r"neither a table train\.csv nor folders of texts"):
        opened(tmp_path)
    write_folders(tmp_path / "train")
    write_folders(tmp_path / "test")
    (tmp_path / "test" / "spam").rename(tmp_path / "test" / "Spam")
    with pytest.raises(
        ValueError, match=r"class 'Spam' is in test, but not in train; 'Spam' and 'spam' differ only in"
    ):
        opened(tmp_path)


def test_the_generated_texts_are_balanced(tmp_path: Path) -> None:
    write_labelled_texts(tmp_path)
    store, _ = opened(tmp_path)
    assert np.bincount(store.stored["train"].targets.numpy()).tolist() == [30, 30]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "reviw"}, r"data.text=reviw: unknown column of .*, did you mean 'review'\?"),
        ({"label": "sentimen"}, r"data.label=sentimen: unknown column of .*, did you mean 'sentiment'\?"),
        ({"text": "reviw", "label": "sentiment"}, r"data.text=reviw: unknown column of .*, did you mean 'review'\?"),
        ({"text": "zzz"}, r"data.text=zzz: unknown column of .*; known: review, sentiment"),
        ({"text": "reviw", "header": False}, r"data.text=reviw: unknown column of .*; known: column_1, column_2"),
    ],
)
def test_a_misspelt_column_is_compared_with_the_names_in_the_file(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    rows = [(f"{text} {place}", label) for place in range(3) for text, label in TEXTS]
    path = write_table(tmp_path / "t.csv", rows, ("review", "sentiment"))
    with pytest.raises(ValueError, match=message):
        opened(tmp_path, file=str(path), **options)


def test_columns_of_a_file_without_names_are_named_by_their_positions(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", TEXTS * 5, TEXTS[0])
    store, _ = opened(tmp_path, file=str(path), text="column_1", label="column_2")
    assert store.spec.labels == ("ham", "spam")
    assert len(store.stored["train"].targets) == 21


def test_an_image_among_the_files_is_refused(tmp_path: Path) -> None:
    write_folders(tmp_path)
    (tmp_path / "ham" / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe1\xe2\xe3")
    with pytest.raises(ValueError, match=r"photo\.jpg: cannot read \(it is binary: a JPEG image\)\. To fix: "):
        opened(tmp_path)
