import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from firstlight.transfer.head import replace_head
from firstlight.transfer.weights_file import load_weights_into, read_checkpoint, read_weights

STATE = {"conv.weight": torch.arange(12.0).reshape(4, 3), "conv.bias": torch.ones(4)}


class Small(nn.Module):
    def __init__(self, num_outputs: int = 4, width: int = 8) -> None:
        super().__init__()
        self.first = nn.Linear(3, width)
        self.norm = nn.BatchNorm1d(width)
        self.last = nn.Linear(width, num_outputs)


class Wrapped(nn.Module):
    prefix = "theirs."

    def __init__(self) -> None:
        super().__init__()
        self.theirs = Small()


class TwoHeads(Small):
    heads = ("last", "other")

    def __init__(self, num_outputs: int) -> None:
        super().__init__(num_outputs)
        self.other = nn.Linear(8, num_outputs)


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (Path.touch, (self.path,))


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in found)


def refusal(call: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(ValueError, match=r"^model\.weights=") as caught:
        call(*arguments)
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["pth", "pt", "safetensors"])
def test_tensors_come_back_by_name(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"weights.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(STATE, path)
    assert same(read_weights(path), STATE)


def test_files_as_torch_wrote_them_before_its_zip_files_are_read(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert same(read_weights(tmp_path / "old.pth"), STATE)


@pytest.mark.parametrize("wrapping", ["state_dict", "model", "model_state_dict"])
def test_what_stands_around_the_tensors_and_before_their_names_is_taken_off(wrapping: str, tmp_path: Path) -> None:
    parallel = {f"module.{name}": value for name, value in STATE.items()}
    torch.save({wrapping: parallel, "epoch": 3}, tmp_path / "wrapped.pth")
    assert same(read_weights(tmp_path / "wrapped.pth"), STATE)


@pytest.mark.parametrize("as_zip", [True, False])
def test_code_in_a_file_is_refused_and_not_run(as_zip: bool, tmp_path: Path) -> None:
    path, made = tmp_path / "hostile.pth", tmp_path / "made"
    if as_zip:
        torch.save({"weight": Touch(made)}, path)
    else:
        path.write_bytes(pickle.dumps(Touch(made)))
    message = refusal(read_weights, path)
    assert "damaged, or it holds more than tensors" in message
    assert "weights_only" not in message  # torch's advice would run it
    assert not made.exists()


def test_a_whole_network_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "network.pth")
    assert "holds more than tensors" in refusal(read_weights, tmp_path / "network.pth")


@pytest.mark.parametrize("size", [0, 9, 300, -1])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_half_a_file_is_refused(suffix: str, size: int, tmp_path: Path) -> None:
    path = tmp_path / f"half.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)({"weight": torch.randn(300)}, path)
    path.write_bytes(path.read_bytes()[:size])
    assert f"{path}: damaged" in refusal(read_weights, path)


@pytest.mark.parametrize("name", ["page.pth", "page.safetensors", "page.ckpt"])
def test_a_web_page_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("<!DOCTYPE html><html><body>404: no such file</body></html>")
    read = read_checkpoint if name.endswith(".ckpt") else read_weights
    assert f"{name}: this is a web page" in refusal(read, tmp_path / name)


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "zip.pth: damaged" in refusal(read_weights, tmp_path / "zip.pth")


@pytest.mark.parametrize("content", [[1, 2], {}, {"lr": 0.1}, {"weight": torch.ones(2), "epoch": 3}], ids=str)
def test_what_is_no_tensors_by_name_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pth")
    assert "it holds no tensors by name" in refusal(read_weights, tmp_path / "other.pth")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "there is no such file" in refusal(read_weights, tmp_path / "none.pth")
    assert "there is no such file" in refusal(read_checkpoint, tmp_path)


def test_a_checkpoint_of_others_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": STATE, "epoch": 3}, tmp_path / "last.ckpt")
    assert "no checkpoint of a run of firstlight" in refusal(read_checkpoint, tmp_path / "last.ckpt")


def test_all_tensors_are_put_where_they_fit() -> None:
    source, target = Small(), Small()
    load_weights_into(target, source.state_dict(), "mine")
    assert same(target.state_dict(), source.state_dict())


def test_a_head_for_other_classes_stays_as_it_was() -> None:
    source, target = Small(num_outputs=9), Small()
    before = target.last.weight.clone()
    load_weights_into(target, source.state_dict(), "mine")
    assert torch.equal(target.first.weight, source.first.weight)
    assert torch.equal(target.last.weight, before)


@pytest.mark.parametrize("whose", ["source", "target"])
def test_another_kind_of_head_stays_as_it_was(whose: str) -> None:
    networks = {"source": Small(), "target": Small()}
    replace_head(networks[whose], "mlp", num_outputs=4)
    source, target = networks.values()
    before = {name: value.clone() for name, value in target.last.state_dict().items()}
    load_weights_into(target, source.state_dict(), "mine")
    assert torch.equal(target.first.weight, source.first.weight)
    assert same(target.last.state_dict(), before)


def test_two_heads_stay_as_they_were_where_one_does_not_fit() -> None:
    source, target = TwoHeads(9), TwoHeads(4)
    before = target.other.weight.clone()
    load_weights_into(target, source.state_dict(), "mine")
    assert torch.equal(target.first.weight, source.first.weight)
    assert torch.equal(target.other.weight, before)


@pytest.mark.parametrize("stripped", [True, False])
def test_names_may_lack_the_prefix_of_a_network_that_wraps_another(stripped: bool) -> None:
    source, target = Wrapped(), Wrapped()
    load_weights_into(target, (source.theirs if stripped else source).state_dict(), "mine")
    assert same(target.state_dict(), source.state_dict())


def test_files_that_do_not_count_batches_fit() -> None:
    source, target = Small(), Small()
    state = {name: value for name, value in source.state_dict().items() if not name.endswith("num_batches_tracked")}
    load_weights_into(target, state, "mine")
    assert torch.equal(target.norm.running_mean, source.norm.running_mean)


def test_tensors_that_a_network_does_not_use_are_passed_over() -> None:
    target = Small()
    target.unused_prefixes = ("aux.",)
    load_weights_into(target, Small().state_dict() | {"aux.weight": torch.ones(2)}, "mine")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda state: state.pop("first.bias"), "they lack 'first.bias'"),
        (lambda state: state.update({"second.weight": torch.ones(2)}), "they hold 'second.weight', which it has not"),
        (lambda state: state.update(Small(width=5).state_dict()), "'first.weight' is 5x3, not 8x3"),
    ],
)
def test_weights_of_another_network_are_refused_with_the_first_difference(
    change: Callable[[dict[str, Tensor]], Any], reason: str
) -> None:
    target, state = Small(), dict(Small().state_dict())
    before = {name: value.clone() for name, value in target.state_dict().items()}
    change(state)
    message = refusal(load_weights_into, target, state, "mine.pth")
    assert message.startswith(f"model.weights=mine.pth: weights of another network than this Small: {reason}.")
    assert same(target.state_dict(), before)


