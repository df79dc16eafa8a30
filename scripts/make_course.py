"""Run the command of each lesson of docs/course, and write its result and its figure into its page.

uv run scripts/make_course.py DATA                     all lessons that have no result yet
uv run scripts/make_course.py DATA --only mnist cnn    some of them
uv run scripts/make_course.py DATA --again             all lessons, also those that have a result
uv run scripts/make_course.py DATA --check             compare with the results in git, and write nothing
uv run scripts/make_course.py --pages                  only write the pages from docs/course/results.json

DATA is a folder with the official files, as shared/datasets/get.py makes it. Without it the lessons run with the digits
of scikit-learn, and those that need photos are left out. A result is kept as soon as its lesson has ended, so a program
that was stopped goes on where it was; a lesson whose command has changed runs again. All run on two cores.
"""

import argparse
import io
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl
from PIL import Image

from firstlight.files import write_text
from firstlight.log import aligned
from firstlight.runs import RunFolder
from lessons.course import COURSE, LESSONS, Lesson, with_words
from lessons.recorded import REPOSITORY, machine, run_script, with_block

RESULTS = COURSE / "results.json"
_MAX_BYTES = 95_000  # of a figure
_MAX_SIDE = 900  # pixels of a figure's width
_COLOURS = (128, 32)  # of a figure; the second where the first makes too large a file
_CORES = 2

Runner = Callable[[str, Sequence[str], Path], str]


@dataclass(frozen=True)
class Result:
    """What the command of a lesson has given.

    Attributes:
        command: the words of the command, as on the page.
        text: the part of the page that shows it, in Markdown.
        seconds: wall time, with imports.
        is_official: whether the data was that of the page, and not the bundled digits.
        cores: see `recorded.machine`.
        processor: see there.
        torch: see there.
    """

    command: str
    text: str
    seconds: float
    is_official: bool
    cores: str
    processor: str
    torch: str


def main() -> None:
    """Run what is missing, and write the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, help="folder with the official files")
    names = [lesson.name for lesson in LESSONS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="these lessons alone")
    parser.add_argument("--again", action="store_true", help="also run the lessons that have a result")
    parser.add_argument("--check", action="store_true", help="compare with the results in git")
    parser.add_argument("--pages", action="store_true", help="run nothing")
    parser.add_argument("--work", type=Path, default=REPOSITORY / "outputs" / "course", help="folder of the runs")
    chosen = parser.parse_args()
    _use_two_cores()
    course = Course(chosen.work.absolute(), chosen.data and chosen.data.absolute())
    differing = []
    for lesson in LESSONS if not chosen.pages else ():
        if lesson.name not in chosen.only or not course.can_run(lesson):
            continue
        if chosen.check:
            differing += [] if course.agrees(lesson) else [lesson.name]
        elif chosen.again or not course.is_done(lesson):
            course.keep(lesson)
    write_pages(read_results())
    if differing:
        sys.exit(f"other results than in git: {', '.join(differing)}")


class Course:
    """Runs lessons, each in a folder of its own.

    Args:
        work: the folder of these folders.
        data: the folder of the official files; None for the bundled digits.
        is_short: whether each command is shortened, for tests.
        run: runs a script with words in a folder, and returns what it prints; None for a process.
    """

    def __init__(self, work: Path, data: Path | None, is_short: bool = False, run: Runner | None = None) -> None:
        self.work = work
        self.data = data
        self.is_short = is_short
        self._run = run or self._start

    def can_run(self, lesson: Lesson) -> bool:
        """Return whether the data of a lesson is there, and print it if not."""
        if found := self.data is not None or lesson.bundled is not None:
            return found
        print(f"{lesson.name}: needs DATA")
        return False

    def is_done(self, lesson: Lesson) -> bool:
        """Return whether there is a result of the page's command, and of official data if that is there now."""
        found = read_results().get(lesson.name)
        return (
            found is not None and found.command == _command(lesson) and (found.is_official or self.data is None)
        ) and lesson.drawn.exists()

    def keep(self, lesson: Lesson) -> None:
        """Run a lesson, and write its result and its figure."""
        result, figure = self.run(lesson)
        lesson.drawn.write_bytes(figure)
        results = read_results() | {lesson.name: result}
        write_text(RESULTS, _json({other.name: results[other.name] for other in LESSONS if other.name in results}))
        write_pages(results)

    def agrees(self, lesson: Lesson) -> bool:
        """Run a lesson again, and return whether its numbers and its figure are those in git."""
        known = read_results().get(lesson.name)
        result, figure = self.run(lesson)
        same = known is not None and known.text == result.text and lesson.drawn.read_bytes() == figure
        print(f"{lesson.name}: {'as in git' if same else 'differs'}", flush=True)
        if known is not None and known.text != result.text:
            print(f"in git\n{known.text}\nnow\n{result.text}")
        return same

    def run(self, lesson: Lesson) -> tuple[Result, bytes]:
        """Run a lesson, after the lesson that it needs, and return its result and its figure as a PNG file."""
        if lesson.needs and not (self.work / lesson.needs / "run" / "metrics.json").exists():
            self.run(next(other for other in LESSONS if other.name == lesson.needs))
        folder = self.work / lesson.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if lesson.photos and self.data is not None:
            copy_photos(self.data / "oxford-iiit-pet" / "images", folder / "photos", lesson.photos)
        script, words = self._words(lesson, folder)
        print(f"{lesson.name}: {script}.py {' '.join(words)}", flush=True)
        started = time.perf_counter()
        printed = self._run(script, words, folder)
        seconds = time.perf_counter() - started
        text = _text(lesson, words, folder, without_paths(printed))
        is_official = self.data is not None or not lesson.bundled
        return (
            Result(_command(lesson), text, round(seconds, 1), is_official, **machine()),
            small_png(folder / lesson.figure),
        )

    def _words(self, lesson: Lesson, folder: Path) -> tuple[str, list[str]]:
        """Return the script of a lesson and its words, with the paths of this machine."""
        script, argv = lesson.command()
        if self.data is None:
            argv = with_words(argv, lesson.bundled or "")
        if self.is_short:
            argv = with_words(argv, lesson.short)
        argv = [re.sub(r"=data/", lambda _: f"={self.data}/", word) for word in argv]
        argv = [re.sub(r"=docs/", lambda _: f"={REPOSITORY}/docs/", word) for word in argv]
        argv = [f"run={self.work / (lesson.needs or '') / 'run'}" if word == "run=RUN" else word for word in argv]
        if script == "train":
            argv.append(f"{'hydra.sweep.dir' if '-m' in argv else 'run_dir'}={folder / 'run'}")
        return script, argv

    def _start(self, script: str, words: Sequence[str], folder: Path) -> str:
        data = {"FIRSTLIGHT_DATA": str(self.data)} if self.data else {}
        return run_script(script, words, folder, OMP_NUM_THREADS=str(_CORES), **data)


