import io
import math
import re
from pathlib import Path
from typing import Any

import pytest

from firstlight.runs.sweeps import Ending, Job, SequentialSweep, State, SweepFolder, SweepScreen

LOSS = {"monitor": "val/loss", "monitor_mode": "min", "status": "completed"}


class Terminal(io.StringIO):
    """A stream that is a terminal, and what it shows in the end."""

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> list[str]:
        lines: list[str] = [""]
        for part in re.split(r"(\x1b\[\d*[FJ]|\n)", self.getvalue()):
            if part.endswith("F"):
                del lines[len(lines) - 1 - int(part[2:-1]) :]
                lines.append("")
            elif part == "\n":
                lines.append("")
            elif not part.startswith("\x1b"):
                lines[-1] += part
        return lines


def begin(screen: SweepScreen, number: int, *words: str) -> None:
    run_dir = screen.folder.path / str(number)
    screen.folder.begin(Job(number, words, {}, run_dir, run_dir / "log"))
    screen.begin(screen.folder.jobs[-1])


def end(screen: SweepScreen, number: int, value: float = math.nan, state: State = "completed", cause: str = "") -> None:
    metrics = {} if cause else LOSS | {"val/loss": value, "status": state}
    screen.end(screen.folder.end(Ending(number, state, cause, metrics, seconds=2.0)))


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return SweepFolder.create(tmp_path / "sweep")


def run_all(screen: SweepScreen) -> None:
    """Six jobs of which two have no result; all begin before the first one ends."""
    for number in range(6):
        begin(screen, number, f"model={'mlp' if number < 3 else 'lenet'}", f"seed={number % 3}", "trainer.max_epochs=1")
    for number, value in ((0, 0.5), (1, 0.3), (4, 0.25), (3, 0.125)):
        end(screen, number, value)
    end(screen, 2, state="killed", cause="killed (SIGKILL)")
    end(screen, 5, state="failed", cause="model=lenet: must be good.\nA second line.")


TABLE = [
    "rank  job  model  val/loss         n  state",
    "1     3-4  lenet  0.1875 ± 0.0884  2  completed",
    "2     0-1  mlp    0.4000 ± 0.1414  2  completed",
]
FAILED = ["job 2  model=mlp seed=2  killed (SIGKILL)", "job 5  model=lenet seed=2  failed: model=lenet: must be good."]


def test_without_a_terminal_there_is_a_line_for_each_job_and_a_table_at_the_end(folder: SweepFolder) -> None:
    stream = io.StringIO()
    screen = SweepScreen(folder, total=6, stream=stream)
    run_all(screen)
    lines = stream.getvalue().splitlines()
    assert lines[:2] == [
        "[1/6] job 0  model=mlp seed=0  val/loss 0.5000  2.0 s",
        "[2/6] job 1  model=mlp seed=1  val/loss 0.3000  2.0 s",
    ]
    assert lines[4:] == [f"[5/6] {FAILED[0]}  2.0 s", f"[6/6] {FAILED[1]}  2.0 s"]
    screen.close()
    final = stream.getvalue().splitlines()[6:]
    assert final[:2] == ["", f"sweep {folder.path}"]
    assert final[2:9] == [*TABLE, "", "without a result", *FAILED]
    assert {f"summary {folder.summary_path}", f"seeds {folder.seeds_path}"} <= set(final[10:])


def test_each_line_names_all_keys_that_vary_though_other_jobs_have_not_begun(folder: SweepFolder) -> None:
    stream = io.StringIO()
    screen = SweepScreen(folder, total=4, stream=stream, keys=["model", "seed"])
    begin(screen, 0, "model=mlp", "seed=1", "trainer.max_epochs=1")
    end(screen, 0, 0.5)
    begin(screen, 1, "model=mlp", "seed=2", "trainer.max_epochs=1")
    end(screen, 1, state="interrupted", cause="interrupted")
    screen.close()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "[1/4] job 0  model=mlp seed=1  val/loss 0.5000  2.0 s"
    assert "job 1  model=mlp seed=2  interrupted" in lines


def test_on_a_terminal_the_table_is_rewritten_in_place(folder: SweepFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "20")
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    screen = SweepScreen(folder, total=8, stream=terminal)
    run_all(screen)
    begin(screen, 6, "model=linear", "seed=0", "trainer.max_epochs=1")
    *shown, bar, last = terminal.shown
    assert (shown, last) == ([*TABLE, *FAILED], "")
    assert "1 running:" in bar
    assert re.search(r"75%\|.*\| 6/8 \[\d\d:\d\d<\d\d:\d\d, .*job", bar)
    end(screen, 6, 0.0625)
    assert terminal.shown[1].startswith("1     6    linear  0.0625")
    screen.close()
    assert terminal.shown[:2] == ["", f"sweep {folder.path}"]
    assert sum(line.startswith("rank") for line in terminal.shown) == 1


def test_a_small_terminal_shows_the_best_jobs(folder: SweepFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("LINES", "10")
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    screen = SweepScreen(folder, stream=terminal)
    for number in range(20):
        begin(screen, number, f"optimizer.lr={1 / (number + 1)}", "model=" + "m" * 100)
        end(screen, number, number / 10)
    shown = terminal.shown
    assert len(shown) <= 10
    assert all(len(line) < 30 for line in shown)
    assert shown[1].startswith("1     0    1.0 ")
    assert "… 15 more" in shown


def test_jobs_that_monitor_different_metrics_have_tables_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def result(monitor: str, value: float, mode: str = "min") -> dict[str, Any]:
        return {"status": "completed", "monitor": monitor, "monitor_mode": mode, monitor: value}

    sweep = SequentialSweep(tmp_path)
    jobs = {"mlp": result("val/loss", 0.7), "lenet": result("val/accuracy", 0.9, "max"), "gan": {"status": "completed"}}
    for number, (model, metrics) in enumerate(jobs.items()):
        sweep.begin(number, [f"model={model}"])
        sweep.finished(metrics)
    sweep.begin(3, ["model=lenett"])
    sweep.failed("model=lenett: unknown model.\nA second line.")
    printed = capsys.readouterr().out
    assert "\n[job 0] model=mlp\n" in printed
    assert printed.endswith("\n[job 3] failed: model=lenett: unknown model.\nA second line.\n")
    sweep.close()
    assert capsys.readouterr().out.splitlines()[2:-1] == [
        *("rank  job  model  val/loss  state", "1     0    mlp    0.7000    completed", ""),
        *("rank  job  model  val/accuracy  state", "1     1    lenet  0.9000        completed", ""),
        *("rank  job  model  state", "2     2    gan    completed", ""),
        *("without a result", "job 3  model=lenett  failed: model=lenett: unknown model.", ""),
    ]
