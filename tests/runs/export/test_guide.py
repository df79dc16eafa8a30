"""The script of the guide classifies photos with an exported file and gives the numbers of `predict`."""

import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from firstlight.config import compose
from firstlight.runs.export import export
from firstlight.runs.predict import predict
from firstlight.training import train
from helpers.odd_images import write_odd_images
from helpers.runs import REPOSITORY

GUIDE = REPOSITORY / "docs" / "guides" / "export.md"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "digits"
    words = ["model=cnn", "augment=light", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    train(compose(*words, f"run_dir={folder}"))
    export(folder)
    return folder


@pytest.fixture
def empty_python(tmp_path: Path) -> Path:
    """Return the Python of a new environment with onnxruntime, NumPy and Pillow alone."""
    if shutil.which("uv") is None:
        pytest.skip("uv is not installed")
    folder = tmp_path / "environment"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    subprocess.run(["uv", "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    packages = [f"{name}=={version(name)}" for name in ("onnxruntime", "numpy", "pillow")]
    command = ["uv", "pip", "install", "-q", "--python", str(python), *packages]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"the packages cannot be installed: {done.stderr[:300]}")
    return python


def test_in_an_environment_with_three_packages(run: Path, empty_python: Path, tmp_path: Path) -> None:
    missing = "import importlib.util as u; print([u.find_spec(name) for name in ('torch', 'firstlight', 'onnx')])"
    assert subprocess.check_output([empty_python, "-c", missing], text=True) == "[None, None, None]\n"
    _check(empty_python, run, tmp_path)


def test_in_this_environment(run: Path, tmp_path: Path) -> None:
    _check(Path(sys.executable), run, tmp_path)


def _check(python: Path, run: Path, folder: Path) -> None:
    script = GUIDE.read_text().partition("```python\n")[2].partition("```")[0]
    (folder / "photo.py").write_text(script)
    write_odd_images(folder / "images")
    rows = predict(run, folder / "images", folder / "rows.csv", accelerator="cpu")
    assert len(rows) == 9
    for row in rows:
        command = [python, "-I", "photo.py", run / "model.onnx", row["path"]]
        label, probability = subprocess.check_output(command, cwd=folder, text=True).split()
        assert label == row["label"], row["path"]
        assert float(probability) == pytest.approx(row["probability"], abs=1e-4), row["path"]
