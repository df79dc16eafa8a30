from pathlib import Path

import pytest

from firstlight.runs.summary import metrics_table


def test_a_path_is_shown_from_here_and_as_a_shell_takes_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert relative_path(tmp_path / "outputs" / "run") == "outputs/run"
    assert relative_path(tmp_path / "my runs" / "first") == "'my runs/first'"
    assert relative_path(Path("/elsewhere/run")) == "/elsewhere/run"


def test_a_split_is_a_row_and_a_metric_a_column() -> None:
    table = metrics_table({"val/loss": 0.25, "test/loss": 0.5, "test/accuracy": 1.0, "status": "completed"})
    assert [line.split() for line in table.splitlines()] == [
        ["loss", "accuracy"],
        ["val", "0.250000"],
        ["test", "0.500000", "1.000000"],
    ]


def test_large_values_keep_apart_and_below_their_names() -> None:
    table = metrics_table({"train/mse": 28901289.5, "train/r2": -1.0, "val/mse": 1.0, "val/r2": 0.5})
    header, *rows = table.splitlines()
    assert rows[0].split() == ["train", "28901289.500000", "-1.000000"]
    assert len({len(line) for line in (header, *rows)}) == 1
    assert header.index("mse") + 3 == rows[0].index("28901289.500000") + 15
