"""Quantized files: small, as accurate as before, and refused otherwise."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from firstlight.config import compose
from firstlight.runs.export import export, quantized
from firstlight.runs.export.portable import Portable
from firstlight.runs.export.quality import Quality, compare_quality
from firstlight.runs.load import load_task
from firstlight.training import train

TRAIN = ["trainer.accelerator=cpu"]
SHORT = ["trainer.max_epochs=1", "+trainer.limit_train_batches=4"]


@pytest.fixture(scope="module")
def diabetes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "diabetes"
    train(compose("data=diabetes", "model=mlp", f"run_dir={folder}", "trainer.max_epochs=20", *TRAIN))
    return folder


def test_a_table_is_quantized_and_tested(diabetes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = export(diabetes, quantize="int8", output=tmp_path / "model.onnx")
    out = capsys.readouterr().out
    found = re.search(r"mean absolute error (\S+) -> (\S+) on 88 test samples\nsize (\S+) -> (\S+) bytes", out)
    assert found, out
    before, after, size, new_size = (float(number.replace(",", "")) for number in found.groups())
    stated = json.loads((diabetes / "metrics.json").read_text())["test/mae"]
    assert before == pytest.approx(stated, rel=1e-3)
    assert after != before
    assert after == pytest.approx(before, rel=0.1)
    assert new_size == path.stat().st_size < size / 2
    model = onnx.load(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["quantize"] == "int8"
    assert json.loads(metadata["outputs"]) == ["numbers"]
    assert {entry.domain for entry in model.opset_import} == {""}  # any runtime of ONNX has these operations
    weights = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 2]
    assert {tensor.data_type for tensor in weights} == {onnx.TensorProto.INT8}
    assert max(np.abs(onnx.numpy_helper.to_array(tensor)).max() for tensor in weights) <= 64  # 7 bits
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_a_file_that_is_much_worse_is_refused(diabetes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_worse_answers(
        network: Portable, raw: Tensor, targets: Tensor, before: np.ndarray, after: np.ndarray
    ) -> Quality:
        return compare_quality(network, raw, targets, before, after + 30)

    monkeypatch.setattr(quantized, "compare_quality", with_worse_answers)
    message = r"model\.onnx: cannot quantize \(mean absolute error 4.* is the worst that is kept\)\. To fix: .*=null"
    with pytest.raises(ValueError, match=message):
        export(diabetes, quantize="int8", output=tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_quality_is_that_of_the_answers(trained_run: Path) -> None:
    network = Portable(load_task(trained_run))
    raw, targets = torch.zeros(100, 1, 8, 8, dtype=torch.uint8), torch.arange(100) % 10
    right = np.eye(10, dtype=np.float32)[targets.numpy()]
    wrong = np.concatenate([right[:3, ::-1], right[3:]])
    found = compare_quality(network, raw, targets, right, wrong)
    assert found == Quality("accuracy", 1.0, 0.97, 0.98, 100)
    assert not found.is_good_enough
    assert compare_quality(network, raw, targets, right, right).is_good_enough
    few = compare_quality(network, raw[:10], targets[:10], right[:10], np.concatenate([right[:1, ::-1], right[1:10]]))
    assert few.is_good_enough  # one sample of ten
    assert few.bound == 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "name", "operations"),
    [
        (["model=cnn", "trainer.max_epochs=8"], "accuracy", {"QuantizeLinear", "Conv"}),
        (["model=gru", "model.hidden_size=16", "data=digits", "trainer.max_epochs=2"], "accuracy", {"MatMulInteger"}),
        (["data=digits", "model=gan", "model.base_channels=4", *SHORT], "mean squared error", {"QuantizeLinear"}),
        (["data=text", "model=lstm", "model.hidden_size=32", *SHORT], "accuracy", {"DynamicQuantizeLSTM"}),
    ],
)
def test_every_task_is_quantized(
    words: list[str], name: str, operations: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    train(compose(*words, f"run_dir={run}", *TRAIN))
    path = export(run, quantize="int8")
    assert path == run / "model.int8.onnx"
    out = capsys.readouterr().out
    found = re.search(rf"{name} (\S+) -> (\S+) on ([\d,]+) test samples\nsize (\S+) -> (\S+) bytes", out)
    assert found, out
    assert operations <= {node.op_type for node in onnx.load(path).graph.node}
    metrics = json.loads((run / "metrics.json").read_text())
    stated = metrics.get("test/accuracy" if name == "accuracy" else "test/mse", 0)
    assert float(found[1]) == pytest.approx(stated, rel=0.01, abs=0.005)
    assert not (run / "model.int8.safetensors").exists()
