"""Files that a classifier of texts predicts: tables, folders, whole files and lines."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from firstlight import load_run
from firstlight.config.compose import compose
from firstlight.runs.evaluate import evaluate
from firstlight.runs.explain.explainer import explain
from firstlight.runs.load import load_task
from firstlight.runs.predict import predict
from firstlight.runs.run_folder import RunFolder
from firstlight.runs.serve.inputs import read_texts
from firstlight.runs.serve.limits import Limits
from firstlight.training.run import train
from helpers.generate import write_labelled_texts

WORDS = ("data=text_classes", "data.batch_size=8", "trainer.accelerator=cpu", "optimizer.lr=3e-2", "figures=false")
# Mails as people write them: with commas, quotes and line breaks.
MAILS = [
    ('Free prize,\n"click" winner', "spam"),
    ("thanks for the report,\n\nmeeting at noon", "ham"),
    ("click, winner", "spam"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    write_labelled_texts(folder)
    return folder


def trained(run: Path, *words: str) -> Path:
    train(compose(*WORDS, "trainer.max_epochs=4", "logger=none", *words), run_dir=run)
    return run


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run on a table whose columns the config names."""
    path = tmp_path_factory.mktemp("runs") / "table"
    table = folder / "mails.csv"
    rows = read(folder / "train.csv")[1:]
    write(table, [("id", "mail", "kind"), *((str(place), *row) for place, row in enumerate(rows))])
    return trained(path, f"data.file={table}", "data.text=mail", "data.label=kind")


@pytest.fixture(scope="module")
def plain_run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run on tables whose columns were found."""
    return trained(tmp_path_factory.mktemp("runs") / "plain", f"data.dir={folder}")


@pytest.fixture(scope="module")
def files_run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run on a folder of files for each class."""
    files = tmp_path_factory.mktemp("files")
    for place, (text, label) in enumerate(read(folder / "train.csv")[1:]):
        (files / label).mkdir(exist_ok=True)
        (files / label / f"{place}.txt").write_text(text)
    return trained(tmp_path_factory.mktemp("runs") / "files", f"data.dir={files}")


