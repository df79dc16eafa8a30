"""Exported files: equal to the run in a process without firstlight, and refused otherwise."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import pytest
import torch
from safetensors.numpy import load_file

from firstlight.config import CONFIG_DIR, RunConfig, compose
from firstlight.runs import RunFolder
from firstlight.runs.export import export
from firstlight.runs.export.check import check_file
from firstlight.runs.export.exporter import _metadata
from firstlight.runs.export.formats import FORMATS, Onnx, traced
from firstlight.runs.export.portable import Portable
from firstlight.runs.load import load_task
from firstlight.runs.predict import predict
from firstlight.tasks.build import build_source, build_task
from firstlight.training import train
from helpers.odd_images import decoded, write_odd_images

TRAIN = ["trainer.max_epochs=1", "+trainer.limit_train_batches=2", "trainer.accelerator=cpu"]
TrainRun = Callable[..., Path]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainRun:
    """Return a function that trains a run shortly, once for the same words."""
    runs: dict[tuple[str, ...], Path] = {}

    def run(*words: str) -> Path:
        if words not in runs:
            runs[words] = tmp_path_factory.mktemp("runs") / "run"
            train(compose(*words, f"run_dir={runs[words]}", *TRAIN))
        return runs[words]

    return run


@pytest.mark.parametrize("model", [["cnn"], ["linear"], ["lstm", "model.hidden_size=8"], ["autoencoder"]])
def test_odd_images_get_the_answers_of_predict(
    model: list[str], trained: TrainRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is exported, before it is traced. That a file has the same answers is checked whenever it is written."""
    run = trained("data=digits", f"model={model[0]}", *model[1:])
    write_odd_images(tmp_path / "images")
    network = Portable(load_task(run))
    rows = predict(run, tmp_path / "images", tmp_path / "rows.csv", accelerator="cpu")
    assert len(rows) == 9
    is_inverted = {Path(row["path"]).name: "inverted" in row["warning"] for row in rows}
    assert is_inverted["drawn.png"]
    assert not all(is_inverted.values())
    for row in rows:
        path = Path(row["path"])
        with torch.inference_mode():
            answer = network(torch.from_numpy(decoded(path)))[-1][0]
        if model == ["autoencoder"]:
            wanted = [value for key, value in row.items() if key.startswith("latent_")]
            assert answer.tolist() == pytest.approx(wanted, abs=1e-4), path.name
        else:
            assert float(answer.max()) == pytest.approx(row["probability"], abs=1e-4), path.name
            assert str(int(answer.argmax())) == row["label"], path.name


