import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from firstlight.runs.demo.library import sentence
from firstlight.runs.demo.page import parts_for
from firstlight.runs.demo.served import demo
from firstlight.runs.demo.subject import Subject


def test_a_taken_port_is_named(trained_run: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ValueError, match=rf"port={port}: must be free \(.*\)\. To fix: .*port=0"):
            demo(trained_run, port)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"port": 70_000}, "port=70000: must be at least 0 and at most 65535"),
        ({"max_megabytes": 0}, "max_megabytes=0: must be above 0"),
        ({"max_pixels": 0}, "max_pixels=0: must be at least 1"),
    ],
)
def test_an_option_out_of_its_range_is_named(options: dict[str, int], why: str, trained_run: Path) -> None:
    with pytest.raises(ValueError, match=why):
        demo(trained_run, **{"port": 0, **options})  # type: ignore[arg-type]


def test_the_missing_package_is_named_and_no_folder_is_left(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ValueError, match=r'pip install "firstlight\[demo\]"'):
        demo(trained_run, 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("data=digits", "model=linear"), ["Images"]),
        (("data=digits", "model=gan"), ["Latents"]),
        (("data=digits", "model=vae"), ["Images", "Latents"]),
        (("data=digits", "model=autoencoder"), ["Images", "Latents"]),
        (("data=iris", "model=linear"), ["Table"]),
    ],
)
def test_the_parts_of_the_page_follow_from_the_task(
    words: tuple[str, ...], names: list[str], subject: Callable[..., Subject]
) -> None:
    assert [name for name, _ in parts_for(subject(*words).task, "RUN")] == names


def test_a_task_that_has_no_part_is_refused(subject: Callable[..., Subject]) -> None:
    task = subject("data=digits", "model=linear").task
    type(task).can_predict = False
    try:
        with pytest.raises(ValueError, match="run=RUN: must be a run whose task predicts or decodes latents"):
            parts_for(task, "RUN")
    finally:
        type(task).can_predict = True


def test_a_sentence_has_no_advice_for_the_command_line() -> None:
    assert sentence(ValueError("a.png: cannot read (damaged). To fix: set b=1.")) == "a.png: cannot read (damaged)."
    assert sentence(ValueError("The pad is empty")) == "The pad is empty."
