"""The structure of the package: no cycles, few entries in each folder, and an import that costs nothing."""

import subprocess
import sys
from graphlib import TopologicalSorter

import grimp

import firstlight
from helpers.runs import REPOSITORY

SOURCES = REPOSITORY / "src" / "firstlight"
ONE_THING_PER_FILE = {"data", "augment", "networks"}  # packages that may have any number of modules


def test_no_module_imports_itself_through_others_lazy_imports_included() -> None:
    graph = grimp.build_graph("firstlight", cache_dir=None)
    imports = {
        module: graph.find_modules_directly_imported_by(module) for module in graph.modules if module != "firstlight"
    }
    assert sum(map(len, imports.values())) > 300
    TopologicalSorter(imports).prepare()  # raises CycleError


def test_folders_have_few_entries() -> None:
    entries = [path for path in SOURCES.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 16
    for folder in (path for path in SOURCES.rglob("*") if path.is_dir() and path.name != "__pycache__"):
        if folder.relative_to(SOURCES).parts[0] not in ONE_THING_PER_FILE:
            assert len(list(folder.glob("*.py"))) <= 12, folder


def test_the_front_door_is_lazy_and_complete() -> None:
    code = (
        "import sys, threading, firstlight; print(len(sys.modules), threading.active_count(), 'torch' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert int(printed[0]) < 200
    assert printed[1:] == ["1", "False"]
    assert {"compose", "train", "resume", "sweep", "load_run", "load_pretrained", "Run", "DataSpec"} <= set(
        dir(firstlight)
    )
    assert (SOURCES / "py.typed").exists()
    assert all(callable(getattr(firstlight, name)) for name in firstlight._ORIGINS)
