from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from PIL import Image

Profiled = Callable[..., tuple[CompletedProcess[str], set[str]]]


def test_the_script_writes_an_image_without_importing_lightning(profiled: Profiled, tmp_path: Path) -> None:
    process, modules = profiled("preview", "augment=moderate", "preview.output=images/sheet.png", "preview.samples=3")
    assert (process.returncode, process.stderr) == (0, "")
    assert "images/sheet.png" in process.stdout
    with Image.open(tmp_path / "images" / "sheet.png") as image:
        assert image.size[0] == 8 * 68 + 4
    assert [path.name for path in tmp_path.iterdir()] == ["images"]
    assert not modules & {"lightning", "torchvision", "torchmetrics"}


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("preview.samples=many", "preview.samples=many: must be a whole number (preview)."),
        ("optimizer.lr=fast", "optimizer.lr=fast: must be a number (AdamW)."),
        ("preview.sampels=3", "preview.sampels: unknown key, did you mean 'preview.samples'?"),
    ],
)
def test_a_mistake_is_reported_before_torch_is_imported(profiled: Profiled, mistake: str, message: str) -> None:
    process, modules = profiled("preview", mistake)
    assert process.returncode == 1
    assert process.stderr == message
    assert not modules & {"torch", "numpy"}
