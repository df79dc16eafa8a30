"""Every kind of data shows how it was understood, without any training."""

from pathlib import Path

import pytest

from firstlight.config import CONFIG_DIR, RunConfig
from firstlight.runs.preview import preview
from helpers.generate import write_all, write_classes


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def printed_for(capsys: pytest.CaptureFixture[str], *words: str, samples: int = 2) -> list[str]:
    preview(RunConfig.from_overrides(*words), "sheet.png", samples=samples, versions=1)
    return capsys.readouterr().out.splitlines()


@pytest.fixture(scope="module")
def all_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("all")
    write_all(folder)
    return folder


HAVE_TESTS = {"dataset", "huggingface", "mask_folder", "detection_folder", "multilabel", "cartpole"}  # in tests/data


@pytest.mark.parametrize("name", sorted({p.stem for p in (CONFIG_DIR / "data").glob("[!_]*.yaml")} - HAVE_TESTS))
def test_every_data_set_has_a_preview_that_says_how_it_was_understood(
    name: str, data: Path, all_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed_for(capsys, f"data={name}", f"data.dir={all_data}")
    assert any(line.startswith("train ") and ", val " in line and ", test " in line for line in lines[:10])
    is_shown = "first rows" in "".join(lines) or "numbers  " in "".join(lines)
    assert is_shown or sorted(path.name for path in Path.cwd().iterdir()) == ["data", "sheet.png"]


def test_a_folder_shows_the_sizes_of_its_splits_and_its_classes(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_classes(data, 10, classes=("cat", "dog", "eel"))
    lines = printed_for(capsys, "data=folder", f"data.dir={data}")
    assert "train 22, val 2, test 6, in 3 classes: cat, dog, eel" in lines
    assert lines[-1] == f"samples on the left, augmented versions to the right: {Path.cwd() / 'sheet.png'}"


def test_a_text_shows_sentence_tokens_numbers_and_back(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "t.txt").write_bytes(b"a b c\r\n" * 300 + b"rare\r\n" + b"a b c\r\n" * 300)
    words = ["data=text", "data.unit=words", "data.file=t.txt", f"data.dir={data}", "data.length=2000"]
    words += ["data.max_vocabulary=5", "data.val_fraction=0.1", "data.test_fraction=0.1"]
    with pytest.raises(ValueError, match=r"data\.length=2000: must be less than"):
        printed_for(capsys, *words)
    remark, size, *lines = printed_for(capsys, *words, "data.length=200", samples=99)
    assert remark == "t.txt: 601 line ends of other systems (such as CR LF) read as LF"
    assert size == "train 9, val 1, test 1 windows of 200 tokens; 5 tokens are known"
    blocks = [lines[start : start + 5] for start in range(0, len(lines), 5)]
    assert len(blocks) == 9
    for _, text, tokens, numbers, back in blocks:
        assert [line[:11].strip() for line in (text, tokens, numbers, back)] == [
            "text",
            "tokens",
            "numbers",
            "and back",
        ]
        assert text[11:].replace("rare", "<unk>") == back[11:]
        assert tokens.endswith("… (200 in all)")
    (rare,) = [block for block in blocks if "rare" in block[1]]
    assert "'\\n'" in rare[2]
    assert "rare" not in rare[4]


@pytest.mark.parametrize("classes", [False, True])
def test_a_table_shows_its_rows_as_in_the_file_and_as_the_network_sees_them(
    classes: bool, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{number}.50,{10 * number},{'high' if number > 20 else 'low'}" for number in range(40)]
    (data / "t.csv").write_text("\n".join(["size,weight,level", *rows]) + "\n")
    words = ["data=table", "data.file=t.csv", f"data.dir={data}", "model=linear"]
    words += ["data.classes=true", "task=classification"] if classes else ["data.target=weight"]
    lines = printed_for(capsys, *words, samples=3)
    what = "in 2 classes: high, low" if classes else "to predict weight"
    assert any(line.startswith("train ") and what in line for line in lines)
    start = lines.index("first rows")
    assert [line.split() for line in lines[start + 1 : start + 4]] == [
        ["size", "weight", "level"],
        ["0.50", "0", "low"],
        ["1.50", "10", "low"],
    ]
    start = lines.index("the same rows as the network sees them")
    seen = [line.split() for line in lines[start + 2 :]]
    assert [row[-1] for row in seen] == (["low"] * 3 if classes else ["0", "10", "20"])
    first = [float(row[0]) for row in seen]
    assert first[1] - first[0] == pytest.approx(first[2] - first[1], abs=2e-3)  # standardised
    assert -2.5 < first[0] < -1


def test_a_wide_table_fits_on_the_screen(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = ",".join(f"a_column_with_a_long_name_{number}" for number in range(40))
    (data / "t.csv").write_text("\n".join([header, *(",".join(map(str, range(n, n + 40))) for n in range(20))]) + "\n")
    lines = printed_for(capsys, "data=table", "data.file=t.csv", f"data.dir={data}")
    assert all(len(line) < 200 for line in lines)
    assert sum("…" in line for line in lines) >= 6
