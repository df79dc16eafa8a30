"""Train each experiment with several seeds, and write the tables of results into README.md and docs/results.md.

uv run scripts/make_results.py DATA                       all experiments, five seeds each
uv run scripts/make_results.py DATA --only digits asl     some of them
uv run scripts/make_results.py --tables                   only write the tables from docs/results.csv

DATA is a folder with the official files, as shared/datasets/get.py makes it. Each run is a row of docs/results.csv when
it has ended, so a program that was stopped goes on where it was. Rows of another machine or version of torch are kept,
and trained again only with --again.
"""

import argparse
import csv
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from firstlight.files import write_text
from firstlight.runs import RunFolder
from lessons.recorded import REPOSITORY, machine, run_script, with_block

RESULTS = REPOSITORY / "docs" / "results.csv"
PAGES = (REPOSITORY / "README.md", REPOSITORY / "docs" / "results.md")
COLUMNS = ("experiment", "seed", "value", "fit_seconds", "total_seconds", "cores", "processor", "torch")


@dataclass(frozen=True)
class Experiment:
    """A command of train.py, and the metric by which it is judged.

    Attributes:
        name: a word for --only, and the key of its rows.
        words: the words of the command line, without `data.dir` and `seed`.
        folder: the folder of the data below DATA; None for an experiment that needs no files.
        metric: the name of the metric.
        digits: digits after the decimal point.
        in_readme: whether README.md shows it too.
    """

    name: str
    words: str
    folder: str | None = "."
    metric: str = "test/accuracy"
    digits: int = 4
    in_readme: bool = False


EXPERIMENTS = (
    Experiment("digits", "data=digits", None, in_readme=True),
    Experiment("linear", "data=mnist model=linear"),
    Experiment("mlp", "data=mnist model=mlp", in_readme=True),
    Experiment("lenet", "data=mnist model=lenet", in_readme=True),
    Experiment("mnist_mlp", "experiment=mnist_mlp"),
    Experiment("mnist_lenet", "experiment=mnist_lenet", in_readme=True),
    Experiment("mnist_lstm", "experiment=mnist_lstm"),
    Experiment("asl", "experiment=asl", in_readme=True),
    Experiment("doggy_door", "experiment=doggy_door", "doggy-door", in_readme=True),
    Experiment("dog_breeds", "experiment=dog_breeds data.target=all_breeds"),
    Experiment("autoencoder", "experiment=mnist_autoencoder", metric="test/loss", digits=5),
    Experiment("text_lstm", "experiment=text_lstm", None, "test/bits_per_token", digits=3),
    Experiment("spam", "experiment=spam", "spam", in_readme=True),
    Experiment("digits_segmentation", "experiment=digits_segmentation", None, "test/mean_iou"),
    Experiment("pets_segmentation", "experiment=pets_segmentation", metric="test/mean_iou"),
    Experiment("digits_localisation", "experiment=digits_localisation", None, "test/iou"),
    Experiment("pets_localisation", "experiment=pets_localisation", metric="test/iou"),
    Experiment("digits_detection", "experiment=digits_detection", None, "test/map50"),
    Experiment("cartpole", "experiment=cartpole", None, "test/return", digits=1),
    Experiment("cifar10", "experiment=cifar10_resnet"),
)


def main() -> None:
    """Train what is missing, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, help="folder with the official files")
    parser.add_argument(
        "--only", nargs="+", choices=[experiment.name for experiment in EXPERIMENTS], help="these experiments alone"
    )
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, counted from 1")
    parser.add_argument("--again", action="store_true", help="also train what is known already")
    parser.add_argument("--tables", action="store_true", help="train nothing")
    chosen = parser.parse_args()
    rows = read_rows()
    if not chosen.tables:
        if chosen.data is None:
            parser.error("DATA: must be a folder with the official files")
        for experiment in EXPERIMENTS:
            if chosen.only is None or experiment.name in chosen.only:
                for seed in range(1, chosen.seeds + 1):
                    if chosen.again or (experiment.name, str(seed)) not in rows:
                        rows[experiment.name, str(seed)] = train(experiment, seed, chosen.data)
                        write_rows(rows)
    for page in PAGES:
        write_text(page, with_table(page.read_text(), table(rows, page.name == "README.md")))
    print(table(rows))


def train(experiment: Experiment, seed: int, data: Path) -> dict[str, str]:
    """Train an experiment in a process of its own, and return its row."""
    print(f"{experiment.words} seed={seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        words = [*experiment.words.split(), f"seed={seed}", f"run_dir={run}"]
        if experiment.folder is not None:
            words.append(f"data.dir={(data / experiment.folder).absolute()}")
        run_script("train", words)
        metrics = RunFolder(run).metrics()
    values = (
        experiment.name,
        seed,
        metrics[experiment.metric],
        round(metrics["seconds/fit"], 1),
        round(metrics["seconds/total"], 1),
        *machine().values(),
    )
    return dict(zip(COLUMNS, map(str, values), strict=True))


def read_rows() -> dict[tuple[str, str], dict[str, str]]:
    """Return the rows of docs/results.csv by experiment and seed."""
    if not RESULTS.exists():
        return {}
    with RESULTS.open(newline="") as file:
        return {(row["experiment"], row["seed"]): row for row in csv.DictReader(file)}


def write_rows(rows: dict[tuple[str, str], dict[str, str]]) -> None:
    """Write docs/results.csv, in the order of the experiments."""
    places = {experiment.name: place for place, experiment in enumerate(EXPERIMENTS)}
    ordered = sorted(rows.values(), key=lambda row: (places.get(row["experiment"], len(places)), int(row["seed"])))
    lines = [",".join(COLUMNS), *(",".join(row[column] for column in COLUMNS) for row in ordered)]
    write_text(RESULTS, "\n".join(lines) + "\n")


def table(rows: dict[tuple[str, str], dict[str, str]], for_readme: bool = False) -> str:
    """Return a Markdown table of the experiments that have rows: mean and standard deviation over the seeds.

    The times are means over the runs on the most cores.
    """
    lines = [
        "| command | metric | mean ± standard deviation | seeds | fit | with imports and test | cores |",
        "|" + " --- |" * 7,
    ]
    for experiment in EXPERIMENTS:
        found = [row for (name, _), row in rows.items() if name == experiment.name]
        if found and (experiment.in_readme or not for_readme):
            values = [float(row["value"]) for row in found]
            spread = f" ± {stdev(values):.{experiment.digits}f}" if len(values) > 1 else ""
            cores = max(int(row["cores"]) for row in found)
            timed = [row for row in found if int(row["cores"]) == cores]
            fit, total = (fmean(float(row[f"{key}_seconds"]) for row in timed) for key in ("fit", "total"))
            value = f"{fmean(values):.{experiment.digits}f}{spread}"
            seconds = f"{fit:,.0f} s | {total:,.0f} s | {cores}"
            lines.append(
                f"| `train.py {experiment.words}` | {experiment.metric} | {value} | {len(values)} | {seconds} |"
            )
    return "\n".join(lines) + "\n"


def with_table(text: str, new: str) -> str:
    """Return the text of a page with another table between the two comments that mark it."""
    return with_block(text, "results", "make_results.py", new)


if __name__ == "__main__":
    main()