def test_a_table_exports_to_onnx(trained: TrainRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained("data=diabetes", "model=mlp")
    path = export(run, output=tmp_path / "model.onnx")
    printed = capsys.readouterr().out
    assert "rows float32 (batch, 10) -> numbers\nchecked without firstlight on 64 test samples: largest" in printed
    _check_metadata({entry.key: entry.value for entry in onnx.load(path).metadata_props})
    assert onnxruntime.InferenceSession(path).run(None, {"rows": np.zeros((5, 10), np.float32)})[0].shape == (5, 1)
    assert sum(tensor.size for tensor in load_file(path.with_suffix(".safetensors")).values()) > 1000


def test_a_table_exports_to_torch(trained: TrainRun, tmp_path: Path) -> None:
    """In this process, because a new one takes some seconds to import torch; the slow tests start one."""
    run = trained("data=diabetes", "model=mlp")
    network, path = Portable(load_task(run)).eval(), tmp_path / "model.pt2"
    FORMATS["torch_export"].write(traced(network), network, _metadata(network, RunFolder.open(run), False), path)
    extra = {"metadata.json": ""}
    rows = torch.rand(3, 10)
    found = torch.export.load(path, extra_files=extra).module()(rows)
    torch.testing.assert_close(found, network(rows))
    _check_metadata(json.loads(extra["metadata.json"]))


def _check_metadata(found: dict[str, str]) -> None:
    assert json.loads(found["outputs"]) == ["numbers"]
    assert json.loads(found["labels"]) == ["progression"]
    assert "firstlight.networks.MLP" in found["config"]


def test_a_file_with_other_answers_is_refused_and_removed(
    trained: TrainRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(Onnx):
        runner = Onnx.runner + "\nright = answer\nanswer = lambda inputs: [output * 1.01 for output in right(inputs)]"

    monkeypatch.setitem(export.__globals__["FORMATS"], "onnx", Wrong())
    with pytest.raises(ValueError, match=r"model\.onnx: cannot export \(its answers differ by 0\.0"):
        export(trained("data=diabetes", "model=mlp"), output=tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "onxn"}, r"format=onxn: unknown format, did you mean 'onnx'\?"),
        ({"output": "model.pt2"}, r"must end in \.onnx with format=onnx"),
        ({"checkpoint": "lats"}, "checkpoint"),
        ({"quantize": "int9"}, r"quantize=int9: unknown quantization, did you mean 'int8'\?"),
        (
            {"quantize": "int8", "format": "torch_export"},
            r"^quantize=int8: must be null with format=torch_export, .* To fix: set format=onnx",
        ),
    ],
)
def test_mistakes_are_named(trained_run: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        export(trained_run, **options)


LSTM = ["data=text", "model=lstm", "model.hidden_size=8"]
CANVASES = ["data=scattered_digits", "data.image_size=64", "data.max_digits=1", "data.num_train=20", "data.num_test=4"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "outputs", "format"),
    [
        (["data=digits", "model=cnn", "augment=light"], "probabilities", "onnx"),
        (["data=digits", "model=cnn", "augment=light"], "probabilities", "torch_export"),
        (["data=digits", "model=vae", "model.hidden_sizes=[4]"], "reconstructions, latents", "onnx"),
        (["data=digits", "model=gan", "model.base_channels=4"], "images", "onnx"),
        (LSTM, "probabilities", "onnx"),
        (["data=text", "model=transformer"], "probabilities", "onnx"),
        ([*CANVASES, "data.target=boxes", "model=linear", "task=localisation"], "probabilities, boxes", "onnx"),
        ([*CANVASES, "data.target=labels", "model=linear", "task=multilabel"], "probabilities", "torch_export"),
    ],
)
def test_every_task_exports(
    words: list[str], outputs: str, format: str, trained: TrainRun, capsys: pytest.CaptureFixture[str]
) -> None:
    export(trained(*words), format)  # raises an error if the answers differ
    assert f"-> {outputs}\nchecked without firstlight on " in capsys.readouterr().out


CLASSIFIED = {"bag_of_words", "text_cnn"}  # networks of texts with a class alone
# Of each family one; the export of all others takes minutes and finds nothing more. The tasks above bring their own.
RELATIVES = {"alexnet", "efficientnet_lite0", "googlenet", "inception", "lenet", "resnet34", "resnet50", "rnn", "timm"}
RELATIVES |= {"linear", "vgg13", "vgg16", "vgg19"}
BY_TASK = {"autoencoder", "cnn", "fcn", "fcos", "gan", "gru", "lstm", "mlp", "segnet", "transformer", "unet", "vae"}
BY_TASK |= {"fasterrcnn", "retinanet"}  # detectors do not export
MODELS = sorted({path.stem for path in (CONFIG_DIR / "model").glob("[!_]*.yaml")} - RELATIVES - BY_TASK)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_every_network_exports(model: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    data = ["data=digits"]
    if model in CLASSIFIED:
        rows = "".join(f"{word} morning,greeting\n{word} night,parting\n" for word in ("good", "fine", "nice") * 5)
        (tmp_path / "texts.csv").write_text(f"text,label\n{rows}")
        data = ["data=text_classes", f"data.file={tmp_path / 'texts.csv'}"]
    config = RunConfig.from_overrides(*data, f"model={model}")
    store, splits = build_source(config).splits(1)
    network = Portable(build_task(config, store.spec)).eval()
    raw, _ = splits["test"].take(torch.arange(2))
    if network.input_name == "latents":
        batch = torch.randn(2, *network.example.shape[1:])
    else:
        batch = raw if network.input_name == "tokens" else torch.randint(256, (3, 19, 31, 4), dtype=torch.uint8)
    FORMATS["onnx"].write(traced(network), network, {}, tmp_path / "model.onnx")
    with torch.inference_mode():
        expected = [[output.numpy() for output in network(batch)]]
    check_file(tmp_path / "model.onnx", FORMATS["onnx"], [batch.numpy()], expected)  # raises an error
