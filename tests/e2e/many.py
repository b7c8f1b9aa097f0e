"""Starts nina on many ranks."""

import contextlib
import os
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import pytest

from program import DONE, LONGEST_RUN, NEVER, PROGRAM, Argument, Result, Status, checked, embed_arguments, environment

needs_mpirun = pytest.mark.skipif(not shutil.which("mpirun"), reason="mpirun is not there: scripts/setup installs it")

# For Open MPI: root may run it, as in a container, and more ranks than cores are allowed. Without --bind-to none, Open MPI 4 binds one
# or two ranks to the first cores, where the jobs of all tests that run at the same time would meet.
LAUNCHER = ["mpirun", "--oversubscribe", "--bind-to", "none"]
AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}

# Jobs of one user share a folder below /tmp. If one removes the folder at its end while another starts, the other fails
# (https://github.com/open-mpi/ompi/issues/8510). So each process with tests has a folder of its own for its jobs (conftest.py).
SESSIONS = os.environ.get("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
SESSION_VARIABLES = {"OMPI_MCA_orte_tmpdir_base": SESSIONS, "PRTE_MCA_prte_tmpdir_base": SESSIONS}  # Open MPI 4, 5

# All ranks are on this machine; Open MPI 5 would complain about other network interfaces that it cannot use.
LAUNCHER_VARIABLES = AS_ROOT | SESSION_VARIABLES | {"OMPI_MCA_btl_tcp_if_include": "lo"}
OVER_TCP = ["--mca", "pml", "ob1", "--mca", "btl", "tcp,self"]


@dataclass
class Ranks:
    """`count` ranks that start alike; a fault in each, or their own options or variables. A fault that waits waits for ever, or for the
    file in the variable NINA_FAULT_UNTIL."""

    count: int
    fault: str | None = None
    options: dict[str, Argument] = field(default_factory=dict)
    variables: dict[str, Argument] = field(default_factory=dict)


def command(ranks: int | list[Ranks], arguments: Callable[[Ranks], list[str]], launcher: list[str] | None = None) -> list[str]:
    """The ranks of the first group come first. A shell on each rank picks its group's command, because Open MPI 5.0.7's mpirun crashes
    if it gets several commands (`mpirun -n 1 true : -n 1 true`)."""
    groups = [Ranks(ranks)] if isinstance(ranks, int) else ranks
    commands = [group_command(group, arguments(group)) for group in groups]
    ends = list(accumulate(group.count for group in groups))
    words = [*LAUNCHER, *(launcher or []), "-n", str(ends[-1])]
    if len(groups) == 1:
        return words + commands[0]
    choices = [f"[ $OMPI_COMM_WORLD_RANK -ge {end} ] || exec {shlex.join(chosen)}\n" for end, chosen in zip(ends, commands)]
    return [*words, "sh", "-c", "".join(choices)]


def group_command(group: Ranks, arguments: list[str]) -> list[str]:
    fault = {"NINA_FAULT": group.fault, "NINA_FAULT_UNTIL": NEVER} if group.fault else {}
    variables = fault | group.variables
    given = ["env", *(f"{name}={value}" for name, value in variables.items())] if variables else []
    return [*given, str(PROGRAM), *arguments]


def start_command(words: list[str], stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Starts a job in its own session."""
    return subprocess.Popen(
        words,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment() | LAUNCHER_VARIABLES,
        start_new_session=True,
    )


def start(
    out: Path, *inputs: Argument, ranks: int | list[Ranks], launcher: list[str] | None = None, **options: Argument
) -> subprocess.Popen[bytes]:
    """Starts a job in its own session; the test must end the job."""
    return start_command(command(ranks, lambda group: embed_arguments(out, *inputs, **(options | group.options)), launcher))


def finish(job: subprocess.Popen[bytes], status: Status, stdin: bytes | None = None) -> Result:
    """Waits for a job's end. A job that hangs is killed, and its ranks on this host too: mpirun may wait for itself alone."""
    try:
        stdout, stderr = job.communicate(stdin, timeout=LONGEST_RUN)
    except subprocess.TimeoutExpired as late:
        ranks = rank_processes(job)
        for process in [*ranks, job.pid]:  # each rank has a process group of its own
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        said = ((late.stdout or b"")[-2000:] + (late.stderr or b"")[-8000:]).decode(errors="replace")
        pytest.fail(f"the job has not ended after {LONGEST_RUN} s; ranks that lived: {ranks or 'none'}\n{said}")
    return checked(Result(job.returncode, stdout.decode(), stderr.decode()), status)


def finish_after(job: subprocess.Popen[bytes], phrase: str, release: Path, status: Status) -> Result:
    """Some of the job's ranks wait for the file `release` (NINA_FAULT_UNTIL). Once a rank has said the phrase, lets them go on, and
    waits for the job's end."""
    assert job.stderr
    said, end = b"", time.monotonic() + LONGEST_RUN
    while phrase.encode() not in said:
        ready, _, _ = select.select([job.stderr], [], [], max(0, end - time.monotonic()))
        piece = os.read(job.stderr.fileno(), 65536) if ready else b""
        said += piece
        if not piece:  # time is up, or the job has ended
            break
    release.touch()
    result = finish(job, status)
    return Result(result.status, result.stdout, said.decode() + result.stderr)


def embed_many(out: Path, *inputs: Argument, ranks: int | list[Ranks], status: Status = DONE, **options: Argument) -> Result:
    """Runs `nina embed` on many ranks to its end, by default with the null encoder and the tiny golden model."""
    return finish(start(out, *inputs, ranks=ranks, **options), status)


def nina_many(*arguments: Argument, ranks: int | list[Ranks], stdin: bytes | None = None, status: Status = DONE) -> Result:
    """Runs any command of nina on many ranks to its end."""
    words = command(ranks, lambda _: [str(argument) for argument in arguments])
    return finish(start_command(words, subprocess.DEVNULL if stdin is None else subprocess.PIPE), status, stdin)


def rank_processes(job: subprocess.Popen[bytes]) -> list[int]:
    """The process ids of a job's ranks, in no fixed order."""
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
    found = []
    for child in map(int, children):
        try:
            program = os.readlink(f"/proc/{child}/exe")
        except OSError:
            continue
        if program == str(PROGRAM.resolve()):
            found.append(child)
    return found


def heeds(process: int, number: signal.Signals) -> bool:
    """True if a process already catches a signal instead of dying from it."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) >> (number - 1) & 1 == 1