def read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def write(path: Path, rows: list[Any], delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def test_each_record_of_a_table_is_a_text_as_in_an_evaluation(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(f"a much longer note on mail {place}, not of interest here", *mail) for place, mail in enumerate(MAILS)]
    table = write(tmp_path / "test.csv", [("note", "mail", "kind"), *rows])
    found = predict(run, table, tmp_path / "out.csv")
    assert "test.csv: separated by comma; texts in column 'mail'" in capsys.readouterr().out
    names, *rest = read(tmp_path / "out.csv")
    written = [dict(zip(names, row, strict=True)) for row in rest]
    assert [row["text"] for row in written] == [text for text, _ in MAILS]
    assert [row["row"] for row in written] == ["1", "2", "3"]
    accuracy = sum(row["label"] == kind for row, (_, kind) in zip(found, MAILS, strict=True)) / 3
    assert evaluate(run, input=table, figures=False)["other/accuracy"] == pytest.approx(accuracy)
    alone = [predict(run, text, tmp_path / "one.csv")[0]["probability"] for text, _ in MAILS]
    assert [row["probability"] for row in found] == pytest.approx(alone)
    assert load_run(run).predict(table) == found
    assert explain(run, table, tmp_path / "why.png").is_file()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_tables_of_several_kinds_are_read_without_labels(suffix: str, plain_run: Path, tmp_path: Path) -> None:
    import polars as pl

    table = tmp_path / f"test{suffix}"
    texts = [text.replace("\n", " ") for text, _ in MAILS]
    frame = pl.DataFrame({"number": [7, 8, 9], "v2": texts})
    if suffix == ".parquet":
        frame.write_parquet(table)
    else:
        write(table, [frame.columns, *frame.rows()], "\t" if suffix == ".tsv" else ",")
    found = predict(plain_run, table, tmp_path / "out.csv")
    assert [(row["row"], row["text"], row["label"]) for row in found] == [
        (1, texts[0], "spam"),
        (2, texts[1], "ham"),
        (3, texts[2], "spam"),
    ]


def test_a_table_of_texts_alone_and_one_without_a_header_are_read(plain_run: Path, tmp_path: Path) -> None:
    texts = [text for text, _ in MAILS]
    alone = write(tmp_path / "alone.csv", [["message"], *([text] for text in texts)])
    assert [row["text"] for row in predict(plain_run, alone, tmp_path / "out.csv")] == texts
    headless = write(tmp_path / "headless.csv", MAILS)
    assert [row["text"] for row in predict(plain_run, headless, tmp_path / "out.csv")] == texts


def test_empty_cells_and_rows_of_a_wrong_length_have_no_prediction(plain_run: Path, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("text,id\nfree prize,1\n ,2\nthanks, for the report,3\nmeeting at noon,4\n,\nwinner,6\nnoon,7\n")
    found = predict(plain_run, table, tmp_path / "out.csv")
    assert [row["row"] for row in found] == [1, 2, 3, 4, 6, 7]  # row 5 has nothing at all
    assert [row["label"] for row in found] == ["spam", "", "", "ham", "spam", "ham"]
    assert found[1]["warning"] == "no prediction: the text is empty"
    assert found[2]["warning"] == "no prediction: 3 values, not 2"


def test_a_table_without_the_column_is_refused(run: Path, plain_run: Path, tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", [("id", "mails"), ("1", "free prize"), ("2", "at noon")])
    missing = (
        r"t\.csv: cannot read \(column 'mail', from which the run read its texts, is missing, did you mean 'mails'"
    )
    with pytest.raises(ValueError, match=missing):
        predict(run, table, tmp_path / "out.csv")
    numbers = write(tmp_path / "n.csv", [("a", "b"), (1, 2), (3, 4)])
    with pytest.raises(ValueError, match=r"n\.csv: cannot read \(it has no column of texts, but a, b\)\. To fix"):
        predict(plain_run, numbers, tmp_path / "out.csv")


def test_an_empty_line_has_no_prediction(plain_run: Path, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("free prize\n\n \t\nmeeting at noon\n")
    found = predict(plain_run, lines, tmp_path / "out.csv", batch_size=2)
    assert [row["label"] for row in found] == ["spam", "", "", "ham"]
    assert [row["line"] for row in found] == [1, 2, 3, 4]
    assert [row["warning"] for row in found][1:3] == ["no prediction: the text is empty"] * 2
    lines.write_text("\n\n")
    with pytest.raises(ValueError, match="must contain a text that can be read; none of its 2 can"):
        predict(plain_run, lines, tmp_path / "out.csv")


def test_a_file_is_one_text_for_a_run_on_files(files_run: Path, plain_run: Path, tmp_path: Path) -> None:
    mail = tmp_path / "mail.txt"
    mail.write_text("free prize\n\nclick winner\n")
    (row,) = predict(files_run, mail, tmp_path / "out.csv")
    assert (row["path"], row["label"]) == (str(mail), "spam")
    (whole,) = predict(files_run, mail.read_text(), tmp_path / "out.csv")
    assert row["probability"] == whole["probability"]
    assert len(predict(plain_run, mail, tmp_path / "out.csv")) == 3
    assert explain(files_run, mail, tmp_path / "why.png").is_file()


def test_a_file_has_lines_if_the_data_of_the_run_is_gone(files_run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in files_run.rglob("*"):
        if path.is_file():
            (moved / path.relative_to(files_run)).parent.mkdir(parents=True, exist_ok=True)
            (moved / path.relative_to(files_run)).write_bytes(path.read_bytes())
    config = moved / "config.yaml"
    (line,) = (line for line in config.read_text().splitlines() if line.startswith("  dir: "))
    config.write_text(config.read_text().replace(line, f"  dir: {json.dumps(str(tmp_path / 'gone'))}"))
    mail = tmp_path / "mail.txt"
    mail.write_text("free prize\nclick winner\n")
    assert [row["line"] for row in predict(moved, mail, tmp_path / "out.csv")] == [1, 2]


def test_a_folder_is_all_its_text_files(files_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mails = tmp_path / "mails"
    (mails / "more").mkdir(parents=True)
    (mails / "a.txt").write_text("free prize\nwinner")
    (mails / "more" / "b.txt").write_bytes("thanks for the réport, meeting at noon".encode("cp1252"))
    (mails / "c.txt").write_text("\n")
    (mails / "d.txt").write_bytes(b"\xff\xd8\xff\xe1\xe2\xe3")
    (mails / ".hidden").write_text("free prize")
    found = predict(files_run, mails, tmp_path / "out.csv")
    assert [(Path(row["path"]).name, row["label"]) for row in found] == [
        ("a.txt", "spam"),
        ("c.txt", ""),
        ("b.txt", "ham"),
    ]
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("left out: ") and "d.txt" in line and "a JPEG image" in line for line in lines)
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match=r"input=.*none: must contain a text that can be read"):
        predict(files_run, tmp_path / "none", tmp_path / "out.csv")


def test_a_word_is_known_with_and_without_a_space_before_it(run: Path, tmp_path: Path) -> None:
    word = next(
        token for token in load_task(run).spec.tokens if token.startswith(" ") and token.strip().isalpha()
    ).strip()
    path = tmp_path / "new.txt"
    path.write_text(f"{word} ({word}) {word}\n zyzzyx")
    known, unknown = predict(run, path, tmp_path / "found.csv")
    assert word not in known["warning"]
    assert unknown["warning"] == "unknown: 1 of 1 tokens, such as 'zyzzyx'"


def test_a_server_names_an_empty_text_too(plain_run: Path) -> None:
    samples = read_texts(["free prize", " ", ""], RunFolder.open(plain_run).spec(), Limits())
    assert [sample.problem for sample in samples] == ["", "the text is empty", "must have at least one character."]


def test_a_table_is_not_read_beyond_the_bound_of_the_run(folder: Path, tmp_path: Path) -> None:
    run = trained(tmp_path / "run", f"data.dir={folder}", "data.max_gigabytes=1e-5")
    table = write(tmp_path / "t.csv", [["text"], *[["free prize " * 100]] * 20])
    with pytest.raises(ValueError, match=r"t\.csv: cannot read \(0\.0 GB, more than 1e-05\)\. To fix: use fewer rows"):
        predict(run, table, tmp_path / "out.csv")
