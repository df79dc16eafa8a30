"""Logs and progress bars; those of a whole run are tested with the runs."""

import io
import logging
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from firstlight import log


def test_a_bar_of_a_notebook_is_drawn_as_html_and_disappears(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(log, "_notebook", lambda: SimpleNamespace(execution_count=1))
    monkeypatch.setattr(log, "_draw", lambda shell, content: drawn.append(content))
    with log.progress_bar(4, "epoch <1>", "batch") as bar:
        bar.mininterval = 0
        for _ in range(4):
            bar.update()
    assert drawn[0].startswith('<progress value="0" max="4"></progress> <code>epoch &lt;1&gt;: 0/4 [')
    assert drawn[-1] == ""
    assert capsys.readouterr() == ("", "")


def test_a_bar_needs_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for file, is_shown in ((io.StringIO(), False), (Terminal(), True)):
        with log.progress_bar(4, "epoch 1", "batch", file):
            pass
        assert ("epoch 1" in file.getvalue()) is is_shown
    assert "IPython" not in sys.modules or log._notebook() is None


def test_a_log_of_a_run_leaves_the_logger_as_it_was(tmp_path: Path) -> None:
    before = log.logger.level, log.logger.propagate, list(log.logger.handlers)
    with log.run_log(tmp_path / "train.log"):
        log.logger.debug("only in the file")
        assert log.logger.level == logging.DEBUG
    assert (log.logger.level, log.logger.propagate, list(log.logger.handlers)) == before
    assert "only in the file" in (tmp_path / "train.log").read_text()
