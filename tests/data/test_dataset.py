import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.data import TorchDataset
from firstlight.runs.evaluate import evaluate
from firstlight.runs.predict import predict
from firstlight.runs.preview import preview
from firstlight.training.run import train
from helpers.runs import TINY

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)
CLASSES = np.arange(40) % 4


class Items(Dataset):
    """Samples in a list."""

    def __init__(self, samples: list[Any], **attributes: Any) -> None:
        self.samples = samples
        vars(self).update(attributes)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]


def source(folder: Path, inputs: Any, targets: Any = CLASSES, **options: Any) -> TorchDataset:
    return TorchDataset(str(folder), train=Items(list(zip(inputs, targets, strict=True))), **options)


def everything(made: TorchDataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the stored inputs and targets in the order of the data set."""
    stored = made.store().stored["train"]
    return stored.inputs.numpy(), stored.targets.numpy()


@pytest.mark.parametrize(
    "inputs",
    [
        [Image.fromarray(image) for image in PIXELS],
        PIXELS,
        torch.from_numpy(PIXELS).permute(0, 3, 1, 2),
        torch.from_numpy(PIXELS).permute(0, 3, 1, 2) / 255,
        PIXELS.astype(np.float64) / 255,
        PIXELS.astype(np.int64),
        PIXELS.astype(np.uint16) * 257,
    ],
    ids=["pillow", "uint8", "tensor", "float tensor", "doubles", "int64", "uint16"],
)
def test_images_of_any_form_are_stored_exactly(tmp_path: Path, inputs: Any) -> None:
    made = source(tmp_path, inputs)
    images, classes = everything(made)
    assert images.dtype == np.uint8
    assert (images == PIXELS.transpose(0, 3, 1, 2)).all()
    assert (classes == CLASSES).all()
    assert not any("rounded" in line for line in made.store().remarks)


def test_a_tuple_of_arrays_is_a_data_set_and_grey_images_need_no_channels(tmp_path: Path) -> None:
    images, _ = everything(TorchDataset(str(tmp_path), train=(PIXELS[..., 0], CLASSES)))
    assert (images[:, 0] == PIXELS[..., 0]).all()


def test_other_floats_are_rounded_and_said_to_be(tmp_path: Path) -> None:
    made = source(tmp_path, torch.rand(40, 1, 4, 4))
    assert any("rounded" in line for line in made.store().remarks)
    images, _ = everything(source(tmp_path, PIXELS / 127.5 - 1, value_range=[-1, 1]))
    assert (images == PIXELS.transpose(0, 3, 1, 2)).all()


@pytest.mark.parametrize("value", [-0.5, 1.5, float("nan")])
def test_pixels_out_of_range_are_refused_with_the_way(tmp_path: Path, value: float) -> None:
    images = torch.rand(40, 1, 4, 4)
    images[7, 0, 2, 2] = value
    with pytest.raises(ValueError, match=r"^data\.train, sample 7: must have pixels .* Normalize.*value_range"):
        source(tmp_path, images).store()


def test_images_of_different_sizes_are_fitted_as_own_folders_are(tmp_path: Path) -> None:
    images = [Image.fromarray(np.resize(PIXELS[0], (12, 9 + number % 2 * 5, 3))) for number in range(40)]
    store = source(tmp_path, images, mixed_size=28).store()
    assert (store.spec.input_shape, store.spec.margin) == ((3, 28, 28), 2)
    store = source(tmp_path, images, image_size=16, fit="pad", channels=1).store()
    assert (store.spec.stored_shape, store.spec.fit) == ((1, 16, 16), "pad")
    lone = [Image.fromarray(PIXELS[0])] * 100
    lone[17] = images[0]  # no probe
    assert source(tmp_path, lone, [0, 1] * 50, mixed_size=14).store().spec.stored_shape == (3, 16, 16)


def test_photos_are_turned_by_their_orientation(tmp_path: Path) -> None:
    photo = Image.fromarray(PIXELS[0])
    photo.getexif()[0x0112] = 6
    images, _ = everything(source(tmp_path, [photo] * 40))
    assert (images[0] == np.rot90(PIXELS[0], -1).transpose(2, 0, 1)).all()


@pytest.mark.parametrize(
    ("labels", "options", "names", "targets"),
    [
        (CLASSES, {}, ("0", "1", "2", "3"), CLASSES),
        (CLASSES - 1, {}, ("-1", "0", "1", "2"), CLASSES),
        (CLASSES * 10, {}, ("0", "10", "20", "30"), CLASSES),
        (CLASSES, {"labels": list("abcd")}, ("a", "b", "c", "d"), CLASSES),
        (CLASSES % 2, {"labels": list("abcd")}, ("a", "b"), CLASSES % 2),
        ([f"c{9 - label}" for label in CLASSES], {}, ("c6", "c7", "c8", "c9"), 3 - CLASSES),
        (torch.from_numpy(CLASSES), {}, ("0", "1", "2", "3"), CLASSES),
        ([torch.tensor([label]) for label in CLASSES], {}, ("0", "1", "2", "3"), CLASSES),
        (CLASSES > 1, {}, ("0", "1"), CLASSES > 1),
        (CLASSES / 2, {}, ("target",), CLASSES[:, None] / 2),
        (CLASSES / 1, {"classes": True}, ("0", "1", "2", "3"), CLASSES),
        (CLASSES, {"classes": False, "labels": ["age"]}, ("age",), CLASSES[:, None]),
        (np.stack([CLASSES / 2, CLASSES], 1), {}, ("target_1", "target_2"), np.stack([CLASSES / 2, CLASSES], 1)),
        ([None] * 40, {}, ("unlabelled",), CLASSES * 0),
    ],
)
def test_labels_of_any_form(tmp_path: Path, labels: Any, options: Any, names: Any, targets: np.ndarray) -> None:
    made = source(tmp_path, PIXELS, labels, **options)
    assert made.store().spec.labels == names
    assert (everything(made)[1] == targets).all()


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (CLASSES / 3, {"classes": True}, "must have classes as labels, and has numbers.*task=regression"),
        (["a"] * 40, {"classes": True}, "must have two classes or more, and has only 'a'"),
        (["a", "b"] * 20, {"classes": False}, "must have numbers as labels for regression"),
        ([None] * 40, {"classes": True}, "must have labels.*autoencoder"),
        ([1, "a"] * 20, {}, "one kind, and has texts and whole numbers"),
        (CLASSES, {"labels": ["a", "b"]}, "classes from 0 to 1, as many as names, and has 3"),
        ([{"boxes": 1}] * 40, {}, "numbers or texts, and has dict"),
        (np.stack([CLASSES, CLASSES], 1), {}, "one class for each sample, and has vectors of whole numbers"),
        ([f"c{label}" for label in CLASSES], {"labels": ["c0"]}, "'c1' is none"),
    ],
)
def test_labels_that_do_not_fit_are_named(tmp_path: Path, labels: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^data.*{message}"):
        source(tmp_path, PIXELS, labels, **options).store()


@pytest.mark.parametrize(
    "attributes",
    [{"classes": list("abcd")}, {"categories": list("abcd")}, {"class_to_idx": {"b": 1, "a": 0, "d": 3, "c": 2}}],
)
def test_names_are_found_in_the_data_set_and_in_the_one_inside(tmp_path: Path, attributes: dict[str, Any]) -> None:
    items = Items(list(zip(PIXELS, CLASSES, strict=True)), **attributes)
    for number, found in enumerate((items, Subset(items, range(40)), torch.utils.data.ConcatDataset([items, items]))):
        store = TorchDataset(str(tmp_path / str(number)), train=found).store()
        assert store.spec.labels == ("a", "b", "c", "d")


def test_vectors_and_tokens(tmp_path: Path) -> None:
    store = TorchDataset(str(tmp_path), train=TensorDataset(torch.rand(40, 3), torch.from_numpy(CLASSES))).store()
    assert (store.spec.kind, store.spec.targets, store.spec.input_shape) == ("numbers", "classes", (3,))
    tokens = torch.arange(120).view(20, 6) % 7
    store = TorchDataset(str(tmp_path), train=TensorDataset(tokens[:, :-1], tokens[:, 1:])).store()
    assert (store.spec.kind, store.spec.num_outputs, store.spec.input_shape) == ("tokens", 7, (5,))


def test_samples_may_be_dicts_or_longer_tuples(tmp_path: Path) -> None:
    rows = [{"image": image, "label": label, "id": "x"} for image, label in zip(PIXELS, CLASSES, strict=True)]
    with pytest.raises(ValueError, match=r"choose from image, label, id by data\.keys="):
        TorchDataset(str(tmp_path), train=rows).store()
    with pytest.raises(ValueError, match=r"data\.keys=\['image', 'lable'\]: 'lable' is unknown, did you mean 'label'"):
        TorchDataset(str(tmp_path), train=rows, keys=["image", "lable"]).store()
    images, classes = everything(TorchDataset(str(tmp_path), train=rows, keys=["image", "label"]))
    triples = [(0, label, image) for image, label in zip(PIXELS, CLASSES, strict=True)]
    other = everything(TorchDataset(str(tmp_path), train=triples, keys=[2, 1]))
    assert (other[0] == images).all()
    assert (other[1] == classes).all()


class Stream(IterableDataset):
    def __iter__(self) -> Iterator[int]:
        return itertools.count()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "=None: must be a data set, for example data.train="),
        ("mnist", "=mnist: must be a data set"),
        ({"root": "x"}, "must be a data set"),
        (Stream(), "must have a length and numbered samples, and Stream has not"),
        ([], "must contain samples, and list is empty"),
        ((PIXELS, CLASSES[1:]), "must have a label for each input, and has 40 and 39"),
        (Items([(torch.rand(1, 2, 3, 4), 1)]), r"images or vectors as inputs, and has arrays \(1, 2, 3, 4\)"),
        (Items([("text", 1)]), "must be an image or numbers, and is str"),
        (
            [(torch.rand(3), 0)] * 9 + [(torch.rand(4), 1)] * 9,
            r"sample 9: must be a vector of 3 numbers, and is .*\(4,\)",
        ),
    ],
)
def test_what_is_no_data_set_is_refused(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^data.train.*{message}"):
        TorchDataset(str(tmp_path), train=value).store()


def test_an_error_of_the_data_set_names_the_sample(tmp_path: Path) -> None:
    class Broken(Items):
        def __getitem__(self, index: int) -> Any:
            return super().__getitem__(index) if index != 3 else [][index]

    broken = Broken(list(zip(PIXELS, CLASSES, strict=True)))
    with pytest.raises(ValueError, match=r"^data\.test: cannot read sample 3 \(IndexError: list index out of range\)"):
        TorchDataset(str(tmp_path), train=(PIXELS, CLASSES), test=broken).store()


def test_random_transforms_are_refused(tmp_path: Path) -> None:
    class Random(Items):
        def __getitem__(self, index: int) -> Any:
            return torch.rand(1, 4, 4), index % 2

    with pytest.raises(ValueError, match=r"must give the same sample whenever it is read.*augment="):
        TorchDataset(str(tmp_path), train=Random([0] * 20)).store()


def test_a_changed_sample_a_name_and_a_version_build_the_store_again(tmp_path: Path) -> None:
    changed = PIXELS.copy()
    changed[-1, 0, 0, 0] ^= 1
    sources = [
        source(tmp_path, PIXELS),
        source(tmp_path, PIXELS, batch_size=3),
        source(tmp_path, changed),
        source(tmp_path, PIXELS, CLASSES % 3),
        source(tmp_path, PIXELS, labels=list("abcd")),
        source(tmp_path, PIXELS, version=2),
        source(tmp_path, PIXELS[:-4], CLASSES[:-4]),
    ]
    for made in sources:
        made.store()
    assert len([path for path in (tmp_path / ".firstlight").iterdir() if path.is_dir()]) == len(sources) - 1


def test_official_splits_are_kept_and_a_held_out_test_split_is_said(tmp_path: Path) -> None:
    pair = (PIXELS, CLASSES)
    store, splits = TorchDataset(str(tmp_path), train=pair, val=pair, test=pair).splits(seed=1)
    assert [len(splits[name]) for name in ("train", "val", "test")] == [40, 40, 40]
    assert not any("held out" in line for line in store.remarks)
    store, splits = TorchDataset(str(tmp_path), train=pair).splits(seed=1)
    assert [len(splits[name]) for name in ("train", "val", "test")] == [29, 3, 8]
    assert any("no test split is given: 0.2" in line for line in store.remarks)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a module of the user's own and its data."""
    code = "import numpy as np\nfrom torch.utils.data import Dataset\n\n\nclass Mine(Dataset):\n"
    code += "    classes = ['dark', 'light']\n\n    def __init__(self, root: str, *, rows: int = 40):\n"
    code += "        self.images = np.load(root + '/images.npy')[:rows]\n\n"
    code += "    def __len__(self):\n        return len(self.images)\n\n"
    code += "    def __getitem__(self, index):\n        return self.images[index], index % 2\n"
    (tmp_path / "own_items.py").write_text(code)
    (tmp_path / "raw").mkdir()
    images = np.full((40, 8, 8, 3), 200, np.uint8)
    images[::2] = 20
    np.save(tmp_path / "raw" / "images.npy", images)
    Image.fromarray(images[0]).save(tmp_path / "dark.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("own_items", None)


def test_an_own_class_trains_evaluates_predicts_and_is_previewed(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data=dataset", "data.train={_target_: own_items.Mine, root: raw}", "optimizer.lr=0.05", *TINY]
    metrics = train(compose(*words, f"data.dir={project / 'stores'}"), run_dir=project / "run")
    assert (project / "run" / "data.json").exists()
    monkeypatch.chdir(project / "raw")  # the relative path of the data is one of the run's working directory
    monkeypatch.setattr("firstlight.config.checking.targets.Path.cwd", lambda: project)
    assert evaluate(project / "run")["test/accuracy"] == metrics["test/accuracy"]
    rows = predict(project / "run", project / "dark.png", output=project / "rows.csv")
    assert rows[0]["label"] in ("dark", "light")
    capsys.readouterr()
    config = RunConfig.from_overrides(
        "data=dataset", f"data.train={{_target_: own_items.Mine, root: {project / 'raw'}}}"
    )
    preview(config, str(project / "preview.png"), samples=2, versions=2)
    assert "train 29, val 3, test 8, in 2 classes: dark, light; images of 3x8x8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (
            "{_target_: own_items.Mine, rots: raw}",
            r"^data\.train\.rots: unknown option of Mine, did you mean '.*\.root'\?",
        ),
        ("{_target_: own_items.Mine, root: raw, rows: many}", r"^data\.train\.rows=many: must be a whole number"),
        ("{_target_: own_items.Mime, root: raw}", r"'Mime' must be defined in own_items, did you mean 'Mine'\?$"),
        ("{_target_: torchvision.datasets.FakeDat}", r"'FakeDat' must be defined .*, did you mean 'FakeData'\?$"),
    ],
)
def test_mistakes_in_a_nested_node_are_found_before_anything_is_imported(
    project: Path, node: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        RunConfig.from_overrides("data=dataset", f"data.train={node}")
    assert "own_items" not in sys.modules
