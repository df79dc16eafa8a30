import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from firstlight.config.compose import compose
from firstlight.data import HuggingFace
from firstlight.runs.evaluate import evaluate
from firstlight.runs.predict import predict
from firstlight.training.run import train
from helpers.generate import write_classes
from helpers.runs import TINY, forbid_network

try:
    import datasets
except ImportError:
    datasets = None

needs_package = pytest.mark.skipif(datasets is None, reason="the extra huggingface is not installed")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_network(monkeypatch)
    if datasets is not None:
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
        datasets.disable_progress_bars()


def images(number: int) -> Any:
    features = {
        "id": datasets.Value("int64"),
        "img": datasets.Image(),
        "fine": datasets.ClassLabel(names=["cat", "dog"]),
        "coarse": datasets.ClassLabel(names=["animal"]),
    }
    columns = {
        "id": list(range(number)),
        "img": [Image.fromarray(np.full((9, 8, 3), 5 * row, np.uint8)) for row in range(number)],
        "fine": [row % 2 for row in range(number)],
        "coarse": [0] * number,
    }
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


@needs_package
def test_saved_images_train_evaluate_and_predict(tmp_path: Path) -> None:
    saved = datasets.DatasetDict({"train": images(20), "validation": images(4), "test": images(6)})
    saved.save_to_disk(str(tmp_path / "saved"))
    words = ["data=huggingface", f"data.name={tmp_path / 'saved'}", f"data.dir={tmp_path / 'stores'}", *TINY]
    metrics = train(compose(*words), run_dir=tmp_path / "run")
    assert evaluate(tmp_path / "run")["test/accuracy"] == metrics["test/accuracy"]
    Image.new("RGB", (8, 9)).save(tmp_path / "black.png")
    assert predict(tmp_path / "run", tmp_path / "black.png", output=tmp_path / "r.csv")[0]["label"] in ("cat", "dog")


@needs_package
def test_columns_are_found_from_the_features_or_named(tmp_path: Path) -> None:
    images(20).save_to_disk(str(tmp_path / "saved"))
    store, splits = HuggingFace(str(tmp_path), name="saved").splits(seed=1)
    assert store.spec.labels == ("cat", "dog")
    assert store.spec.input_shape == (3, 9, 8)
    assert "columns: img as input, fine as label" in store.remarks
    assert [len(splits[name]) for name in ("train", "val", "test")] == [14, 2, 4]
    store = HuggingFace(str(tmp_path), name="saved", label="id", classes=False).store()
    assert store.spec.targets == "numbers"
    with pytest.raises(ValueError, match=r"^data\.label=fin: unknown column, did you mean 'fine'"):
        HuggingFace(str(tmp_path), name="saved", label="fin").store()


@needs_package
def test_folders_of_images_and_files_of_tables_are_read(tmp_path: Path) -> None:
    write_classes(tmp_path / "photos" / "train", 6)
    write_classes(tmp_path / "photos" / "test", 2)
    store = HuggingFace(str(tmp_path), name="photos").store()
    assert store.spec.labels == ("cat", "dog")
    assert [len(store.splits[name]) for name in ("train", "test")] == [12, 4]
    (tmp_path / "table").mkdir()
    columns = {"a": [float(row) for row in range(20)], "b": list(range(20)), "label": ["x", "y"] * 10}
    datasets.Dataset.from_dict(columns).to_parquet(str(tmp_path / "table" / "train.parquet"))
    store = HuggingFace(str(tmp_path), name="table").store()
    assert (store.spec.kind, store.spec.labels) == ("numbers", ("x", "y"))
    rows = store.stored["train"].inputs.numpy()
    assert (rows == np.stack([np.arange(20)] * 2, 1)).all()


@needs_package
def test_texts_become_consecutive_windows(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    lines = [f"line {number:03}" for number in range(100)]
    datasets.Dataset.from_dict({"text": lines}).to_parquet(str(tmp_path / "texts" / "train.parquet"))
    store, splits = HuggingFace(str(tmp_path), name="texts", length=9).splits(seed=1)
    assert (store.spec.kind, store.spec.targets) == ("tokens", "tokens")
    assert all(split.consecutive for split in splits.values())
    first = "".join(store.spec.labels[token] for token in splits["train"].inputs[0].tolist())
    assert first == "line 000\n"
    assert [len(splits[name]) for name in ("train", "val", "test")] == [69, 9, 19]


@needs_package
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "ylecun/mnist"}, r"^data\.name=ylecun/mnist: cannot be loaded .*save_to_disk.*HF_HUB_OFFLINE"),
        ({"name": "./nowhere"}, r"^data\.name=\./nowhere: must be an existing folder"),
        ({"name": "empty"}, "cannot read .* save_to_disk"),
        ({}, r"^data\.name=null: must be the name"),
        ({"name": "x", "options": {"trust_remote_code": True}}, "trust_remote_code: must be left out"),
        ({"name": "x", "unit": "word"}, r"data\.unit=word: unknown unit, did you mean 'words'"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=message):
        HuggingFace(str(tmp_path), **options).store()


def test_the_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match=r'pip install "firstlight\[huggingface\]"'):
        HuggingFace(str(tmp_path), name="saved").store()
