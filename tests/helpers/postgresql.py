"""A PostgreSQL server of this machine, for one test."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "swordfish"


@contextmanager
def postgresql() -> Iterator[str]:
    """Start a server with an empty database, and yield its URL; skip the test if PostgreSQL is not installed."""
    programs = _programs()
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="firstlight-postgresql-"))
    try:
        (folder / "password").write_text(PASSWORD)
        for path in (folder, folder / "password"):
            shutil.chown(path, user)
        login = ["-U", "sweeper", "-A", "scram-sha-256", f"--pwfile={folder}/password"]
        _call(user, programs / "initdb", "-D", folder / "data", *login, "--no-sync")
        port = _free_port()
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        control: list[str | Path] = [programs / "pg_ctl", "-D", folder / "data", "-w"]
        _call(user, *control, "-l", folder / "log", "-o", options, "start")
        try:
            yield f"postgresql://sweeper:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            _call(user, *control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _programs() -> Path:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))  # where Debian has them
    found = shutil.which("initdb") or (str(installed[-1]) if installed else "")
    if not found:
        pytest.skip("PostgreSQL is not installed")
    return Path(found).resolve().parent


def _user() -> str:
    """Return the user of the server, which root must not be."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    if "postgres" not in {entry.pw_name for entry in pwd.getpwall()}:
        pytest.skip("PostgreSQL does not run as root, and its own user is missing")
    return "postgres"


def _call(user: str, *command: str | Path) -> None:
    own = pwd.getpwuid(os.geteuid()).pw_name == user
    as_user = {} if own else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    subprocess.run([*map(str, command)], check=True, cwd="/", stdout=subprocess.DEVNULL, **as_user)  # type: ignore[call-overload]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
