import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from firstlight.commands.trained.words import with_run

Profiled = Callable[..., tuple[CompletedProcess[str], set[str]]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("export", "RUN", "format=onx"), "format=onx: unknown format, did you mean 'onnx'?"),
        (("evaluate", "RUN", "split=tset"), "split=tset: unknown split, did you mean 'test'?"),
        (("serve", "file=model.onnx"), "file=/PLACE/model.onnx: must be an existing file."),
        (("sample", "RUN", "checkpoint=bst"), "checkpoint=bst: unknown checkpoint of RUN/checkpoints, did you"),
    ],
)
def test_wrong_options_are_reported_before_torch_is_imported(
    arguments: tuple[str, ...], message: str, profiled: Profiled, trained_run: Path
) -> None:
    process, modules = profiled(*(word.replace("RUN", str(trained_run)) for word in arguments))
    assert process.returncode == 1
    start, _, end = message.replace("RUN", str(trained_run)).partition("/PLACE")
    assert process.stderr.startswith(start)
    assert end in process.stderr
    assert not modules & {"torch", "lightning"}


def test_the_run_folder_needs_no_key(profiled: Profiled, trained_run: Path, tmp_path: Path) -> None:
    shutil.copytree(trained_run, tmp_path / "my run", ignore=shutil.ignore_patterns("checkpoints"))
    process, _ = profiled("report", "my run")
    assert (process.returncode, process.stdout.strip()) == (0, "page 'my run/report.html'")
    process, _ = profiled("report", "my run", "run=elsewhere")
    assert process.returncode == 1
    assert process.stderr == "my run: must be key=value, because the run is named already."


def test_words_without_a_key_become_the_run() -> None:
    assert with_run(["outputs/a", "split=val"]) == ['run="outputs/a"', "split=val"]
    assert with_run(["--cfg", "job", "run=a", "-m"]) == ["--cfg", "job", "run=a", "-m"]
    assert with_run(["input=x", "a b,c"]) == ["input=x", 'run="a b,c"']
    with pytest.raises(ValueError, match=r"^b: must be key=value"):
        with_run(["a", "b"])
