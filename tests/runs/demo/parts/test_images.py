import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from firstlight.runs.demo.parts.images import ImageAnswers, can_draw
from firstlight.runs.demo.sketch_pad import sketch_of
from firstlight.runs.demo.subject import Subject
from helpers.generate import png_header, write_classes

DIGITS = ("data=digits", "model=lenet", "trainer.max_epochs=2")


def as_sketch(pad: np.ndarray) -> str:
    content = io.BytesIO()
    Image.fromarray(pad).save(content, "png")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def save(path: Path, pixels: np.ndarray) -> str:
    Image.fromarray(pixels).save(path)
    return str(path)


def test_a_drawn_seven_is_answered_and_the_inversion_is_named(
    subject: Callable[..., Subject], seven: Callable[..., np.ndarray]
) -> None:
    answers = ImageAnswers(subject(*DIGITS))
    bars, seen, heat, note = answers.of_drawing(as_sketch(seven()))
    assert max(bars, key=bars.get) == "7"
    assert len(bars) == 5
    assert list(bars.values()) == sorted(bars.values(), reverse=True)
    assert "**Inverted.** The network learned light on dark" in note
    assert np.asarray(seen)[0, 0] == 0  # the ground is dark, as in training
    assert np.asarray(heat).shape == (*np.asarray(seen).shape, 3)


def test_an_upload_is_answered_as_predict_answers_it(subject: Callable[..., Subject], tmp_path: Path) -> None:
    loaded = subject(*DIGITS)
    answers, raw = ImageAnswers(loaded), loaded.examples.raw[3:4]
    bars, _, _, note = answers.of_file(save(tmp_path / "digit.png", raw[0, 0]))
    row = loaded.task.predict_rows(torch.from_numpy(raw))[0]
    assert bars == {
        entry.rpartition("=")[0]: float(entry.rpartition("=")[2]) for key, entry in row.items() if "top_" in key
    }
    assert "Inverted" not in note


def test_nothing_is_answered_by_nothing(subject: Callable[..., Subject]) -> None:
    answers = ImageAnswers(subject(*DIGITS))
    assert answers.of_file(None) == answers.of_drawing("") == answers.of_drawing(None) == (None, None, None, "")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("bomb.png", png_header(100_000, 100_000, 0), "decompression bomb"),
        ("large.png", png_header(200, 100, 0), "exceeds limit of 10000 pixels"),
        ("image.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image of a known format"),
        ("text.png", b"words", "not an image of a known format"),
        ("empty.png", b"", "not an image of a known format"),
        ("half.png", png_header(20, 20, 2), "cannot read"),
    ],
)
def test_a_file_that_is_no_image_gets_a_sentence_and_no_answer(
    name: str, content: bytes, why: str, subject: Callable[..., Subject], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    *nothing, note = ImageAnswers(subject(*DIGITS)).of_file(str(path))
    assert nothing == [None, None, None]
    assert note.startswith(f"**Not read.** {name}: cannot read (")
    assert why in note
    assert "To fix" not in note
    assert str(tmp_path) not in note
    assert "BytesIO" not in note


@pytest.mark.parametrize("sent", ["no PNG", as_sketch(np.zeros((400, 400), np.uint8)), "data:image/png;base64,AAAA"])
def test_what_no_sketch_pad_sends_is_refused(sent: str) -> None:
    with pytest.raises(ValueError, match=r"cannot (be )?read"):
        sketch_of(sent)


def test_only_small_grey_images_of_one_ground_can_be_drawn(subject: Callable[..., Subject], tmp_path: Path) -> None:
    write_classes(tmp_path / "photos" / "train", 8)
    write_classes(tmp_path / "photos" / "test", 2)
    photos = subject("data=folder", f"data.dir={tmp_path / 'photos'}", "data.image_size=16", "model=linear")
    answers = ImageAnswers(photos)
    assert can_draw(subject(*DIGITS).task.spec)
    assert answers.frame is None
    bars, seen, second, _ = answers.of_file(str(tmp_path / "photos" / "test" / "dog" / "00.jpg"))
    assert set(bars) == {"cat", "dog"}
    assert sum(bars.values()) == pytest.approx(1, abs=1e-5)
    assert seen.size == (288, 288)
    assert second is None  # a linear network has no feature maps
    assert not answers.has_second


def test_an_autoencoder_shows_its_reconstruction(
    subject: Callable[..., Subject], seven: Callable[..., np.ndarray]
) -> None:
    loaded = subject("data=digits", "model=autoencoder")
    answer, seen, second, _ = ImageAnswers(loaded).of_drawing(as_sketch(seven()))
    pixels = [np.asarray(image.resize((8, 8), 0)) / 255 for image in (seen, second)]
    assert answer == f"mse {float(answer.split()[1]):.6f}"
    assert float(answer.split()[1]) == pytest.approx(((pixels[0] - pixels[1]) ** 2).mean(), abs=0.01)
