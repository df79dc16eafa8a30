"""The experiments of the README, trained shortly on real data: their files give the answers of the run."""

from pathlib import Path

import pytest

from firstlight.config import compose
from firstlight.runs.export import export
from firstlight.training import train

pytestmark = pytest.mark.real

SHORT = ["trainer.max_epochs=1", "+trainer.limit_train_batches=4", "+trainer.limit_val_batches=2"]
SHORT += ["+trainer.limit_test_batches=2", "trainer.accelerator=cpu"]


_MORE = pytest.mark.slow  # .ci/run leaves these out: each takes half a minute, and the others have the same parts


@pytest.mark.parametrize(
    ("words", "origin"),
    [
        pytest.param(["experiment=mnist_lenet"], "test images", marks=_MORE),
        pytest.param(["experiment=asl"], "test images", marks=_MORE),
        (["experiment=doggy_door"], "test images"),
        pytest.param(["experiment=cifar10_resnet"], "test images", marks=_MORE),
        pytest.param(["experiment=text_lstm"], "test samples", marks=_MORE),
        pytest.param(["experiment=mnist_autoencoder"], "test images", marks=_MORE),
        pytest.param(["experiment=mnist_gan"], "latents", marks=_MORE),
        pytest.param(["data=diabetes"], "test samples", marks=_MORE),
    ],
)
def test_an_experiment_exports_to_both_formats(
    words: list[str], origin: str, real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if words[0] == "experiment=doggy_door":
        words = [*words, f"data.dir={real_data / 'doggy-door'}"]
    elif words[0] not in ("experiment=text_lstm", "data=diabetes"):
        words = [*words, f"data.dir={real_data}"]
    train(compose(*words, *SHORT), run_dir=tmp_path / "run")
    for format in ("onnx", "torch_export"):
        export(tmp_path / "run", format)  # raises an error if an answer differs by more than 1e-4
        assert f"checked without firstlight on 64 {origin}: largest difference" in capsys.readouterr().out
