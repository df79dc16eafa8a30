import sys
import time
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.networks import Timm
from firstlight.runs.load import load_pretrained
from firstlight.runs.predict import predict
from firstlight.spec import DataSpec
from firstlight.tasks import Task
from firstlight.tasks.build import build_task
from firstlight.training.run import train
from firstlight.transfer.head import head_name, head_removed
from helpers.twin import images_of, random_state

FAMILIES = [
    "convnext_tiny",
    "efficientnet_b0",
    "mobilenetv3_small_050",
    "resnet10t",
    "swin_tiny_patch4_window7_224",
    "vit_tiny_patch16_224",
]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a hub that cannot be reached."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub, "hf_hub_url", lambda *_: "http://127.0.0.1:1/")
    return tmp_path / "hub"


def put_into_cache(hub: Path, repository: str, name: str) -> dict[str, torch.Tensor]:
    """Write random weights as the hub's client stores them, and return them."""
    state = random_state(timm.create_model(name))
    folder = hub / f"models--{repository.replace('/', '--')}"
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    save_file(state, folder / "snapshots" / "abc" / "model.safetensors")
    return state


def config(*words: str) -> RunConfig:
    return RunConfig.from_overrides("model=timm", *words)


def sized(spec: DataSpec, name: str) -> DataSpec:
    """Return the spec of the data after resizing for the network."""
    size = Timm.input_size_for(spec, name=name)
    return spec.resized(*(spec.image_size if size is None else (size, size)))


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_accepts_small_grey_images_and_its_head_is_the_last_layer(name: str) -> None:
    spec = sized(images_of(32, channels=1, classes=7), name)
    network, inputs = Timm(spec, name=name).eval(), torch.randn(2, *spec.input_shape)
    head = head_name(network)
    assert head is not None
    with torch.no_grad():
        logits = network(inputs)
        with head_removed(network, head) as backbone:
            features = backbone(inputs)
    assert logits.shape == (2, 7)
    assert features.ndim == 2
    torch.testing.assert_close(network.get_submodule(head)(features), logits)


@pytest.mark.parametrize(
    ("name", "shape", "size"),
    [
        ("mobilenetv3_small_050", (20, 28), 64),
        ("mobilenetv3_small_050", (64, 90), None),
        ("vit_tiny_patch16_224", (32, 32), 224),
        ("vit_tiny_patch16_224", (250, 300), 224),  # 300 is not a multiple of the patch size
        ("inception_v3", (64, 64), 299),  # some layers need larger images
    ],
)
def test_images_are_resized_if_the_network_needs_it(name: str, shape: tuple[int, int], size: int | None) -> None:
    assert Timm.input_size_for(images_of(*shape), name=name) == size


def test_a_transformer_takes_the_size_of_augment() -> None:
    task = build_task(config("model.name=vit_tiny_patch16_224", "augment.size=48"), images_of(32))
    assert task.preprocess.output_spec.input_shape == (3, 48, 48)
    assert task.network.timm.pos_embed.shape == (1, 10, 192)  # nine patches and a token for the class


@pytest.mark.parametrize(("name", "size"), [("vit_tiny_patch16_224", 10), ("inception_v3", 64)])
def test_a_size_that_the_network_does_not_accept_raises_an_error_with_a_size(name: str, size: int) -> None:
    metadata = timm.get_pretrained_cfg(name)
    assert metadata is not None
    own = metadata.input_size[-1]
    with pytest.raises(
        ValueError, match=rf"name={name}: must fit images of {size}x{size} \(.*\)\. To fix: set augment\.size={own}"
    ):
        build_task(config(f"model.name={name}", f"augment.size={size}"), images_of(32))


def test_dropout_is_before_the_last_layer_and_must_be_a_probability() -> None:
    spec = images_of(64)
    network, inputs = Timm(spec, name="mobilenetv3_small_050", dropout=0.5), torch.randn(2, 3, 64, 64)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
    assert not torch.equal(network(inputs), network(inputs))
    with pytest.raises(ValueError, match=r"dropout=2: must be at least 0 and below 1"):
        Timm(spec, name="mobilenetv3_small_050", dropout=2)


def test_an_unknown_name_raises_an_error_within_seconds_with_the_nearest_name() -> None:
    began = time.perf_counter()
    with pytest.raises(ValueError, match=r"name=convnext_tny: unknown timm network, did you mean .*convnext_tiny"):
        build_task(config("model.name=convnext_tny"), images_of(32))
    assert time.perf_counter() - began < 3


def test_without_timm_an_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"^model: timm is not installed: uv sync --extra timm"):
        build_task(config(), images_of(32))


@pytest.mark.parametrize(
    ("name", "weights", "full_name", "size", "interpolation", "crop"),
    [
        ("resnet10t", "default", "resnet10t.c3_in1k", 176, "bicubic", 0.875),
        ("convnext_tiny", "fb_in1k", "convnext_tiny.fb_in1k", 224, "bicubic", 0.875),
        ("convnext_tiny.fb_in1k", "default", "convnext_tiny.fb_in1k", 224, "bicubic", 0.875),
        ("tinynet_e", "default", "tinynet_e.in1k", 106, "bicubic", 0.875),
        ("test_resnet", "r160_in1k", "test_resnet.r160_in1k", 160, "bilinear", 0.95),
    ],
)
def test_the_metadata_of_weights_is_that_of_timm(
    name: str, weights: str, full_name: str, size: int, interpolation: str, crop: float
) -> None:
    found = Timm.pretrained(weights, name=name, dropout=0.0)
    assert (found.name, found.size, found.interpolation, found.crop) == (full_name, size, interpolation, crop)
    metadata = timm.get_pretrained_cfg(full_name)
    assert metadata is not None
    assert found.mean == metadata.mean
    assert len(found.labels) == 1000


