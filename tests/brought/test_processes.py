"""Several processes of one run: however one of them ends or hangs, all end, and the message says which one and why."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firstlight.config.compose import compose
from firstlight.runs import RunFolder
from firstlight.training.processes import supervise as supervising
from firstlight.training.processes.supervise import supervise
from firstlight.training.run import train
from helpers.runs import REPOSITORY, history, same_weights

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")

# Workers without torch. Each writes its process id, and then does what its number says.
WORKER = """
import os, signal, sys, time
from firstlight.training.processes.connection import connect_to_parent, report_to_parent
connect_to_parent()
number = os.environ["NUMBER"]
def write(name):
    with open(os.path.join(sys.argv[1], name + ".part"), "w") as file:
        file.write(str(os.getpid()))
    os.rename(file.name, os.path.join(sys.argv[1], name))
def saves(*_):
    write("saved-" + number)
    sys.exit(143)
"""
WAITS = "write(number); time.sleep(60)"
SAVES = "signal.signal(signal.SIGTERM, saves); " + WAITS
IGNORES = "signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAITS
# A parent that supervises such workers, for tests that kill the parent.
PARENT = """
import os, sys
from firstlight.training.processes.supervise import supervise
try:
    supervise([sys.executable, "-c", sys.argv[1], sys.argv[2]], [dict(os.environ, NUMBER=str(n)) for n in range(2)])
except KeyboardInterrupt as interrupt:
    sys.exit(128 + (interrupt.args or [2])[0])