def read_results() -> dict[str, Result]:
    """Return the results in docs/course/results.json by the name of the lesson."""
    if not RESULTS.exists():
        return {}
    return {name: Result(**fields) for name, fields in json.loads(RESULTS.read_text(encoding="utf-8")).items()}


def write_pages(results: dict[str, Result]) -> None:
    """Write the results into the pages."""
    for lesson in LESSONS:
        page = lesson.page.read_text(encoding="utf-8")
        write_text(lesson.page, with_block(page, "result", "make_course.py", shown(lesson, results.get(lesson.name))))


def shown(lesson: Lesson, result: Result | None) -> str:
    """Return the part of a page between the comments."""
    if result is None:
        return "\n*No result yet: `uv run scripts/make_course.py DATA` computes it.*\n\n"
    data = "" if result.is_official else " With the bundled digits in place of the data."
    seconds = f"{result.seconds:.0f}" if result.seconds >= 10 else f"{result.seconds:.1f}"
    return (
        f"\n{result.text}\n*{seconds} s on two cores ({result.processor}, torch {result.torch}).{data}*\n\n"
        f"![{lesson.alt}](pictures/{lesson.drawn.name})\n\n"
    )


def small_png(path: Path) -> bytes:
    """Return an image as a PNG file below 100 kB: not too wide, with a palette, and smaller if that is not enough."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    width = min(image.width, _MAX_SIDE)
    while True:
        size = (width, max(1, round(image.height * width / image.width)))
        resized = image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)
        for colours in _COLOURS:
            buffer = io.BytesIO()
            palette = resized.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            palette.save(buffer, "png", optimize=True)
            if buffer.getbuffer().nbytes <= _MAX_BYTES:
                return buffer.getvalue()
        width = int(width * 0.9)


def without_paths(text: str) -> str:
    """Return what a command has printed without the folders of files, which are those of this machine."""
    lines = re.sub(r"[^\s(]*/(?=[^\s/]+\.(?:jpg|png|csv)\b)", "", text).splitlines()
    named = [line for line in lines if re.match(r"\S+\.jpg  ", line)]
    table = iter(aligned([re.split(r" {2,}", line) for line in named]).splitlines())
    return "\n".join(next(table) if line in named else line for line in lines)


def copy_photos(pets: Path, target: Path, number: int) -> None:
    """Copy photos of pets, each of another breed, which its name begins with."""
    breeds = {path.stem.rpartition("_")[0].lower(): path for path in sorted(pets.glob("*.jpg"), reverse=True)}
    chosen = sorted(breeds.items())[:: max(1, len(breeds) // number)][:number]
    target.mkdir()
    for _, path in chosen:
        shutil.copy(path, target)


def _command(lesson: Lesson) -> str:
    script, words = lesson.command()
    return " ".join([f"{script}.py", *words])


def _text(lesson: Lesson, argv: Sequence[str], folder: Path, printed: str) -> str:
    """Return the result as Markdown: the lines that the page shows, or a table of metrics."""
    if lesson.lines:
        lines = [line.rstrip() for line in printed.splitlines() if re.search(lesson.lines, line)]
        return "\n".join(["```", *lines, "```", ""])
    if (folder / "run" / "summary.csv").exists():
        return _sweep_table(folder / "run" / "summary.csv", [word.partition("=")[0] for word in argv], lesson.metrics)
    metrics = RunFolder.open(folder / "run").metrics()
    return _table(["metric", "value"], [[f"`{name}`", _number(metrics[name])] for name in lesson.metrics])


def _sweep_table(summary: Path, keys: Sequence[str], metrics: Sequence[str]) -> str:
    """Return a row for each job of a sweep, from the best to the worst: what it changes, and its metrics."""
    table = pl.read_csv(summary, infer_schema_length=None)
    columns = [*(key for key in keys if key in table.columns and table[key].n_unique() > 1), *metrics]
    rows = [[_number(row[name]) for name in columns] for row in table.iter_rows(named=True)]
    return _table([f"`{name}`" for name in columns], rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _number(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) >= 0.01 else f"{value:.2g}"
    return str(value)


def _json(results: dict[str, Result]) -> str:
    return json.dumps({name: asdict(result) for name, result in results.items()}, indent=2, ensure_ascii=False) + "\n"


def _use_two_cores() -> None:
    """Let this process and its children run on two cores, where the system can do that."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:_CORES])


if __name__ == "__main__":
    main()
