import inspect
import subprocess
import sys
from typing import Any

import firstlight.augment
from firstlight.augment import Augment
from firstlight.augment.step import Step
from firstlight.config.checking.steps import OPTIONS, add_targets, step_names, step_target, without_steps


def test_the_names_of_steps_stand_for_all_step_classes_of_the_package() -> None:
    steps = [
        f"firstlight.augment.{name}"
        for name, member in inspect.getmembers(firstlight.augment, inspect.isclass)
        if issubclass(member, Step) and member is not firstlight.augment.ModuleStep  # it has no name of its own
    ]
    assert sorted(map(step_target, step_names())) == sorted(steps)


def test_the_options_are_those_of_the_pipeline() -> None:
    signature = inspect.signature(Augment).parameters
    assert set(OPTIONS) == set(signature) - {"spec", "min_size", "steps"}


def test_a_step_gets_the_target_that_its_name_stands_for_unless_it_has_one() -> None:
    node: dict[str, Any] = {"size": None, "pad_and_crop": {"pixels": 2}, "own": {"_target_": "my.Step"}, "flip": None}
    add_targets(node)
    assert node == {
        "size": None,
        "pad_and_crop": {"_target_": "firstlight.augment.PadAndCrop", "pixels": 2},
        "own": {"_target_": "my.Step"},
        "flip": None,
    }


def test_without_steps_only_the_options_remain() -> None:
    node = {"_target_": "firstlight.augment.Augment", "size": 32, "flip": {"p": 0.5}, "hue": None}
    assert without_steps(node) == {"_target_": "firstlight.augment.Augment", "size": 32, "hue": None}


def test_the_names_of_steps_are_found_without_importing_torch() -> None:
    code = "import sys; from firstlight.config.checking.steps import step_names;"
    code += "print(len(step_names()), 'torch' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == f"{len(step_names())} False\n"
