"""Exported files: equal to the run in a process without firstlight, and refused otherwise."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from firstlight.config import compose
from firstlight.runs.export import export
from firstlight.runs.export.formats import Onnx
from firstlight.runs.predict import predict
from firstlight.training import train
from helpers.runs import REPOSITORY

GUIDE = REPOSITORY / "docs" / "guides" / "export.md"
TRAIN = ["trainer.max_epochs=1", "+trainer.limit_train_batches=2", "trainer.accelerator=cpu"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "digits"
    train(compose("model=cnn", "augment=light", f"run_dir={folder}", *TRAIN))
    return folder


def test_onnx_gives_what_predict_gives(digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = export(digits)
    assert path == digits / "model.onnx"
    assert "images uint8 (batch, height, width, 4) -> probabilities" in capsys.readouterr().out
    found = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert json.loads(found["labels"]) == [str(digit) for digit in range(10)]
    assert "firstlight.networks.CNN" in found["config"]
    assert sum(tensor.size for tensor in load_file(path.with_suffix(".safetensors")).values()) > 1000

    session = onnxruntime.InferenceSession(path)
    random = np.random.default_rng(0)
    for number, (size, mode) in enumerate([((900, 30), "L"), ((31, 57), "RGBA"), ((8, 8), "L"), ((300, 300), "RGB")]):
        bands = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
        pixels = random.integers(0, 256, (size[1], size[0], *bands), dtype=np.uint8)
        if number == 3:
            pixels[:] = 255  # black on white, which predict inverts
            pixels[100:200, 140:160] = 0
        image = tmp_path / f"{number}.png"
        Image.fromarray(pixels, mode).save(image)
        row = predict(digits, image, tmp_path / "rows.csv", accelerator="cpu")[0]
        assert number != 3 or "inverted" in row["warning"]
        answer = session.run(None, {"images": np.array(Image.open(image).convert("RGBA"))[None]})[0][0]
        assert answer.max() == pytest.approx(row["probability"], abs=1e-4)
        assert str(answer.argmax()) == row["label"]
    batch = np.zeros((5, 12, 40, 4), dtype=np.uint8)
    assert session.run(None, {"images": batch})[0].shape == (5, 10)


def test_a_file_with_other_answers_is_refused_and_removed(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(Onnx):
        runner = Onnx.runner + "\nright = answer\nanswer = lambda inputs: [output * 1.01 for output in right(inputs)]"

    monkeypatch.setitem(export.__globals__["FORMATS"], "onnx", Wrong())
    with pytest.raises(ValueError, match=r"model\.onnx: cannot export \(its answers differ by 0\.00"):
        export(digits, output=tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_the_script_of_the_guide_classifies_a_photo(digits: Path, tmp_path: Path) -> None:
    """The script gives the numbers of `predict` for 16 bits, a rotation by EXIF, and a palette with transparency."""
    (tmp_path / "photo.py").write_text(GUIDE.read_text().partition("```python\n")[2].partition("```")[0])
    model = export(digits, output=tmp_path / "model.onnx")
    random = np.random.default_rng(1)
    rotated = Image.Exif()
    rotated[0x0112] = 6
    images: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "deep.png": (Image.fromarray(random.integers(0, 2**16, (20, 31), dtype=np.uint16)), {}),
        "rotated.png": (Image.fromarray(random.integers(0, 256, (20, 31, 3), dtype=np.uint8)), {"exif": rotated}),
        "palette.gif": (Image.fromarray(random.integers(0, 9, (25, 25), dtype=np.uint8), "P"), {"transparency": 3}),
    }
    for name, (image, options) in images.items():
        image.save(tmp_path / name, **options)
        row = predict(digits, tmp_path / name, tmp_path / "rows.csv", accelerator="cpu")[0]
        command = [sys.executable, "-I", "photo.py", str(model), name]
        label, probability = subprocess.check_output(command, cwd=tmp_path, text=True).split()
        assert label == row["label"], name
        assert float(probability) == pytest.approx(row["probability"], abs=1e-4), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "onxn"}, r"format=onxn: unknown format, did you mean 'onnx'\?"),
        ({"output": "model.pt2"}, r"must end in \.onnx with format=onnx"),
        ({"checkpoint": "lats"}, "checkpoint"),
    ],
)
def test_mistakes_are_named(digits: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        export(digits, **options)


VAE = ["data=digits", "model=vae", "model.hidden_sizes=[4]"]
LSTM = ["data=text", "model=lstm", "model.hidden_size=8"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "outputs", "format"),
    [
        (VAE, "reconstructions, latents", "onnx"),
        (VAE, "reconstructions, latents", "torch_export"),
        (["data=digits", "model=gan", "model.base_channels=4"], "images", "onnx"),
        (LSTM, "probabilities", "onnx"),
        (LSTM, "probabilities", "torch_export"),
        (["data=text", "model=transformer"], "probabilities", "onnx"),
        (["data=diabetes", "model=mlp"], "numbers", "onnx"),
        (["data=iris", "model=mlp"], "probabilities", "onnx"),
    ],
)
def test_every_task_exports(
    words: list[str], outputs: str, format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(compose(*words, f"run_dir={tmp_path / 'run'}", *TRAIN))
    path = export(tmp_path / "run", format)  # raises an error if the answers differ
    assert f"-> {outputs}\nchecked without firstlight on " in capsys.readouterr().out
    if format == "torch_export":
        extra = {"metadata.json": ""}
        torch.export.load(path, extra_files=extra)
        assert json.loads(extra["metadata.json"])["outputs"] == json.dumps(outputs.split(", "))
