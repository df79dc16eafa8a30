"""Terminals and pipes as they are: readers that end early, encodings without some characters, words of a sweep."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from helpers.runs import REPOSITORY, TINY, history

Script = Callable[..., "subprocess.CompletedProcess[str]"]
# A program that writes as the commands do: after `tolerate_terminals`, to the screen and to a log.
WRITER = """
import sys
from pathlib import Path
from firstlight.log import logger, run_log, tolerate_terminals
tolerate_terminals()
with run_log(Path(sys.argv[1])):
    for number in range(20000):
        logger.info("line %d \\u2026 \\xb1 \\u4e2d", number)
        print("printed \\u2026 \\udce9")
print("the end", file=sys.stderr)
"""
ENVIRONMENT = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}


def write_to(reader: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the writer with its output in a pipe to a shell command, and print its exit status at the end."""
    command = f'"$0" -c "$1" "$2" | {reader}; echo "status ${{PIPESTATUS[0]}}"'
    words = ["bash", "-c", command, sys.executable, WRITER, str(folder / "log")]
    return subprocess.run(words, env=ENVIRONMENT | environment, capture_output=True, timeout=60, encoding="latin-1")


@pytest.mark.skipif(sys.platform == "win32", reason="needs bash")
def test_a_reader_that_ends_early_is_no_error_and_the_log_is_complete(tmp_path: Path) -> None:
    done = write_to("head -1", tmp_path)
    assert done.stdout.splitlines()[1:] == ["status 0"]
    assert done.stderr == "the end\n"
    assert len((tmp_path / "log").read_text(encoding="utf-8").splitlines()) == 20000


@pytest.mark.skipif(sys.platform == "win32", reason="needs bash")
@pytest.mark.parametrize(
    ("encoding", "first", "second"),
    [
        ("ascii", r"line 0 \u2026 \xb1 \u4e2d", r"printed \u2026 \udce9"),
        ("cp1252", "line 0 \x85 \xb1 \\u4e2d", "printed \x85 \\udce9"),
        ("latin-1", "line 0 \\u2026 \xb1 \\u4e2d", r"printed \u2026 \udce9"),
    ],
)
def test_a_character_that_the_terminal_lacks_is_written_as_its_number(
    encoding: str, first: str, second: str, tmp_path: Path
) -> None:
    done = write_to("head -2", tmp_path, PYTHONIOENCODING=encoding)
    assert done.stdout.split("\n")[:3] == [first, second, "status 0"]
    assert done.stderr == "the end\n"


@pytest.mark.slow
def test_predict_needs_no_unicode(script: Script, tmp_path: Path, trained_run: Path) -> None:
    images = tmp_path / ("long " * 12) / "photos"
    images.mkdir(parents=True)
    for number in range(21):
        Image.new("L", (8, 8), number).save(images / f"{number:02}.png")
    words = (f"run={trained_run}", f"input={images}", f"output={tmp_path / 'labels.csv'}")
    plain = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = script("predict", *words, **plain)
    assert (done.returncode, done.stderr) == (0, "")
    assert r"\u2026 and 1 more" in done.stdout
    assert len((tmp_path / "labels.csv").read_text(encoding="utf-8").splitlines()) == 22


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs bash")
def test_a_run_whose_output_is_not_read_any_more_goes_on(tmp_path: Path) -> None:
    command = '"$0" "$@" | true; echo "status ${PIPESTATUS[0]}"'
    script = str(REPOSITORY / "scripts" / "train.py")
    words = ["bash", "-c", command, sys.executable, script, *TINY, "trainer.max_epochs=1", "run_dir=run"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("status 0\n", "")
    assert len(history(tmp_path / "run")) == 1


@pytest.mark.parametrize("word", ["run_dir=there", "run_dir=one,two", "+run_dir=there"])
def test_a_run_dir_for_a_sweep_is_refused_before_any_job(word: str, script: Script, tmp_path: Path) -> None:
    done = script("train", "-m", word, "seed=1,2", *TINY)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{word}: must be left out of a sweep. To fix: hydra.sweep.dir=FOLDER names")
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())
