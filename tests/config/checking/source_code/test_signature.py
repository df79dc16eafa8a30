import ast
import importlib
import inspect
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from firstlight.config.checking.source_code.signature import names as package_names
from firstlight.config.checking.source_code.signature import parameters

Package = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Return a function that writes an importable package of the given source files and returns its unique name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(**sources: str) -> str:
        name = f"generated_{secrets.token_hex(4)}"
        for module, source in ({"__init__": ""} | sources).items():
            path = tmp_path / name / f"{module.replace('__in__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        return name

    return make


def names(target: str) -> list[str] | None:
    found = parameters(target)
    return None if found is None else list(found)


@pytest.mark.parametrize(
    "target",
    [
        "torch.optim.AdamW",
        "torch.optim.SGD",
        "torch.optim.RMSprop",
        "lightning.pytorch.Trainer",
        "firstlight.data.Digits",
        "firstlight.data.MNIST",
        "firstlight.networks.LeNet",
        "firstlight.networks.Linear",
        "firstlight.networks.MLP",
        "firstlight.training.schedulers.onecycle",
    ],
)
def test_the_parameters_in_the_source_are_those_of_the_imported_object(target: str) -> None:
    module, _, name = target.rpartition(".")
    signature = inspect.signature(getattr(importlib.import_module(module), name))
    assert names(target) == list(signature.parameters)


def test_the_names_of_a_package_are_those_that_its_init_file_imports() -> None:
    exported = [name for name in vars(importlib.import_module("firstlight.networks")) if name[0].isupper()]
    assert [name for name in package_names("firstlight.networks") if name[0].isupper()] == exported


def test_annotations_are_kept() -> None:
    found = parameters("torch.optim.AdamW")
    assert found is not None
    annotation = found["lr"]
    assert annotation is not None
    assert ast.unparse(annotation) == "float | Tensor"


def test_a_module_is_read_without_being_imported(package: Package) -> None:
    name = package(net="raise RuntimeError\ndef net(width, depth=2): ...")
    assert names(f"{name}.net.net") == ["width", "depth"]
    assert name not in sys.modules


def test_a_relative_import_is_followed(package: Package) -> None:
    name = package(__init__="from .net import Net as Renamed", net="class Net:\n def __init__(self, width): ...")
    assert names(f"{name}.Renamed") == ["width"]


def test_a_relative_import_from_the_package_above_is_followed(package: Package) -> None:
    name = package(
        base="class Base:\n def __init__(self, depth): ...",
        nets__in____init__="",
        nets__in__net="from ..base import Base\nclass Net(Base): ...",
    )
    assert names(f"{name}.nets.net.Net") == ["depth"]


def test_a_name_imported_from_the_package_itself_is_followed(package: Package) -> None:
    name = package(__init__="def net(width): ...", other="from . import net")
    assert names(f"{name}.other.net") == ["width"]


def test_kwargs_stand_for_the_parameters_of_the_base_class(package: Package) -> None:
    base = "class Base:\n def __init__(self, depth: int, width: int): ...\n"
    name = package(net=base + "class Net(Base):\n def __init__(self, *, width: float, **kwargs): ...")
    found = parameters(f"{name}.net.Net")
    assert found is not None
    assert {key: ast.unparse(value) for key, value in found.items() if value} == {"depth": "int", "width": "float"}


def test_kwargs_are_followed_through_several_base_classes(package: Package) -> None:
    name = package(
        net="class A:\n def __init__(self, a): ...\n"
        "class B(A):\n def __init__(self, b, **rest): ...\n"
        "class C(B):\n def __init__(self, c, **rest): ..."
    )
    assert names(f"{name}.net.C") == ["a", "b", "c"]


def test_without_kwargs_the_parameters_of_the_base_class_do_not_count(package: Package) -> None:
    name = package(
        net="class A:\n def __init__(self, a): ...\nclass B(A):\n def __init__(self, b): super().__init__(1)"
    )
    assert names(f"{name}.net.B") == ["b"]


@pytest.mark.parametrize(
    "source",
    [
        "def Net(width, **options): ...",
        "class Net:\n def __init__(self, width, **options): ...",
        "import torch.nn as nn\nclass Net(nn.Module):\n def __init__(self, width, **options): ...",
        "class Net(dict):\n def __init__(self, width, **options): ...",
        "class Net: ...",
        "Net = lambda width: width",
        "from torch.nn import *",
        "def __getattr__(name): return print",
        "from math import sqrt as Net",
    ],
)
def test_the_result_is_none_if_the_source_does_not_show_the_parameters(package: Package, source: str) -> None:
    assert parameters(f"{package(net=source)}.net.Net") is None


@pytest.mark.parametrize("target", ["math.sqrt", "torch.optim", "torch.optim.AdamW.step"])
def test_the_result_is_none_for_modules_methods_and_compiled_functions(target: str) -> None:
    assert parameters(target) is None


@pytest.mark.parametrize(
    "source",
    [
        "if True:\n class Net:\n  def __init__(self, width): ...",
        "try:\n from .other import Net\nexcept ImportError:\n raise",
    ],
)
def test_a_name_that_is_bound_inside_a_block_is_known(package: Package, source: str) -> None:
    name = package(net=source, other="def Net(width): ...")
    assert names(f"{name}.net.Net") in (None, ["width"])


def test_the_last_of_several_definitions_counts(package: Package) -> None:
    name = package(net="def net(old): ...\ndef net(new): ...")
    assert names(f"{name}.net.net") == ["new"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("unknown_package.Net", "the module 'unknown_package' must be installed"),
        ("torch.optim.AdmaW", r"'AdmaW' must be defined in torch\.optim"),
        ("firstlight.networks.lenet.LeNett", r"'LeNett' must be defined in firstlight\.networks\.lenet"),
    ],
)
def test_a_target_that_does_not_exist_raises_an_error(target: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parameters(target)
