from pathlib import Path

from firstlight.config.compose import compose
from firstlight.data.cats_and_dogs import SAYINGS, CatsAndDogs
from firstlight.runs.sample import sample
from firstlight.training.run import train


def test_each_animal_says_its_own_sound(tmp_path: Path) -> None:
    lines = CatsAndDogs(str(tmp_path))._text().splitlines()
    assert len(lines) == 600
    assert "cats say meow ." in lines
    for line in lines:
        (animal,) = (name for name in SAYINGS if name in line)
        assert [sound for sound in SAYINGS.values() if sound in line] == [SAYINGS[animal]]


def test_a_network_learns_who_says_what(tmp_path: Path) -> None:
    words = ("experiment=cats_and_dogs", f"data.dir={tmp_path}", "figures=false", "logger=none")
    train(compose(*words), run_dir=tmp_path / "run")
    for animal, sound in SAYINGS.items():
        assert sample(tmp_path / "run", prompt=f"{animal} say", length=2, temperature=0) == f"{animal} say {sound} ."
