import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Profiled = Callable[..., tuple[CompletedProcess[str], set[str]]]


def test_the_script_writes_the_report_again_without_importing_torch(
    profiled: Profiled, trained_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained_run, tmp_path / "run", ignore=shutil.ignore_patterns("report.html", "checkpoints"))
    process, modules = profiled("report", "run=run")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.splitlines() == ["page run/report.html"]
    assert (tmp_path / "run" / "report.html").is_file()
    assert not modules & {"torch", "lightning"}
