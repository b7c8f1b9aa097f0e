"""Says at once what these tests need but do not find, and chooses where they write."""

import os
import shutil
import tempfile

import pytest

from program import PROGRAM

MEMORY_DISK, ROOM = "/dev/shm", 2 << 30

# nina syncs every file that it writes. No test needs a real disk, and on a real disk the syncs take most of the time.
if (
    "TMPDIR" not in os.environ
    and os.access(MEMORY_DISK, os.W_OK)
    and shutil.disk_usage(MEMORY_DISK).free > ROOM
):
    tempfile.tempdir = MEMORY_DISK

# A folder for this process alone: ctest runs the modules side by side, and pytest clears folders that they share.
SCRATCH = tempfile.mkdtemp(prefix="nina-e2e-")
os.environ["PYTEST_DEBUG_TEMPROOT"] = SCRATCH


def pytest_unconfigure() -> None:
    shutil.rmtree(SCRATCH, ignore_errors=True)


def pytest_sessionstart(session: pytest.Session) -> None:
    if not PROGRAM.is_file():
        pytest.exit(
            f"{PROGRAM} is not there: build nina first (scripts/build), or name the program in the variable NINA",
            2,
        )
    if not shutil.which("zstd"):
        pytest.exit("the command zstd is not there: scripts/setup installs it", 2)
