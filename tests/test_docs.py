"""The site of docs/: its commands, keys and Python code are right, and every key of the config has a description."""

import importlib
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from PIL import Image

from api_reference import api_pages
from config_reference import config_pages, description
from firstlight.commands.main import COMMANDS
from firstlight.commands.trained.compare import with_paths
from firstlight.config import CONFIG_DIR, RunConfig, compose
from helpers.runs import REPOSITORY
from yaml_files import Option, read_options

DOCS = REPOSITORY / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
OPTIONS = read_options(CONFIG_DIR)
GROUPS = {group for group, _ in OPTIONS if group}
OTHER_PROGRAMS = ("pip", "tensorboard", "source", "bash", "cd", "pytest", "curl")
PROJECT = REPOSITORY / "src" / "firstlight" / "commands" / "template"  # the project of guides/project.md


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the words of each command of firstlight in the bash blocks of a page."""
    for line in "".join(blocks("bash", text)).splitlines():
        for part in line.split("&&"):
            found = re.search(r"\bfirstlight (\w+)|scripts/(\w+)\.py", part)
            if found:
                yield found[1] or found[2], shlex.split(part[found.end() :], comments=True)
            else:
                program = part.split("#")[0].split()[:1]
                assert not program or program[0] in OTHER_PROGRAMS, f"{part}: must be a command that this test knows."


def first_job(arguments: list[str]) -> list[str]:
    """Return the words of the first job of a sweep."""
    if not {"-m", "--multirun"} & set(arguments):
        return arguments
    parsed = [OverridesParser.create().parse_override(word) for word in arguments if not word.startswith("-")]
    return [
        f"{override.get_key_element()}={_first_value(override)}"
        if override.is_sweep_override()
        else str(override.input_line)
        for override in parsed
    ]


def _first_value(override: Override) -> str:
    value: Any = override.value()
    if override.is_interval_sweep():
        return str(value.start)
    return next(override.sweep_string_iterator())


def check(command: str, arguments: list[str]) -> None:
    """Compose and check a config as the command does, without running it.

    Raises:
        Exception: a word is unknown, or a value is wrong.
    """
    assert command in COMMANDS
    if command == "new":
        return
    arguments = with_paths(arguments) if command == "compare" else arguments
    config = compose(*(word for word in first_job(arguments) if not word.startswith("-")), config_name=command)
    if command == "train" and config.resume is None:
        try:
            RunConfig.parse(config)
        except ValueError as error:
            if 'pip install "firstlight[' not in str(error):  # the page says that the extra is needed
                raise


NOT_RUN = [page for page in PAGES if page.parent.name != "course"]  # tests/scripts runs the commands of the course


@pytest.mark.parametrize("page", NOT_RUN, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_the_commands_of_a_page_are_accepted(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page.name == "project.md":
        monkeypatch.chdir(PROJECT)
    for command, arguments in commands(page.read_text()):
        try:
            check(command, arguments)
        except Exception as error:
            raise AssertionError(f"{command} {' '.join(arguments)}: {error}") from error


@pytest.mark.parametrize(
    "arguments", ["data.lyout=splits", "optimizer.lr=fast", "model=lenet2", "+trainer.profler=simple"]
)
def test_a_wrong_command_is_noticed(arguments: str) -> None:
    ((command, found),) = commands(f"```bash\nfirstlight train data=folder {arguments}\n```")
    with pytest.raises(Exception, match=r"lyout|fast|lenet2|profler"):
        check(command, found)


def known_keys(text: str) -> set[str]:
    """Return the keys of all configs, of their groups and steps, and of the YAML blocks of a page."""
    keys = {option.path_of(key) for option in OPTIONS.values() for key in option.keys}
    for block in blocks("yaml", text):
        group = Path(block.splitlines()[0]).parent.name
        keys |= {f"{group}.{key}" for key in yaml.safe_load(block)}
    return keys | {key.rpartition(".")[0] for key in keys} | GROUPS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_the_keys_in_the_sentences_of_a_page_exist(page: Path) -> None:
    text = page.read_text()
    known = known_keys(text)
    sentences = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    named = re.findall(r"`([a-z_]+(?:\.[a-z_]+)*)=[^`]*`", sentences)
    named += re.findall(
        rf"`((?:{'|'.join(sorted(GROUPS))})\.(?!(?:json|yaml|onnx|pt2|png|safetensors)`)[a-z_]+)`", sentences
    )
    assert sorted({key for key in named if key not in known and not key.startswith("hydra.")}) == []


def test_the_options_in_the_sentences_of_the_guides_exist() -> None:
    for page in DOCS.glob("guides/*.md"):
        for group, name in re.findall(rf"`({'|'.join(sorted(GROUPS))})=(\w+)`", page.read_text()):
            assert (group, name) in OPTIONS | read_options(PROJECT / "configs"), f"{page.name}: {group}={name}"


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda option: f"{option.group}-{option.name}")
def test_every_key_of_the_config_has_a_comment(option: Option) -> None:
    assert [key.name for key in option.keys if not description(option, key, OPTIONS)] == []


def test_a_comment_is_that_of_the_key_or_of_where_it_comes_from(tmp_path: Path) -> None:
    for group in ("data", "model", "experiment"):
        (tmp_path / group).mkdir()
    (tmp_path / "data/_common.yaml").write_text("# Common.\nbatch_size: 32  # samples\nseed: 1\n")
    (tmp_path / "data/own.yaml").write_text(
        "# Own.\ndefaults: [_common, _self_]\n\nbatch_size: 64\n# above\n# two lines\nsizes: [1, 2]\n"
        "text: 'a # b'  # text | bar\n"
    )
    (tmp_path / "model/net.yaml").write_text("# A net.\nstep:\n  rate: 2  # of the step\n")
    (tmp_path / "experiment/both.yaml").write_text(
        "# @package _global_\n# Both.\ndefaults:\n  - override /data: own\n  - override /model: net\n\n"
        "data:\n  batch_size: 8\nmodel:\n  step:\n    rate: 3\n"
    )
    for name in COMMANDS:
        (tmp_path / f"{name}.yaml").write_text("# A command.\n")
    options = read_options(tmp_path)
    own, both = options["data", "own"], options["experiment", "both"]
    assert [description(own, key, options) for key in own.keys] == ["samples", "above two lines", "text | bar"]
    assert [(both.path_of(key), description(both, key, options)) for key in both.keys] == [
        ("data.batch_size", "samples"),
        ("model.step.rate", "of the step"),
    ]
    assert description(options["data", "_common"], options["data", "_common"].keys[1], options) == ""
    pages = config_pages(tmp_path)
    assert "| `data.text` | `'a # b'` | text \\| bar |" in pages["data"][1]
    assert "Inherits the keys of [`_common`](#data-_common)." in pages["data"][1]
    assert "Selects `data=own`, `model=net`." in pages["experiment"][1]


def test_the_reference_has_every_public_name() -> None:
    pages = api_pages(REPOSITORY / "src" / "firstlight")
    assert {"firstlight", "firstlight.data", "firstlight.runs.predict"} <= pages.keys()
    for module, (_, text) in pages.items():
        names = re.findall(r"^::: (\S+)\.(\w+)$", text, flags=re.MULTILINE)
        assert {origin for origin, _ in names} == {module}
        assert all(hasattr(importlib.import_module(module), name) for _, name in names)
    assert "::: firstlight.train\n" in pages["firstlight"][1]


def test_the_site_loads_nothing_from_elsewhere() -> None:
    pytest.importorskip("mkdocs")
    site = importlib.import_module("site_pages")
    site.on_post_page('<a href="https://hydra.cc">Hydra</a><script src="assets/bundle.js"></script>')
    for tag in (
        '<script async src="https://a.b/c.js">',
        "<link rel=stylesheet href=//a.b/c.css>",
        '<img src="http://a.b">',
    ):
        with pytest.raises(Exception, match="must be a file of the site"):
            site.on_post_page(f"<p>{tag}</p>")


def test_the_python_code_of_the_guide_runs(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 30), "gray").save("photos/one.png")
    shutil.copytree(trained_run, "outputs/digits-lenet/STOPPED")
    code = "\n".join(blocks("python", (DOCS / "guides" / "python.md").read_text()))
    code = re.sub(r"epochs=\d", "epochs=1", code)
    code = code.replace('fl.resume("outputs/digits-lenet/STOPPED")', "fl.resume")  # this run has ended
    names: dict[str, Any] = {}
    exec(compile(code, "python.md", "exec"), names)
    assert names["run"].config.name == "arrays-Small"
    assert "best epoch 1 by val/loss" in capsys.readouterr().out


@pytest.mark.slow
def test_the_notebook_runs_and_its_outputs_are_not_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(DOCS / "guides" / "notebook.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    trained = code[1].outputs
    bars = [output for output in trained if output.output_type == "display_data"]
    assert len(bars) == 1  # all epochs draw at one place, which is empty in the end
    assert bars[0].data["text/html"] == ""
    streams = [output.text for output in trained if output.output_type == "stream"]
    assert "".join(streams).count("epoch ") >= 3
    assert not any("\r" in text for text in streams)
    shown = [output for cell in code for output in cell.outputs if output.output_type == "execute_result"]
    assert any(
        "<table>" in output.data.get("text/html", "") and "accuracy" in output.data["text/html"] for output in shown
    )
    (mistake,) = [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert mistake.evalue == "optimizer.lerning_rate: unknown key, did you mean 'optimizer.lr'?"
    assert len(mistake.traceback) <= 5
    assert sum(text.count("\n") for text in mistake.traceback) < 40