@pytest.mark.parametrize(
    ("name", "weights"), [("convnext_tiny", "fb_in1"), ("convnext_tiny.fb_in1", "default")], ids=["weights", "name"]
)
def test_an_unknown_tag_is_refused_with_the_nearest(name: str, weights: str) -> None:
    with pytest.raises(ValueError, match=r"model\.weights=fb_in1: .*did you mean 'fb_in1k'\? Without a network"):
        Timm.pretrained(weights, name=name)


def test_a_network_without_pretrained_weights_accepts_files_only() -> None:
    with pytest.raises(ValueError, match=r"model\.weights=default: timm has no weights for cspresnet50d\."):
        Timm.pretrained("default", name="cspresnet50d").load()


def test_weights_in_the_cache_need_no_network(hub: Path) -> None:
    state = put_into_cache(hub, "timm/test_vit.r160_in1k", "test_vit")
    task = build_task(config("model.name=test_vit", "model.weights=default"), images_of(32, channels=1, classes=7))
    assert task.spec.size == 160
    found = task.network.state_dict()
    for name, expected in state.items():
        if not name.startswith("head."):
            assert torch.equal(found[f"timm.{name}"], expected)
    assert found["timm.head.weight"].shape == (7, 64)


def test_without_training_it_predicts_the_classes_of_its_weights(hub: Path) -> None:
    state = put_into_cache(hub, "timm/test_vit.r160_in1k", "test_vit")
    task = load_pretrained({"_target_": "firstlight.networks.Timm", "name": "test_vit"})
    assert torch.equal(task.network.timm.head.weight, state["head.weight"])
    assert (task.spec.size, task.spec.num_outputs, task.spec.labels[207]) == (160, 1000, "golden retriever")


def test_a_weights_file_has_the_parameter_names_of_timm(tmp_path: Path) -> None:
    state = random_state(timm.create_model("test_resnet", num_classes=7))
    save_file(state, tmp_path / "mine.safetensors")
    words = "model.name=test_resnet", f"model.weights={tmp_path / 'mine.safetensors'}"
    task = build_task(config(*words), images_of(32, classes=7))
    assert (task.spec.size, task.spec.mean) == (160, (0.5, 0.5, 0.5))
    assert torch.equal(task.network.timm.fc.weight, state["fc.weight"])


def test_a_network_with_two_heads_accepts_weights_for_other_classes(hub: Path) -> None:
    name = "deit_tiny_distilled_patch16_224"
    state = put_into_cache(hub, f"timm/{name}.fb_in1k", name)
    task = build_task(config(f"model.name={name}", "model.weights=default"), images_of(32, classes=7))
    assert torch.equal(task.network.timm.dist_token, state["dist_token"])
    assert task.network.timm.head_dist.weight.shape == (7, 192)
    assert head_name(task.network) is None


@pytest.mark.parametrize("offline", [False, True])
def test_without_a_connection_an_error_within_seconds_names_an_alternative(
    hub: Path, offline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
    began, reason = time.perf_counter(), "HF_HUB_OFFLINE is set" if offline else "ConnectionError"
    problem = rf"model\.weights=test_vit\.r160_in1k: cannot download timm/test_vit.* \({reason}\)"
    with pytest.raises(ValueError, match=rf"{problem}(?s:.*)model=efficientnet_lite0"):
        build_task(config("model.name=test_vit", "model.weights=default"), images_of(32))
    assert time.perf_counter() - began < 7
    assert not hub.exists()


def test_a_damaged_file_in_the_cache_raises_an_error(hub: Path) -> None:
    put_into_cache(hub, "timm/test_vit.r160_in1k", "test_vit")
    file = next(hub.rglob("model.safetensors"))
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(ValueError, match=rf"model\.weights={file}: cannot read \(damaged"):
        build_task(config("model.name=test_vit", "model.weights=default"), images_of(32))


def test_a_run_predicts_without_its_pretrained_weights(
    hub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_into_cache(hub, "timm/test_resnet.r160_in1k", "test_resnet")
    words = "model.name=test_resnet", "model.weights=default", "augment.size=64", "trainer.accelerator=cpu"
    train(compose("model=timm", *words, "trainer.max_epochs=1", "+trainer.limit_train_batches=2"), tmp_path / "run")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "black.png")
    next(hub.rglob("model.safetensors")).unlink()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    (row,) = predict(tmp_path / "run", tmp_path / "black.png", accelerator="cpu")
    assert row["label"] in tuple("0123456789")
    assert "1 prediction in" in capsys.readouterr().out


def test_timm_weights_give_the_logits_of_timm() -> None:
    theirs = timm.create_model("test_vit", num_classes=10).eval()
    task: Task = build_task(config("model.name=test_vit"), images_of(160)).eval()
    task.network.timm.load_state_dict(theirs.state_dict())
    inputs = torch.randn(2, 3, 160, 160)
    with torch.no_grad():
        torch.testing.assert_close(task.network(inputs), theirs(inputs))
