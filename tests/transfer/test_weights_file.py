import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from firstlight.networks import Network
from firstlight.transfer.head import replace_head
from firstlight.transfer.weights_file import load_weights_into, read_checkpoint, read_weights

STATE = {"conv.weight": torch.arange(12.0).reshape(4, 3), "conv.bias": torch.ones(4)}


class Small(Network):
    def __init__(self, num_outputs: int = 4, width: int = 8) -> None:
        super().__init__()
        self.first = nn.Linear(3, width)
        self.norm = nn.BatchNorm1d(width)
        self.last = nn.Linear(width, num_outputs)


class Wrapped(Network):
    weights_prefix = "inner."

    def __init__(self) -> None:
        super().__init__()
        self.inner = Small()


class WithoutAux(Small):
    unused_prefixes = ("aux.",)


class TwoHeads(Small):
    head_names = ("last", "other")

    def __init__(self, num_others: int) -> None:
        super().__init__()
        self.other = nn.Linear(8, num_others)


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (Path.touch, (self.path,))


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in found)


def error_of(call: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(ValueError, match=r"^model\.weights=") as caught:
        call(*arguments)
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["pth", "pt", "safetensors"])
def test_read_weights_returns_the_tensors_by_name(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(STATE, path)
    assert same(read_weights(path), STATE)


def test_files_in_the_format_before_torch_1_6_are_read(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert same(read_weights(tmp_path / "old.pth"), STATE)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict"])
def test_read_weights_unwraps_a_state_dict_and_removes_the_prefix_module(key: str, tmp_path: Path) -> None:
    parallel = {f"module.{name}": value for name, value in STATE.items()}
    torch.save({key: parallel, "epoch": 3}, tmp_path / "wrapped.pth")
    assert same(read_weights(tmp_path / "wrapped.pth"), STATE)


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_file_with_code_raises_an_error_and_the_code_does_not_run(as_zip: bool, tmp_path: Path) -> None:
    path, made = tmp_path / "hostile.pth", tmp_path / "made"
    if as_zip:
        torch.save({"weight": Touch(made)}, path)
    else:
        path.write_bytes(pickle.dumps(Touch(made)))
    message = error_of(read_weights, path)
    assert "damaged, or it contains more than tensors" in message
    assert "weights_only" not in message  # the advice of torch would run the code
    assert not made.exists()


def test_a_pickled_network_raises_an_error(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "network.pth")
    assert "contains more than tensors" in error_of(read_weights, tmp_path / "network.pth")


@pytest.mark.parametrize("size", [0, 9, 300, -1])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_truncated_file_raises_an_error(suffix: str, size: int, tmp_path: Path) -> None:
    path = tmp_path / f"half.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)({"weight": torch.randn(300)}, path)
    path.write_bytes(path.read_bytes()[:size])
    assert f"{path}: cannot read (damaged" in error_of(read_weights, path)


@pytest.mark.parametrize("name", ["page.pth", "page.safetensors", "page.ckpt"])
def test_a_web_page_raises_an_error(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("<!DOCTYPE html><html><body>404: not found</body></html>")
    read = read_checkpoint if name.endswith(".ckpt") else read_weights
    assert f"{name}: cannot read (it is a web page)" in error_of(read, tmp_path / name)


def test_a_zip_file_without_tensors_raises_an_error(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "zip.pth: cannot read (damaged" in error_of(read_weights, tmp_path / "zip.pth")


@pytest.mark.parametrize("content", [[1, 2], {}, {"lr": 0.1}, {"weight": torch.ones(2), "epoch": 3}], ids=str)
def test_an_object_that_is_not_a_state_dict_raises_an_error(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pth")
    assert "it is not a state_dict of tensors" in error_of(read_weights, tmp_path / "other.pth")


def test_a_missing_file_raises_an_error(tmp_path: Path) -> None:
    assert "the file does not exist" in error_of(read_weights, tmp_path / "none.pth")
    assert "the file does not exist" in error_of(read_checkpoint, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": STATE, "epoch": 3},
        {"state_dict": 1, "spec": 2, "config": 3},
        {"state_dict": {}, "spec": {}, "config": {}},
    ],
    ids=["no spec", "no dictionaries", "empty"],
)
def test_a_checkpoint_of_another_program_raises_an_error(content: dict[str, object], tmp_path: Path) -> None:
    torch.save(content, tmp_path / "last.ckpt")
    message = error_of(read_checkpoint, tmp_path / "last.ckpt")
    assert "last.ckpt: cannot read (it is not a checkpoint of firstlight)" in message


def test_all_tensors_are_loaded() -> None:
    source, target = Small(), Small()
    load_weights_into(target, source.state_dict(), "mine")
    assert same(target.state_dict(), source.state_dict())


def test_a_head_with_another_number_of_classes_is_not_loaded() -> None:
    source, target = Small(num_outputs=9), Small()
    before = target.last.weight.clone()
    load_weights_into(target, source.state_dict(), "mine")
    assert torch.equal(target.first.weight, source.first.weight)
    assert torch.equal(target.last.weight, before)


@pytest.mark.parametrize("changed", ["source", "target"])
def test_a_head_of_another_kind_is_not_loaded(changed: str) -> None:
    networks = {"source": Small(), "target": Small()}
    replace_head(networks[changed], "mlp", num_outputs=4)
    source, target = networks.values()
    before = {name: value.clone() for name, value in target.last.state_dict().items()}
    load_weights_into(target, source.state_dict(), "mine")
    assert torch.equal(target.first.weight, source.first.weight)
    assert same(target.last.state_dict(), before)


def test_of_two_heads_none_is_loaded_if_one_does_not_fit() -> None:
    source, target = TwoHeads(9), TwoHeads(4)
    before = {head: getattr(target, head).weight.clone() for head in target.head_names}
    load_weights_into(target, source.state_dict(), "mine")
    assert torch.equal(target.first.weight, source.first.weight)
    assert all(torch.equal(getattr(target, head).weight, weight) for head, weight in before.items())


@pytest.mark.parametrize("stripped", [True, False])
def test_the_prefix_of_a_wrapped_network_is_optional(stripped: bool) -> None:
    source, target = Wrapped(), Wrapped()
    load_weights_into(target, (source.inner if stripped else source).state_dict(), "mine")
    assert same(target.state_dict(), source.state_dict())


def test_files_without_counts_of_batches_are_loaded() -> None:
    source, target = Small(), Small()
    state = {name: value for name, value in source.state_dict().items() if not name.endswith("num_batches_tracked")}
    load_weights_into(target, state, "mine")
    assert torch.equal(target.norm.get_buffer("running_mean"), source.norm.get_buffer("running_mean"))


def test_tensors_with_an_unused_prefix_are_ignored() -> None:
    load_weights_into(WithoutAux(), Small().state_dict() | {"aux.weight": torch.ones(2)}, "mine")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda state: state.pop("first.bias"), "'first.bias' is missing"),
        (lambda state: state.update({"second.weight": torch.ones(2)}), "'second.weight' is unknown"),
        (lambda state: state.update(Small(width=5).state_dict()), "'first.weight' is 5x3, not 8x3"),
    ],
)
def test_weights_of_another_network_raise_an_error_with_the_first_difference(
    change: Callable[[dict[str, Tensor]], Any], reason: str
) -> None:
    target, state = Small(), dict(Small().state_dict())
    before = {name: value.clone() for name, value in target.state_dict().items()}
    change(state)
    message = error_of(load_weights_into, target, state, "mine.pth")
    assert message.startswith(
        f"model.weights=mine.pth: must fit this Small, but these are weights of another network: {reason}."
    )
    assert same(target.state_dict(), before)


@pytest.mark.parametrize("value", [torch.nan, -torch.inf])
def test_weights_with_nan_or_inf_raise_an_error(value: float) -> None:
    state = Small().state_dict()
    state["first.bias"] = torch.full((8,), value)
    assert "'first.bias' contains NaN or Inf" in error_of(load_weights_into, Small(), state, "mine.pth")


@pytest.mark.parametrize("labels_differ", [True, False])
def test_a_head_is_loaded_unless_the_labels_differ(labels_differ: bool) -> None:
    source, target = Small(), Small()
    before = target.last.weight.clone()
    has_head = load_weights_into(target, source.state_dict(), "mine", labels_differ=labels_differ)
    assert has_head != labels_differ
    assert torch.equal(target.first.weight, source.first.weight)
    assert torch.equal(target.last.weight, before if labels_differ else source.last.weight)


def test_the_head_must_fit_if_the_whole_network_is_loaded() -> None:
    with pytest.raises(ValueError, match=r"'last\.weight' is 9x8, not 4x8"):
        load_weights_into(Small(), Small(num_outputs=9).state_dict(), "mine", whole=True)


def test_tensors_of_another_type_raise_an_error() -> None:
    integers = {name: value.long() for name, value in Small().state_dict().items()}
    assert "is torch.int64, not torch.float32" in error_of(load_weights_into, Small(), integers, "mine")
