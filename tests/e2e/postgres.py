"""A PostgreSQL server with pgvector for one test module, if this machine has them (Debian 13: postgresql-17-pgvector)."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from program import FULL, LONGEST_RUN

CONTROLS = sorted(Path("/usr/share/postgresql").glob("*/extension/vector.control"))
needs_postgres = pytest.mark.skipif(
    not (FULL and CONTROLS), reason="needs PostgreSQL with pgvector, and NINA_FULL_TESTS=1"
)


def run(*command: str | Path, stdin: str = "", cwd: Path | None = None) -> str:
    """Runs a command; as the user postgres if this is root, with whom PostgreSQL does not start."""
    if os.geteuid() == 0:
        command = ("runuser", "-u", "postgres", "--", *command)
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=cwd or "/", timeout=LONGEST_RUN, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Server:
    def __init__(self, programs: Path, folder: Path) -> None:
        self._psql = [str(programs / "psql"), "-h", str(folder), "-U", "postgres", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1"]

    def psql(self, sql: str, cwd: Path | None = None) -> str:
        """What psql prints of a script: a row a line, without names of columns."""
        done = subprocess.run(self._psql, input=sql, capture_output=True, text=True, cwd=cwd, timeout=LONGEST_RUN, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def server_started() -> Iterator[Server]:
    programs = Path("/usr/lib/postgresql") / CONTROLS[-1].parts[4] / "bin"
    folder = Path(tempfile.mkdtemp(prefix="nina-pg-", dir="/tmp"))  # a socket's path is at most 107 bytes long
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    run(programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    run(programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield Server(programs, folder)
    finally:
        run(programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)
