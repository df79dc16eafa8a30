from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFont
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from firstlight.config import RunConfig
from firstlight.data.images.overlay import colour_of
from firstlight.runs.preview import _caption, _captions, _choose, augmentation_sheet, build_shown, preview, steps_sheet
from firstlight.spec import NO_OBJECT, DataSpec
from firstlight.tasks.build import build_source, build_task
from firstlight.training.run import train


def sheet_of(*words: str, samples: int = 2, versions: int = 3) -> np.ndarray:
    """Return the image of a preview as an array (height, width, 3)."""
    config = RunConfig.from_overrides(*words)
    store, splits = build_source(config).splits(config.seed)
    task = build_task(config, store.spec)
    return np.asarray(augmentation_sheet(task, splits["train"], config.seed, samples, versions))


def tiles(sheet: np.ndarray, columns: int) -> np.ndarray:
    """Return the images of digits on a sheet, (2, columns, 64, 64), without captions."""
    height = (len(sheet) - 4) // 2
    return np.stack(
        [
            np.stack([sheet[4 + row * height :][:64, 4 + column * 68 :][:, :64, 0] for column in range(columns)])
            for row in range(2)
        ]
    )


def test_each_row_shows_a_training_sample_and_its_augmented_versions() -> None:
    found = tiles(sheet_of("model=linear", "+augment.flip.p=1.0"), columns=4)
    _, splits = build_source(RunConfig.from_overrides()).splits(1)
    images = splits["train"].take(torch.arange(len(splits["train"])))[0][:, 0].numpy()
    for original, *versions in found:
        assert (np.abs(images.astype(int) - original[::8, ::8]).max((1, 2)) <= 1).any()
        assert np.abs(np.stack(versions).astype(int) - original[:, ::-1]).max() <= 1
    assert not np.array_equal(found[0, 0], found[1, 0])


def test_the_versions_differ_from_each_other_and_depend_on_the_seed() -> None:
    sheet = sheet_of("model=linear", "augment=light")
    first = tiles(sheet, columns=4)[0]
    assert all(not np.array_equal(first[i], first[j]) for i in range(4) for j in range(i))
    assert np.array_equal(sheet, sheet_of("model=linear", "augment=light"))
    assert not np.array_equal(sheet, sheet_of("model=linear", "augment=light", "seed=2"))


def test_a_caption_is_a_class_or_the_classes_of_a_mixture_with_their_fractions_or_a_number() -> None:
    labels = ("cat", "dog", "eel")
    assert _caption(torch.tensor(1), labels) == "dog"
    assert _caption(torch.tensor([0.3, 0.0, 0.7]), labels) == "eel 70%\ncat 30%"
    assert _caption(torch.tensor([0.0, 1.0, 0.0]), labels) == "dog 100%"
    assert _caption(torch.tensor([2.5]), ("price",)) == "2.5"


def test_rows_of_mixed_images_are_wide_enough_for_their_captions() -> None:
    labels = tuple(f"a digit that is a {number}" for number in range(10))
    config = RunConfig.from_overrides("model=linear", "+augment.mixup.alpha=1")
    store, splits = build_source(config).splits(1)
    task = build_task(config, replace(store.spec, labels=labels))
    sheet = augmentation_sheet(task, splits["train"], 1, samples=1, versions=1)
    assert sheet.width > 2 * ImageFont.load_default().getlength("a digit that is a 7 55%")


def test_texts_are_printed_with_their_augmented_versions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "letters.txt").write_text("abcdefghij" * 100)
    words = ("data=text", f"data.file={tmp_path / 'letters.txt'}", "data.length=20", "+augment.replace_tokens.rate=0.5")
    preview(RunConfig.from_overrides(*words), "preview.png", samples=2)
    summary, *lines = capsys.readouterr().out.splitlines()
    assert summary.startswith("train 39, val 4, test 4 windows of 20 tokens")
    assert [line[:9].strip() for line in lines] == 2 * ["", "text", "tokens", "numbers", "and back", "augmented"]
    original, augmented = (lines[number][11:].strip("'") for number in (1, 5))
    assert original in "abcdefghij" * 3
    assert len(augmented) == len(original) == 20
    assert augmented != original
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letters.txt"]


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        ([], {"samples": 0}, r"^preview\.samples=0: must be at least 1\.$"),
        ([], {"versions": 0}, r"^preview\.versions=0: must be at least 1\.$"),
        ([], {"output": "sheet.pdf"}, r"^preview\.output=.*sheet\.pdf: must end in one of \.png"),
        (["+augment.mixup.p=2"], {}, r"^augment\.mixup\.p=2: must be at least 0 and at most 1\.$"),
        (["augment.padding=mirrror"], {}, r"^augment\.padding=mirrror: .*did you mean 'mirror'"),
    ],
)
def test_a_mistake_raises_an_error_and_writes_nothing(
    words: list[str], options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        preview(RunConfig.from_overrides(*words), **({"output": "preview.png"} | options))
    assert not list(tmp_path.iterdir())


def test_an_output_that_cannot_be_written_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"^preview\.output=.*file/preview\.png: "):
        preview(RunConfig.from_overrides(), str(tmp_path / "file" / "preview.png"))


