import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from PIL import Image

from firstlight.commands.cli import main

Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"]])
def test_train_answers_without_importing_torch_or_leaving_anything(
    script: Script, tmp_path: Path, arguments: list[str]
) -> None:
    answer = script("train", *arguments, PYTHONPROFILEIMPORTTIME="1")  # what `python -X importtime` does
    imported = {line.rsplit("|", 1)[-1].strip() for line in answer.stderr.splitlines()}
    assert answer.returncode == 0
    assert "model" in answer.stdout
    assert "firstlight.commands.cli" in imported
    assert not imported & {"torch", "lightning", "torchvision", "numpy"}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("mistake", "fix"),
    [
        ("modle=mlp", "'model'"),
        ("model=lenett", "'lenet'"),
        ("optimizer.lerning_rate=1", "'optimizer.lr'"),
        ("+trainer.max_epoch=3", "'trainer.max_epochs'"),
        ("optimizer.lr=fast", "AdamW takes a number"),
        ("resume=nope", "resume=nope: no run folder"),
    ],
)
def test_a_mistake_is_told_in_a_few_lines_with_its_fix(script: Script, tmp_path: Path, mistake: str, fix: str) -> None:
    answer = script("train", mistake)
    assert answer.returncode == 1
    assert fix in answer.stderr
    assert len((answer.stdout + answer.stderr).splitlines()) <= 10
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("name", ["train", "preview"])
def test_a_wrong_value_of_a_step_is_told_without_importing_lightning(script: Script, name: str) -> None:
    answer = script(name, "augment=moderate", "augment.flip.p=2", PYTHONPROFILEIMPORTTIME="1")
    *imports, told = answer.stderr.splitlines()
    assert told == "augment.flip: p=2: from 0 to 1."
    assert any(line.endswith(" torch") for line in imports)
    assert not any(line.endswith(" lightning") for line in imports)


def test_paths_on_the_command_line_may_have_any_letters_with_quotes_and_without(
    script: Script, tmp_path: Path, trained_run: Path
) -> None:
    images = tmp_path / "tom's café (1)"
    images.mkdir()
    Image.new("L", (8, 8)).save(images / "black.png")
    for word in (f"input={images}", f'input="{images}"'):
        predicted = script("predict", f"run={trained_run}", word, f"output={images}/labels.csv")
        assert (predicted.returncode, predicted.stderr) == (0, "")
        assert str(images / "black.png") in (images / "labels.csv").read_text()
        composed = script("train", word.replace("input", "data.dir"), "--cfg", "job")
        assert yaml.safe_load(composed.stdout)["data"]["dir"] == str(images)


def test_the_traceback_is_shown_when_it_is_asked_for(script: Script) -> None:
    answer = script("train", "optimizer.lr=fast", HYDRA_FULL_ERROR="1")
    assert answer.returncode == 1
    assert "Traceback" in answer.stderr
    assert "ValueError: optimizer.lr=fast" in answer.stderr


def test_evaluate_without_a_run_says_what_is_missing(script: Script) -> None:
    answer = script("evaluate")
    assert answer.returncode == 1
    assert answer.stderr.startswith("run is missing. Give it as run=...")


@pytest.mark.parametrize(("name", "key"), [("train", "resume"), ("evaluate", "run")])
def test_a_run_that_is_not_there_is_told_with_the_newest(script: Script, tmp_path: Path, name: str, key: str) -> None:
    run = tmp_path / "outputs" / "digits-linear" / "first"
    run.mkdir(parents=True)
    (run / "config.yaml").touch()
    answer = script(name, f"{key}=nope")
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"{key}=nope: no run folder")
    assert "The newest run there is outputs/digits-linear/first" in answer.stderr
    assert len(answer.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("evaluate", "accelerator=3"),
        ("predict", "batch_size=many"),
        ("sample", "number=2.5"),
        ("sample", "temperature=hot"),
    ],
)
def test_a_value_of_another_type_is_told(script: Script, name: str, mistake: str) -> None:
    answer = script(name, mistake, "run=nope", *(["input=photos"] if name == "predict" else []))
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"{mistake}: {name} takes ")
    assert len(answer.stderr.splitlines()) == 1


def test_a_sweep_outlives_a_failed_job_and_tells_of_both(script: Script, tmp_path: Path) -> None:
    answer = script(
        "train", "-m", "optimizer.lr=1e-2,nan_please", "model=linear", "trainer.max_epochs=1", "trainer.accelerator=cpu"
    )
    assert answer.returncode == 1, answer.stderr
    (summary,) = tmp_path.glob("outputs/sweeps/*/summary.csv")
    with summary.open(newline="") as file:
        good, bad = csv.DictReader(file)
    assert (good["rank"], good["status"], good["optimizer.lr"]) == ("1", "completed", "0.01")
    assert float(good["val/loss"]) > 0
    assert (Path(good["run_dir"]) / "checkpoints" / "best.ckpt").is_file()
    assert (bad["rank"], bad["status"], bad["optimizer.lr"]) == ("2", "failed", "nan_please")
    assert "AdamW takes a number" in bad["error"]
    assert str(summary) in answer.stdout


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_the_installed_command_says_what_it_can_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["firstlight", *words])
    main()
    assert "train | evaluate | predict" in capsys.readouterr().out


def test_the_installed_command_knows_what_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["firstlight", "trian"])
    with pytest.raises(SystemExit, match="did you mean 'train'"):
        main()


def test_the_installed_command_composes_like_the_script(script: Script, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from firstlight.commands.cli import main; main()",
        "train",
        "model=mlp",
        "--cfg",
        "job",
    ]
    installed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    assert installed.stdout == script("train", "model=mlp", "--cfg", "job").stdout
