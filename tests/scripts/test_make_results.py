from pathlib import Path

import pytest

import make_results
from lessons.recorded import block

ROWS = {
    ("digits", str(seed)): dict(
        zip(make_results.COLUMNS, ["digits", str(seed), value, "4.2", "9.6", "2", "x86_64", "2.15"], strict=True)
    )
    for seed, value in enumerate(("0.98", "0.99", "1.0"), 1)
}


def test_the_table_has_the_mean_over_the_seeds_and_leaves_the_rest_of_the_page() -> None:
    page = f"before\n{block('results', 'make_results.py', 'old')}\nafter\n"
    found = make_results.with_table(page, make_results.table(ROWS))
    assert "| `train.py data=digits` | test/accuracy | 0.9900 ± 0.0100 | 3 | 4 s | 10 s | 2 |\n" in found
    assert "old" not in found
    assert found.startswith("before\n<!--")
    assert found.endswith("-->\nafter\n")
    assert make_results.with_table(found, make_results.table(ROWS)) == found


def test_the_times_are_those_of_the_runs_on_the_most_cores() -> None:
    one = ("digits", "1")
    rows = ROWS | {one: ROWS[one] | {"cores": "1", "fit_seconds": "50"}}
    assert "| 0.9900 ± 0.0100 | 3 | 4 s | 10 s | 2 |" in make_results.table(rows)
    assert "| 50 s | 10 s | 1 |" in make_results.table({one: rows[one]})


def test_rows_are_written_in_the_order_of_experiments_and_seeds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(make_results, "RESULTS", tmp_path / "results.csv")
    make_results.write_rows(dict(reversed(ROWS.items())))
    assert list(make_results.read_rows().values()) == list(ROWS.values())


def test_the_tables_in_git_are_those_of_the_results_in_git() -> None:
    rows = make_results.read_rows()
    for page in make_results.PAGES:
        text = page.read_text()
        assert make_results.with_table(text, make_results.table(rows, page.name == "README.md")) == text