def test_weights_that_are_no_numbers_are_refused() -> None:
    state = Small().state_dict()
    state["first.bias"] = torch.full((8,), torch.nan)
    assert "'first.bias' holds what is no number" in refusal(load_weights_into, Small(), state, "mine.pth")


def test_a_head_that_tells_others_apart_is_left(tmp_path: Path) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.output = nn.Linear(3, 4), nn.Linear(4, 2)

    given, own = Two(), Two()
    head = own.output.weight.clone()
    assert not load_weights_into(own, given.state_dict(), "theirs", labels_differ=True)
    assert torch.equal(own.body.weight, given.body.weight)
    assert torch.equal(own.output.weight, head)
    assert load_weights_into(own, given.state_dict(), "theirs")
    assert torch.equal(own.output.weight, given.output.weight)


def test_numbers_of_another_kind_are_refused() -> None:
    layer = nn.Linear(3, 2)
    weights = {name: value.long() for name, value in layer.state_dict().items()}
    with pytest.raises(ValueError, match=r"is torch.int64, not torch.float32"):
        load_weights_into(layer, weights, "numbers", whole=True)


@pytest.mark.parametrize(
    "content", [{"state_dict": 1, "spec": 2, "config": 3}, {"state_dict": {}, "spec": {}, "config": {}}]
)
def test_a_checkpoint_of_others_is_told(content: dict[str, object], tmp_path: Path) -> None:
    torch.save(content, tmp_path / "odd.ckpt")
    with pytest.raises(ValueError, match=r"odd.ckpt: no checkpoint of a run"):
        read_checkpoint(tmp_path / "odd.ckpt")