"""


def environments() -> list[dict[str, str]]:
    return [os.environ | {"NUMBER": str(number), "PYTHONPATH": str(REPOSITORY / "src")} for number in range(2)]


def pids(folder: Path, *names: str) -> list[int]:
    """Wait for the files of these names, and return the process ids in them."""
    deadline = time.monotonic() + 20
    while not all((folder / name).exists() for name in names):
        assert time.monotonic() < deadline, "the workers did not start"
        time.sleep(0.01)
    return [int((folder / name).read_text()) for name in names]


def is_running(pid: int) -> bool:
    """Whether a process has not ended; one that has ended may wait for its parent to take note of it."""
    with contextlib.suppress(OSError):
        if (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def assert_ended(*processes: int) -> None:
    deadline = time.monotonic() + 5
    while any(map(is_running, processes)):
        assert time.monotonic() < deadline, "a process is left behind"
        time.sleep(0.01)


@contextlib.contextmanager
def parent(folder: Path, body: str) -> Iterator[subprocess.Popen[str]]:
    """Start a process that supervises two workers."""
    command = [sys.executable, "-c", PARENT, WORKER + body, str(folder)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("os.kill(os.getpid(), 9)", ChildProcessError, r"process 1 of 2 .*was ended by SIGKILL.*want of memory"),
        ("os.kill(os.getpid(), 11)", ChildProcessError, r"process 1 of 2 .*was ended by SIGSEGV"),
        ("os.kill(os.getpid(), 15)", ChildProcessError, r"process 1 of 2 .*was ended by SIGTERM"),
        ("sys.exit(143)", ChildProcessError, r"process 1 of 2 .*was ended by SIGTERM"),
        ("sys.exit(3)", ChildProcessError, r"process 1 of 2 .*ended with exit status 3, so the others were ended too"),
        ("sys.exit(130)", ChildProcessError, r"process 1 of 2 .*was ended by SIGINT"),
        ("report_to_parent('refused', 'seed=x: must be y.'); sys.exit(1)", ValueError, r"^seed=x: must be y\.$"),
        (
            "report_to_parent('failed', 'no luck'); sys.exit(1)",
            ChildProcessError,
            r"^process 1 of 2 .*failed: no luck$",
        ),
        ("report_to_parent('interrupted', '15'); sys.exit(143)", KeyboardInterrupt, "^15$"),
    ],
)
def test_a_worker_that_ends_early_ends_the_others(
    body: str, error: type[BaseException], message: str, tmp_path: Path
) -> None:
    code = WORKER + f"if number == '0': {WAITS}\nwrite(number)\n" + body
    with pytest.raises(error, match=message):
        supervise([sys.executable, "-c", code, str(tmp_path)], environments())
    assert_ended(*pids(tmp_path, "1"))
    assert not (tmp_path / "0").exists() or not is_running(pids(tmp_path, "0")[0])


def test_workers_that_succeed_may_end_at_different_times(tmp_path: Path) -> None:
    code = WORKER + "time.sleep(0.3 * int(number)); write(number)"
    supervise([sys.executable, "-c", code, str(tmp_path)], environments())
    assert_ended(*pids(tmp_path, "0", "1"))


def test_a_stopped_worker_is_noticed_though_it_does_not_end(tmp_path: Path) -> None:
    code = WORKER + f"write(number)\nif number == '1': os.kill(os.getpid(), signal.SIGSTOP)\n{WAITS}"
    with pytest.raises(ChildProcessError, match=r"process 1 of 2 .*gave no sign of life for 2 s, so all were ended"):
        supervise([sys.executable, "-c", code, str(tmp_path)], environments(), silence=2)
    assert_ended(*pids(tmp_path, "0", "1"))


def test_a_worker_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "_SECONDS_TO_END", 0.2)
    code = WORKER + f"if number == '0': {IGNORES}\npids = os.path.join(sys.argv[1], '0')\n"
    code += "while not os.path.exists(pids): time.sleep(0.01)\nsys.exit(5)"
    with pytest.raises(ChildProcessError, match="exit status 5"):
        supervise([sys.executable, "-c", code, str(tmp_path)], environments())
    assert_ended(*pids(tmp_path, "0"))


@pytest.mark.parametrize("body", [WAITS, IGNORES, "write(number); os.kill(os.getpid(), signal.SIGSTOP)"])
def test_no_worker_survives_a_parent_that_is_killed(body: str, tmp_path: Path) -> None:
    with parent(tmp_path, body) as process:
        workers = pids(tmp_path, "0", "1")
        os.kill(process.pid, signal.SIGKILL)
        assert_ended(*workers)


def test_workers_end_with_their_parent_on_systems_that_do_not_kill_them(tmp_path: Path) -> None:
    body = "import ctypes; ctypes.CDLL(None).prctl(1, 0)\n" if sys.platform == "linux" else ""  # no signal any more
    with parent(tmp_path, body + WAITS) as process:
        workers = pids(tmp_path, "0", "1")
        os.kill(process.pid, signal.SIGKILL)
        assert_ended(*workers)


def test_workers_save_their_state_when_the_parent_is_terminated(tmp_path: Path) -> None:
    with parent(tmp_path, SAVES) as process:
        workers = pids(tmp_path, "0", "1")
        process.terminate()
        assert process.wait(20) == 143
        assert pids(tmp_path, "saved-0", "saved-1") == workers
        assert_ended(*workers)
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_an_interrupted_parent_ends_its_workers(tmp_path: Path) -> None:
    with parent(tmp_path, WAITS) as process:
        workers = pids(tmp_path, "0", "1")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert_ended(*workers)


def test_a_stranger_on_the_port_is_not_a_worker(tmp_path: Path) -> None:
    code = WORKER + f"write(number)\nif number == '0': {WAITS}\n"
    stranger = "import os, socket\nport = os.environ['FIRSTLIGHT_PARENT'].split(':')[0]\n"
    stranger += "s = socket.create_connection(('127.0.0.1', int(port)))\n"
    stranger += """s.sendall(b'guess 0\\n["refused", "nonsense"]\\n')\n"""
    with pytest.raises(ChildProcessError, match="exit status 7"):
        supervise(
            [sys.executable, "-c", "import os\n" + stranger + code + "time.sleep(0.3); sys.exit(7)", str(tmp_path)],
            environments(),
        )


# From here on the workers are real.

WORDS = ["model=mlp", "model.hidden_sizes=[16]", "trainer.max_epochs=4", "trainer.accelerator=cpu", "trainer.devices=2"]
Script = Callable[..., "subprocess.CompletedProcess[str]"]


def start(cwd: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(REPOSITORY / "scripts" / "train.py"), *words]
    pipe: Any = subprocess.PIPE
    return subprocess.Popen(command, cwd=cwd, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def children(pid: int) -> list[int]:
    return [int(child) for child in (Path("/proc") / str(pid) / "task" / str(pid) / "children").read_text().split()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_two_kills_of_random_processes_at_random_times_change_nothing(tmp_path: Path) -> None:
    began = time.monotonic()
    whole = start(tmp_path, *WORDS, "run_dir=whole")
    _, errors = whole.communicate(timeout=120)
    assert whole.returncode == 0, errors
    seconds = time.monotonic() - began
    chance = random.Random(0)
    num_compared, attempt = 0, -1
    while num_compared < 2:
        attempt += 1
        folder = tmp_path / "killed"
        process = start(tmp_path, *WORDS, f"run_dir={folder}")
        family = {process.pid}
        deadline = time.monotonic() + seconds * chance.uniform(0.5, 1)
        while time.monotonic() < deadline and process.poll() is None:
            family |= {*children(process.pid)} if process.poll() is None else set()
            time.sleep(0.02)
        victim = chance.choice(sorted(family))
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        assert_ended(*family)
        if not (folder / "spec.json").exists():  # killed before its first step
            shutil.rmtree(folder, ignore_errors=True)
            continue
        if RunFolder(folder).metrics().get("status") != "completed":
            resumed = start(tmp_path, f"resume={folder}")
            printed = resumed.communicate(timeout=120)
            assert resumed.returncode == 0, (attempt, printed, out, err)
        assert same_weights(folder, tmp_path / "whole", "last")
        assert same_weights(folder, tmp_path / "whole", "best")
        assert history(folder) == history(tmp_path / "whole")
        num_compared += 1
        print(f"attempt {attempt}: process {sorted(family).index(victim)} of {len(family)} killed, the same result")
        shutil.rmtree(folder)


@pytest.mark.slow
def test_a_launcher_such_as_torchrun_starts_the_processes_itself(tmp_path: Path) -> None:
    # Each process draws its own dropout, so the two runs would differ with it.
    words = ["run_dir=run", "model.dropout=0", *WORDS, "trainer.max_epochs=2"]
    script = str(REPOSITORY / "scripts" / "train.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", script, *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    alone = train(compose(*words[1:-2], "trainer.devices=1", words[-1]), run_dir=tmp_path / "alone")
    assert float(history(tmp_path / "run")[-1]["val/loss"]) == pytest.approx(alone["val/loss"], rel=1e-4)
