# ruff: noqa: RUF001
"""Texts as people have them: any common encoding, any line ends, and files that are no texts."""

from pathlib import Path

import numpy as np
import pytest

from firstlight.augment import ReplaceSynonyms
from firstlight.data import Text
from firstlight.files import read_text

GERMAN = "Der Fuchs läuft über die Straße und müht sich. Schöne Grüße aus Köln!\n"
FRENCH = "Où est passé l’élève déçu ? Ça coûte très cher – « vingt euros » – à l’été.\n"
TEXTS = {
    "cp1252": FRENCH,
    "latin-1": GERMAN,
    "mac_roman": GERMAN,
    "cp1250": "Zażółć gęślą jaźń. Wszyscy ludzie rodzą się wolni i równi pod względem swej godności.\n",
    "iso8859_2": "Příliš žluťoučký kůň úpěl ďábelské ódy. Všichni lidé rodí se svobodní.\n",
    "cp1251": "Съешь же ещё этих мягких французских булок, да выпей чаю.\n",
    "koi8_r": "Все люди рождаются свободными и равными в своём достоинстве.\n",
    "cp1253": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια.\n",
    "cp1254": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Şişli'ye ığdır.\n",
    "cp932": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。\n",
    "gb18030": "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心。\n",
    "cp949": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.\n",
}
WITH_MARK = {"utf-8-sig": FRENCH, "utf-16": TEXTS["cp1251"], "utf-32": GERMAN}


@pytest.mark.parametrize("encoding", [*TEXTS, *WITH_MARK, "utf-16-le", "utf-16-be"])
def test_a_text_in_a_common_encoding_is_read_and_the_assumption_is_printed(encoding: str, tmp_path: Path) -> None:
    text = 5 * (TEXTS | WITH_MARK).get(encoding, GERMAN)
    (tmp_path / "text.txt").write_bytes(text.encode(encoding))
    remarks: list[str] = []
    assert read_text(tmp_path / "text.txt", remarks) == text
    if encoding == "utf-8-sig":
        assert remarks == []
    else:
        (remark,) = remarks
        assert remark.startswith(f"text.txt: read as {'cp1252' if encoding == 'latin-1' else encoding}")


def test_text_in_the_words_of_one_line_and_typographic_quotes_are_not_taken_for_chinese(tmp_path: Path) -> None:
    for text in ("für\n", "café", "naïve", "He said \u201chello\u201d \u2013 it\u2019s 5\u20ac\u2026\n" * 20):
        (tmp_path / "text.txt").write_bytes(text.encode("cp1252"))
        assert read_text(tmp_path / "text.txt") == text


@pytest.mark.parametrize(
    "ends", ["\r\n", "\r", "\u2028", "\u2029", "\x85"], ids=["CR LF", "CR", "line", "paragraph", "NEL"]
)
def test_other_line_ends_give_the_same_tokens_and_a_remark(ends: str, tmp_path: Path) -> None:
    text = "One line, ä.\nAnother one.\n\n" * 20
    stores = []
    for name, content in (("lf", text), ("other", text.replace("\n", ends))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text.txt").write_bytes(content.encode())
        stores.append(Text(str(tmp_path / name), file="text.txt", length=8).splits(seed=1)[0])
    assert stores[0].content == stores[1].content
    assert stores[0].spec == stores[1].spec
    assert "\n" in stores[1].spec.labels
    assert not {*ends} - {"\n"} & {*stores[1].spec.labels}
    assert stores[1].remarks[0] == "text.txt: 60 line ends of other systems (such as CR LF) read as LF"
    assert stores[0].remarks == stores[1].remarks[1:]  # the sizes of the splits


def test_the_remarks_of_a_text_are_kept_with_its_store(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes((GERMAN * 20).replace("\n", "\r\n").encode("cp1252"))
    for _ in range(2):
        remarks = Text(str(tmp_path), file="text.txt", length=8).splits(seed=1)[0].remarks
        assert [line.split(":")[0] for line in remarks[:2]] == ["text.txt", "text.txt"]
        assert "read as cp1252" in remarks[0]
        assert remarks[2].startswith("train ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, r"cannot read \(.*(binary|UTF-8)"),
        (np.arange(300, dtype=np.float32).tobytes(), r"cannot read \("),
        (b"words\0and words" * 40, r"it is binary: byte 5 is NUL\). To fix: name a text file"),
        ("für über".encode() * 20 + b" f\xfcr", r"byte 202 is 0xfc, which is not UTF-8"),
        ("größer".encode() * 20 + "ß".encode()[:1], r"byte 160 is 0xc3, which is not UTF-8"),
        (GERMAN.encode("utf-16") + b"x", r"which is not utf-16-le"),
    ],
    ids=["PNG", "numbers", "NUL", "damaged", "cut", "cut UTF-16"],
)
def test_a_file_that_is_no_text_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(ValueError, match=rf"text\.txt: cannot read .*{message.removeprefix('cannot read ')}"):
        Text(str(tmp_path), file="text.txt", length=8).store()


def test_joined_files_with_marks_have_no_tokens_of_marks(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes("\ufeffOne file.\n".encode() * 40)
    store = Text(str(tmp_path), file="text.txt", length=8).store()
    assert "\ufeff" not in store.spec.labels


def test_a_thesaurus_of_windows_is_read(tmp_path: Path) -> None:
    (tmp_path / "synonyms.txt").write_bytes("schön hübsch\r\ngroß riesig\r\n".encode("cp1252"))
    step = ReplaceSynonyms(file=str(tmp_path / "synonyms.txt"))
    step.learn(("<unk>", "schön", "hübsch", "groß"))
    with pytest.raises(ValueError, match="two words"):
        step.learn(("<unk>", "schoen"))
