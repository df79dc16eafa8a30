"""Results that a script computes and pages of the documentation show: running commands, the machine, blocks of pages.

make_results.py and make_course.py use it.
"""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def run_script(name: str, words: Sequence[str], folder: Path | None = None, **environment: str) -> str:
    """Run scripts/NAME.py in a process of its own, and return what it prints.

    Args:
        name: the script.
        words: the words of its command line.
        folder: the working directory.
        environment: environment variables, beside those of this process.

    Raises:
        subprocess.CalledProcessError: its exit status is not 0; what it has printed is on the screen.
    """
    command = [sys.executable, str(REPOSITORY / "scripts" / f"{name}.py"), *words]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, stdout=subprocess.PIPE, encoding="utf-8", check=False
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        done.check_returncode()
    return done.stdout


def machine() -> dict[str, str]:
    """Return what results depend on beside the code: the cores that a run uses, the processor, the version of torch."""
    return {
        "cores": os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count()),
        "processor": platform.processor() or platform.machine(),
        "torch": version("torch"),
    }


def block(name: str, script: str, text: str) -> str:
    """Return a text between the two comments that mark it on a page.

    Args:
        name: what the block holds, such as "results".
        script: the script that writes it.
        text: its lines, with the last line break.
    """
    return f"<!-- {name}: written by scripts/{script} -->\n{text}<!-- end of the {name} -->"


def with_block(page: str, name: str, script: str, text: str) -> str:
    """Return the text of a page with another text between the two comments that mark the block, see `block`."""
    start, end = block(name, script, "\0").split("\0")
    return re.sub(
        re.escape(start) + r".*?" + re.escape(end), lambda _: block(name, script, text), page, flags=re.DOTALL
    )
