import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFont
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from firstlight.config import RunConfig
from firstlight.runs.preview import _caption, augmentation_sheet, preview
from firstlight.tasks.build import build_source, build_task

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def config(*words: str) -> dict[str, Any]:
    return RunConfig.from_overrides(*words)


def sheet_of(*words: str, samples: int = 2, versions: int = 3) -> np.ndarray:
    plain = config(*words)
    store, splits = build_source(plain).splits(plain.seed)
    task = build_task(plain, store.spec)
    return np.asarray(augmentation_sheet(task, splits["train"], plain.seed, samples, versions))


def tiles(sheet: np.ndarray, columns: int) -> np.ndarray:
    """(rows, columns, 64, 64) of digits, without captions."""
    height = (len(sheet) - 4) // 2
    return np.stack(
        [
            np.stack([sheet[4 + row * height :][:64, 4 + column * 68 :][:, :64, 0] for column in range(columns)])
            for row in range(2)
        ]
    )


def test_each_row_is_an_original_of_the_training_split_and_its_versions() -> None:
    found = tiles(sheet_of("model=linear", "+augment.flip.p=1.0"), columns=4)
    _, splits = build_source(config()).splits(1)
    images = splits["train"].take(torch.arange(len(splits["train"])))[0][:, 0].numpy()
    for original, *versions in found:
        assert (np.abs(images.astype(int) - original[::8, ::8]).max((1, 2)) <= 1).any()
        assert np.abs(np.stack(versions).astype(int) - original[:, ::-1]).max() <= 1
    assert not np.array_equal(found[0, 0], found[1, 0])


def test_versions_differ_from_each_other_and_follow_from_the_seed() -> None:
    sheet = sheet_of("model=linear", "augment=light")
    first = tiles(sheet, columns=4)[0]
    assert all(not np.array_equal(first[i], first[j]) for i in range(4) for j in range(i))
    assert np.array_equal(sheet, sheet_of("model=linear", "augment=light"))
    assert not np.array_equal(sheet, sheet_of("model=linear", "augment=light", "seed=2"))


def test_a_caption_tells_the_class_or_the_shares_of_a_mixture() -> None:
    labels = ("cat", "dog", "eel")
    assert _caption(torch.tensor(1), labels) == "dog"
    assert _caption(torch.tensor([0.3, 0.0, 0.7]), labels) == "eel 70%\ncat 30%"
    assert _caption(torch.tensor([0.0, 1.0, 0.0]), labels) == "dog 100%"
    assert _caption(torch.tensor([2.5]), ("price",)) == "2.5"


def test_rows_of_mixed_images_are_wide_enough_for_their_captions() -> None:
    labels = tuple(f"a digit that is a {number}" for number in range(10))
    plain = config("model=linear", "+augment.mixup.alpha=1")
    store, splits = build_source(plain).splits(1)
    task = build_task(plain, replace(store.spec, labels=labels))
    sheet = augmentation_sheet(task, splits["train"], 1, samples=1, versions=1)
    assert sheet.width > 2 * ImageFont.load_default().getlength("a digit that is a 7 55%")


def test_the_command_writes_an_image(script: Script, tmp_path: Path) -> None:
    done = script("preview", "augment=moderate", "preview.output=images/course.png", "preview.samples=3")
    assert (done.returncode, done.stderr) == (0, "")
    assert "images/course.png" in done.stdout
    with Image.open(tmp_path / "images" / "course.png") as image:
        assert image.size[0] == 8 * 68 + 4
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_a_text_is_printed_beside_what_becomes_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "letters.txt").write_text("abcdefghij" * 100)
    words = ("data=text", f"data.file={tmp_path / 'letters.txt'}", "data.length=20", "+augment.replace_tokens.rate=0.5")
    preview(config(*words), "preview.png", samples=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:9].strip() for line in lines] == ["original", "augmented", "", "original", "augmented"]
    original, augmented = (line[11:].strip("'") for line in lines[:2])
    assert original in "abcdefghij" * 3
    assert len(augmented) == len(original) == 20
    assert augmented != original
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letters.txt"]


@pytest.mark.parametrize(
    ("words", "options", "told"),
    [
        (["data=diabetes"], {}, "there is nothing to look at in numbers"),
        ([], {"samples": 0}, "preview.samples=0 preview.versions=7: one or more of each"),
        (
            ["+augment.mixup.p=2"],
            {"output": "sheet.pdf"},
            "preview.output=sheet.pdf: images are written as .png, .jpg",
        ),
        (["augment.padding=mirrror"], {}, "augment.padding=mirrror: .*'mirror'"),
    ],
)
def test_mistakes_are_told(words: list[str], options: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told):
        preview(config(*words), **({"output": str(tmp_path / "preview.png")} | options))
    assert not (tmp_path / "preview.png").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"preview\.output=.*file/preview.png: cannot be written"):
        preview(config(), str(tmp_path / "file" / "preview.png"))


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        ("preview.samples=many", "preview.samples=many: preview takes a whole number"),
        ("optimizer.lr=fast", "optimizer.lr=fast: AdamW takes a number"),
        ("preview.sampels=3", "preview.sampels: unknown key, did you mean 'preview.samples'?"),
    ],
)
def test_mistakes_in_the_config_are_told_before_anything_is_done(mistake: str, told: str, script: Script) -> None:
    done = script("preview", mistake)
    assert done.returncode == 1
    assert done.stderr.startswith(told)


def test_a_run_shows_its_augmentation_in_tensorboard(trained_run: Path) -> None:
    events = EventAccumulator(str(trained_run))
    events.Reload()
    (image,) = events.Images("augmentation")
    assert (image.step, image.width) == (0, 8 * 68 + 4)
