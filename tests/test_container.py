"""The Dockerfile: what it copies reaches the builder, its torch satisfies our bound, and its user has no rights."""

import re
import shlex
import tomllib
from fnmatch import fnmatch

from packaging.requirements import Requirement

from helpers.runs import REPOSITORY

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
IGNORED = (REPOSITORY / ".dockerignore").read_text()
GUIDE = (REPOSITORY / "docs" / "guides" / "containers.md").read_text()
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
LINES = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()


def arguments(instruction: str) -> list[str]:
    """Return what follows an instruction, for each line that has it."""
    return [line.partition(" ")[2] for line in LINES if line.partition(" ")[0] == instruction]


def reaches_the_builder(path: str) -> bool:
    """Return whether .dockerignore lets a path through: the last pattern that matches decides."""
    found = True
    for pattern in (line for line in IGNORED.splitlines() if line and not line.startswith("#")):
        if fnmatch(path, pattern.removeprefix("!").replace("**/", "*")):
            found = pattern.startswith("!")
    return found


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    copied = [word for line in arguments("COPY") for word in shlex.split(line)[:-1] if not word.startswith("--")]
    assert set(copied) >= {"pyproject.toml", "src", "configs"}
    for name in copied:
        assert (REPOSITORY / name).exists(), name
        assert reaches_the_builder(name), name
    assert not any(map(reaches_the_builder, ("outputs", "data", ".venv", "uv.lock", ".git", "src/a/__pycache__")))


def test_the_wheel_is_built_from_what_is_copied() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], PROJECT["project"]["readme"], "LICENSE"}
    copied = {word for line in arguments("COPY") for word in shlex.split(line)[:-1]}
    assert {path.partition("/")[0] for path in needed} <= copied


def test_the_torch_of_the_image_satisfies_our_bound() -> None:
    tags = dict(line.split("=", 1) for line in arguments("ARG"))
    version = tags["PYTORCH"].partition("-")[0]
    (bound,) = [each for each in map(Requirement, PROJECT["project"]["dependencies"]) if each.name == "torch"]
    assert bound.specifier.contains(version)
    assert set(tags["EXTRAS"].split(",")) <= set(PROJECT["project"]["optional-dependencies"])
    assert all(image.startswith("pytorch/pytorch:") for image in arguments("FROM"))
    oldest = next(each.version for each in bound.specifier if each.operator == ">=")
    assert f"torch {oldest}" in GUIDE


def test_the_program_runs_without_rights_and_with_a_name_for_any_user() -> None:
    (user,) = arguments("USER")
    assert int(user) > 1000
    environment = " ".join(arguments("ENV"))
    assert " USER=" in environment
    assert "FIRSTLIGHT_DATA=/data" in environment
    assert arguments("ENTRYPOINT") == ['["firstlight"]']
    assert "firstlight" in PROJECT["project"]["scripts"]
    assert arguments("VOLUME") == ['["/data", "/work"]']
    assert all(f":{folder}" in GUIDE for folder in ("/data", "/work"))