def test_training_shows_the_augmentation_in_tensorboard(tmp_path: Path) -> None:
    words = ("model=linear", "augment=light", "trainer.max_epochs=1", "trainer.accelerator=cpu")
    train(RunConfig.from_overrides(*words, "+trainer.limit_train_batches=1"), run_dir=tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    (image,) = events.Images("augmentation")
    assert (image.step, image.width) == (0, 8 * 68 + 4)


def test_each_step_of_the_augmentation_has_a_row_on_the_same_samples() -> None:
    config = RunConfig.from_overrides("model=linear", "+augment.flip.p=1.0", "+augment.vertical_flip.p=1.0")
    store, splits = build_source(config).splits(config.seed)
    raw, targets = splits["train"].take(torch.arange(2))
    sheet = np.asarray(steps_sheet(config, store.spec, raw, targets))[..., 0].astype(int)
    height = (len(sheet) - 4) // 4
    rows = [
        np.stack(
            [sheet[4 + row * height :][:64, 4 + column * ((sheet.shape[1] - 4) // 2) :][:, :64] for column in (0, 1)]
        )
        for row in range(4)
    ]
    original, flip, upside_down, both = rows
    assert np.abs(flip - original[..., ::-1]).max() <= 1
    assert np.abs(upside_down - original[:, ::-1]).max() <= 1
    assert np.abs(both - original[:, ::-1, ::-1]).max() <= 1


def test_masks_and_boxes_are_drawn_where_they_move_whatever_the_task(tmp_path: Path) -> None:
    words = [
        "data=scattered_digits",
        f"data.dir={tmp_path}",
        "data.image_size=64",
        "data.num_train=9",
        "data.num_test=1",
    ]
    words += ["augment.padding=zero", "+augment.flip.p=1.0"]
    sheets = {}
    for target in ("mask", "boxes"):
        config = RunConfig.from_overrides(*words, f"data.target={target}")
        store, splits = build_source(config).splits(config.seed)
        task = build_shown(config, store.spec)
        sheets[target] = np.asarray(augmentation_sheet(task, splits["train"], config.seed, 1, 1)).astype(int)
    original, mirrored = (sheets["mask"][4:68, left : left + 64] for left in (4, 72))
    assert np.abs(mirrored - original[:, ::-1]).max() <= 1
    assert np.ptp(original, axis=2).max() > 100  # digits have colours
    _, targets = splits["train"].take(_choose(splits["train"], config.seed, 1))
    for left, _, right, bottom, digit in targets[0].int().tolist():
        if digit != NO_OBJECT:
            corners = (4 + 3 * left, 4 + 3 * bottom - 1), (4 + 196 + 3 * (64 - right), 4 + 3 * bottom - 1)
            assert all(tuple(sheets["boxes"][y, x]) == colour_of(digit) for x, y in corners)


def test_labels_are_captions() -> None:
    spec = DataSpec((1, 8, 8), 3, ("sea", "sky", "sun"), (0.5,), (0.5,), target_type="labels")
    assert _captions(torch.tensor([[0, 0, 0], [1, 0, 1]], dtype=torch.uint8), spec) == ["", "sea\nsun"]


def test_steps_need_images_and_an_augmentation(tmp_path: Path) -> None:
    for words in (["model=linear"], ["data=iris", "model=mlp"]):
        with pytest.raises(ValueError, match=r"^preview\.steps=true: must be used with images and steps"):
            preview(RunConfig.from_overrides(*words), str(tmp_path / "steps.png"), steps=True)


def test_fixed_kernels_are_shown_with_and_without_a_classifier(tmp_path: Path) -> None:
    for word in ("true", "false"):
        config = RunConfig.from_overrides(
            "model=conv_filters", f"model.classifier={word}", "model.kernels=[identity,sobel_x]", "model.stride=2"
        )
        preview(config, str(tmp_path / f"{word}.png"), samples=2, versions=1)
    shown = np.asarray(Image.open(tmp_path / "true_filtered.png"))
    assert np.array_equal(shown, np.asarray(Image.open(tmp_path / "false_filtered.png")))
    width = (shown.shape[1] - 4) // 3
    image, identity, sobel = (shown[4:68, 4 + column * width :][:, :64, 0].astype(float) for column in range(3))
    scaled = np.repeat(np.repeat(image[::16, ::16], 16, 0), 16, 1)  # a stride of two pixels of the 8x8 digit
    assert np.corrcoef(identity.flatten(), scaled.flatten())[0, 1] > 0.99
    assert sobel.std() > 10
    assert not np.array_equal(identity, sobel)
