"""The course: each command runs, its page says what it has given, and the notebooks are the pages."""

import io
import json
import re
import runpy
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import course_notebooks
import make_course
from firstlight.config import RunConfig, compose
from helpers.generate import write_pets
from helpers.runs import REPOSITORY
from lessons import course as lessons_module
from lessons.convolve import named
from lessons.course import COURSE, LESSONS, Lesson, with_words
from lessons.race import race
from lessons.recorded import block, with_block
from make_course import Course, Result, read_results, shown, write_pages

QUICK = {"optimizers", "activations", "neurons", "architectures"}
SHORTENED = [
    pytest.param(lesson, id=lesson.name, marks=[] if lesson.name in QUICK else pytest.mark.slow) for lesson in LESSONS
]
by_name = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)


def blocks(page: str) -> list[str]:
    return re.findall(r"^```bash\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)


# the pages


def test_each_page_is_a_lesson() -> None:
    pages = sorted(path.name for path in COURSE.glob("*.md") if path.name[0].isdigit())
    assert pages == [lesson.page.name for lesson in LESSONS]
    figures = {lesson.drawn for lesson in LESSONS if lesson.drawn.exists()}
    assert sum(path.stat().st_size for path in figures) < 2_000_000
    assert all(path.stat().st_size < 100_000 for path in figures)


@by_name
def test_a_page_is_short_and_has_all_parts(lesson: Lesson) -> None:
    page = lesson.page.read_text()
    assert re.match(rf"# {LESSONS.index(lesson) + 1}\. \S", page)
    parts = ["```bash", "<!-- result:", "<!-- end of the result", "\n**Change next.**", "\n**A usual mistake.**"]
    places = [page.index(part) for part in parts]
    assert places == sorted(places)
    assert all(page.count(part) == 1 for part in parts)
    (command,) = blocks(page)
    assert command.count("\n") == 1
    own = re.sub(r"<!-- result.*<!-- end of the result -->", "", page, flags=re.DOTALL)
    assert 100 < len(own.split()) < 400
    assert max(map(len, own.splitlines())) <= 190


@by_name
def test_the_result_on_a_page_is_that_in_git(lesson: Lesson) -> None:
    result, page = read_results().get(lesson.name), lesson.page.read_text()
    assert with_block(page, "result", "make_course.py", shown(lesson, result)) == page
    if result is not None:
        assert result.command == make_course._command(lesson), "the command has changed: run make_course.py"
        assert lesson.drawn.exists()
        assert result.seconds < 180


def proposals(lesson: Lesson) -> list[tuple[str, list[str]]]:
    """Return the commands that a page proposes: complete ones, and words that change the command of the page."""
    script, words = lesson.command()
    sentences = re.sub(r"```.*?```", "", lesson.page.read_text(), flags=re.DOTALL)
    found: list[tuple[str, list[str]]] = []
    for span in re.findall(r"`([^`]+)`", sentences):
        span = " ".join(span.split())
        if named := re.match(r"(\w+)\.py (.+)", span):
            found.append((named[1], shlex.split(named[2])))
        elif re.match(r"[a-z_.+]+=\S+", span):
            found.append((script, with_words(words, span)))
    return found


@by_name
def test_what_a_page_proposes_is_accepted(lesson: Lesson) -> None:
    from test_docs import first_job, with_paths

    for script, argv in proposals(lesson):
        argv = {"compare": with_paths, "convolve": named}.get(script, list)(first_job(argv))
        keyed = [word for word in argv if not word.startswith("-")]
        config = compose(*keyed, config_name=script)
        if script == "train" and config.resume is None:
            RunConfig.parse(config)


# the commands


def in_process(script: str, words: Sequence[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [f"{script}.py", *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(REPOSITORY / "scripts" / f"{script}.py"), run_name="__main__")
    assert not ended.value.code
    return ""


@pytest.mark.figures
@pytest.mark.parametrize("lesson", SHORTENED)
def test_the_command_of_a_lesson_runs_and_draws_its_figure(
    lesson: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(script: str, words: Sequence[str], folder: Path) -> str:
        capsys.readouterr()
        in_process(script, words, folder, monkeypatch)
        return capsys.readouterr().out

    data = None
    if lesson.bundled is None:  # photos
        data = tmp_path / "photos"
        write_pets(data / "oxford-iiit-pet")
        monkeypatch.setenv("FIRSTLIGHT_DATA", str(data))
    result, figure = Course(tmp_path / "work", data, is_short=True, run=run).run(lesson)
    rows = [line for line in result.text.splitlines() if not line.startswith("```")]
    assert len(rows) >= 2
    assert str(tmp_path) not in result.text
    for metric in lesson.metrics:
        assert f"`{metric}`" in result.text
    with Image.open(io.BytesIO(figure)) as image:
        assert image.format == "PNG"
        assert len(np.unique(np.asarray(image))) > 1


# the program


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the course with two lessons, and without results."""
    (tmp_path / "pictures").mkdir()
    for number, name in enumerate(("first", "second"), 1):
        text = f"# {number}. x\n\n```bash\nuv run scripts/activations.py names=[relu]\n```\n\n"
        (tmp_path / f"{number:02}_{name}.md").write_text(text + block("result", "make_course.py", "") + "\nend\n")
    lessons = (Lesson("first", "a.png", "A", lines="^x"), Lesson("second", "a.png", "B", lines="^x", needs="first"))
    for module in (make_course, lessons_module):
        monkeypatch.setattr(module, "COURSE", tmp_path)
        monkeypatch.setattr(module, "LESSONS", lessons)
    monkeypatch.setattr(make_course, "RESULTS", tmp_path / "results.json")
    return tmp_path


class Runner:
    """Stands for a script: prints a line, and draws a figure of one colour."""

    def __init__(self, line: str = "x 1") -> None:
        self.line = line
        self.runs: list[str] = []

    def __call__(self, script: str, words: Sequence[str], folder: Path) -> str:
        self.runs.append(f"{folder.name}: {script} {' '.join(words)}")
        Image.new("RGB", (1800, 40), "teal").save(folder / "a.png")
        return f"before\n{self.line}\n"


def test_a_lesson_runs_once_and_again_if_its_command_changes(course: Path) -> None:
    runner = Runner()
    made = Course(course / "work", None, run=runner)
    first, second, *_ = make_course.LESSONS
    assert not made.is_done(first)
    made.keep(first)
    assert runner.runs == ["first: activations names=[relu]"]
    assert made.is_done(first)
    assert not made.is_done(second)
    page = first.page.read_text()
    assert "\n```\nx 1\n```\n" in page
    assert "![A](pictures/first.png)" in page
    assert page.endswith("\nend\n")
    with Image.open(first.drawn) as figure:
        assert figure.size == (900, 20)
    first.page.write_text(page.replace("names=[relu]", "names=[tanh]"))
    assert not made.is_done(first)


def test_a_lesson_runs_after_the_one_that_it_needs(course: Path) -> None:
    runner = Runner()
    Course(course / "work", None, run=runner).keep(make_course.LESSONS[1])
    assert [run.partition(":")[0] for run in runner.runs] == ["first", "second"]
    assert list(read_results()) == ["second"]


def test_a_check_finds_another_number_and_another_figure(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = make_course.LESSONS[0]
    Course(course / "work", None, run=Runner()).keep(first)
    before = first.page.read_text(), make_course.RESULTS.read_text()
    assert Course(course / "work", None, run=Runner()).agrees(first)
    assert not Course(course / "work", None, run=Runner("x 2")).agrees(first)
    assert "x 2" in capsys.readouterr().out
    Image.new("RGB", (1800, 40), "red").save(first.drawn)
    assert not Course(course / "work", None, run=Runner()).agrees(first)
    assert (first.page.read_text(), make_course.RESULTS.read_text()) == before


def test_a_result_without_the_data_is_replaced_when_the_data_is_there(course: Path) -> None:
    first = Lesson("first", "a.png", "A", lines="^x", bundled="names=[tanh]")
    make_course.LESSONS = lessons_module.LESSONS = (first, make_course.LESSONS[1])
    runner = Runner()
    without = Course(course / "work", None, run=runner)
    without.keep(first)
    assert runner.runs == ["first: activations names=[tanh]"]
    assert "bundled digits" in first.page.read_text()
    assert without.is_done(first)
    made = Course(course / "work", course, run=runner)
    assert not made.is_done(first)
    made.keep(first)
    assert runner.runs[-1] == "first: activations names=[relu]"
    assert "bundled digits" not in first.page.read_text()


def test_paths_of_a_command_become_those_of_this_machine(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["run=RUN", "input=data/a b/c.jpg", "output=docs/course/x.png", "seed=1"]
    monkeypatch.setattr(Lesson, "command", lambda lesson: ("explain", words))
    second = make_course.LESSONS[1]
    found = Course(course / "work", course)._words(second, course)
    assert found == (
        "explain",
        [
            f"run={course}/work/first/run",
            f"input={course}/a b/c.jpg",
            f"output={REPOSITORY}/docs/course/x.png",
            "seed=1",
        ],
    )


def test_a_page_without_a_result_says_how_it_is_computed(course: Path) -> None:
    write_pages({})
    assert "make_course.py DATA" in make_course.LESSONS[0].page.read_text()
    result = Result("x", "text\n", 23.4, True, "2", "x86_64", "2.15")
    write_pages({"first": result})
    assert "*23 s on two cores (x86_64, torch 2.15).*" in make_course.LESSONS[0].page.read_text()
    assert "No result yet" not in make_course.LESSONS[0].page.read_text()


@pytest.mark.parametrize(
    ("words", "others", "expected"),
    [
        (["data=mnist", "seed=1"], "data=digits", ["seed=1", "data=digits"]),
        (["-m", "seed=1,2"], "seed=1", ["-m", "seed=1"]),
        (["a=1"], "", ["a=1"]),
        ([], 'a="x y" b=2', ["a=x y", "b=2"]),
    ],
)
def test_words_take_the_place_of_others(words: list[str], others: str, expected: list[str]) -> None:
    assert with_words(words, others) == expected


def test_a_large_image_becomes_a_small_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_course, "_MAX_BYTES", 5000)
    noise = np.random.default_rng(0).integers(0, 256, (100, 150, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    assert 3000 < len(make_course.small_png(tmp_path / "noise.png")) <= 5000


def test_the_folders_of_this_machine_are_left_out() -> None:
    printed = (
        "…/a/b/five.jpg   5   81.68%\n/home/x/a/b/seventeen.jpg  17   7.00%\n"
        "warning: 1 of 2 inverted (/home/x/five.jpg)\n\n2 predictions in /home/x/rows.csv\nstep  1/2"
    )
    assert make_course.without_paths(printed).splitlines() == [
        "five.jpg       5   81.68%",
        "seventeen.jpg  17  7.00%",
        "warning: 1 of 2 inverted (five.jpg)",
        "",
        "2 predictions in rows.csv",
        "step  1/2",
    ]


def test_the_photos_are_of_different_breeds(tmp_path: Path) -> None:
    for name in ("Bengal_2", "Bengal_10", "beagle_1", "pug_7", "boxer_3", "boxer_1", "saint_bernard_4"):
        (tmp_path / "all").mkdir(exist_ok=True)
        (tmp_path / "all" / f"{name}.jpg").write_text(name)
    make_course.copy_photos(tmp_path / "all", tmp_path / "few", 2)
    assert sorted(path.name for path in (tmp_path / "few").iterdir()) == ["beagle_1.jpg", "boxer_1.jpg"]
    make_course.copy_photos(tmp_path / "all", tmp_path / "many", 9)
    assert len(list((tmp_path / "many").iterdir())) == 5


def test_the_arguments_decide_what_runs(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = Runner()
    monkeypatch.setattr(Course, "_start", lambda made, *words: runner(*words))
    monkeypatch.setattr(make_course, "_use_two_cores", lambda: None)

    def called(*arguments: str) -> list[str]:
        runner.runs.clear()
        monkeypatch.setattr(sys, "argv", ["make_course.py", "--work", str(course / "work"), *arguments])
        make_course.main()
        return [run.partition(":")[0] for run in runner.runs]

    assert called("--pages") == []
    assert called("--only", "first") == ["first"]
    assert called() == ["first", "second"]  # the second needs a run folder, which the first has not left
    assert called() == []
    assert called("--again", "--only", "first") == ["first"]
    assert called("--check", "--only", "first") == ["first"]
    runner.line = "x 2"
    with pytest.raises(SystemExit, match="other results than in git: first"):
        called("--check", "--only", "first")


# the race


def test_sgd_takes_the_path_of_gradient_descent_and_momentum_that_of_its_rule() -> None:
    points, start = [[1, 3], [2, 5]], [-1, 5]
    paths = race(["sgd", "momentum"], 0.1, 2, points, start, output=None)
    np.testing.assert_allclose(paths["sgd"], np.array([[-1, 5], [-0.7, 5.1], [-0.58, 5.09]]))
    expected = np.array([-0.7 + 0.9 * 0.3 + 0.12, 5.1 + 0.9 * 0.1 - 0.01])
    np.testing.assert_allclose(paths["momentum"][2], expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizers": ["adm"]}, "optimizers=adm: unknown optimizer, did you mean 'adam'?"),
        ({"optimizers": []}, "optimizers=[]: must hold at least one name."),
        ({"rate": 0.0}, "rate=0.0: must be above 0"),
        ({"steps": 0}, "steps=0: must be at least 1"),
        ({"points": [[1]]}, "points=[[1]]: must be pairs"),
        ({"output": "race.doc"}, "race.doc: must end in one of .png"),
    ],
)
def test_a_mistake_in_a_race_has_a_short_answer(changes: dict[str, object], message: str) -> None:
    options = {"optimizers": ["sgd"], "rate": 0.1, "steps": 1, "points": [[1, 3], [2, 5]], "start": [0, 0]}
    with pytest.raises(ValueError, match=re.escape(message)):
        race(**(options | {"output": None} | changes))  # type: ignore[arg-type]


# the notebooks


@by_name
def test_a_notebook_has_the_texts_and_the_command_of_its_page(lesson: Lesson) -> None:
    import nbformat

    notebook = nbformat.reads(course_notebooks.notebook(lesson), as_version=4)
    nbformat.validate(notebook)
    texts = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    page = lesson.page.read_text()
    sentences = page.partition("<!-- end of the result -->")[2].partition("**A usual mistake.**")[2].strip()
    assert sentences.split("](")[0] in texts
    assert "<!--" not in texts
    assert ".md)" not in texts
    (command,) = [cell.source for cell in notebook.cells if cell.source.startswith("!")]
    assert command.removeprefix('!"{sys.executable}" ') == blocks(page)[0].removeprefix("uv run ").strip()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["line", "activations"])
def test_a_notebook_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    (lesson,) = [lesson for lesson in LESSONS if lesson.name == name]
    notebook = nbformat.reads(course_notebooks.notebook(lesson), as_version=4)
    (command,) = [cell for cell in notebook.cells if cell.source.startswith("!")]
    (tmp_path / "scripts").symlink_to(REPOSITORY / "scripts")  # a checkout that the runs do not fill
    (tmp_path / "notebooks").mkdir()
    command.source += f" {lesson.short}"
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("FIRSTLIGHT_FIGURES", "true")
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path / "notebooks")}}).execute()
    images = [output for cell in notebook.cells for output in cell.get("outputs", ()) if "data" in output]
    assert "image/png" in images[-1].data


def test_the_results_in_git_are_sorted_as_the_lessons() -> None:
    names = list(json.loads(make_course.RESULTS.read_text()))
    assert names == [lesson.name for lesson in LESSONS if lesson.name in names]
