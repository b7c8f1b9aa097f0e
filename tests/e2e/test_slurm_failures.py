"""What comes of a job under a real Slurm that is stopped, killed or loses a host. Minutes, so only with NINA_FULL_TESTS=1; -s prints
what was measured (host/ranks/README.md has a table of it)."""

import os
import signal
import time
from pathlib import Path

import pytest

from hosts import LIBRARY, needs_hosts
from many import needs_mpirun
from program import FULL, LONGEST_RUN, PROGRAM
from slurm import ENDED, Slurm
from test_slurm import archive, check_done, log, needs_slurm, said_by_the_script, slurm, submit  # noqa: F401 (the fixtures)

pytestmark = [needs_mpirun, needs_hosts, needs_slurm, pytest.mark.skipif(not FULL, reason="takes minutes; NINA_FULL_TESTS=1")]

launchers = pytest.mark.parametrize("launcher", ["mpirun", "srun"])


def wait_for_blocks(slurm: Slurm, out: Path, job: str, count: int = 3) -> None:
    end = time.monotonic() + LONGEST_RUN
    while sum(1 for _ in (out / "parts").glob("part-*")) < count:
        assert time.monotonic() < end and slurm.job(job)["JobState"] not in ENDED, log(out, job)
        time.sleep(0.05)


@launchers
def test_job_past_its_time_limit_queues_itself_again_and_goes_on(slurm: Slurm, tmp_path: Path, archive: list[Path], launcher: str) -> None:
    began, out = time.monotonic(), tmp_path / "out"
    # Slurm looks every 30 s whether to send the signal: 20 to 50 s after the start. A block takes 4 s, less than GRACE.
    job = submit(slurm, archive, out, launcher, "--time=1", "--signal=B:USR1@10", nina=["--null-rate", "250"])
    check_done(slurm, archive, out, job, f"{launcher}, a time limit of 1 minute", began, restarts=1)
    assert "out of time; queued again" in log(out, job)


@launchers
def test_cancelled_job_ends_and_the_next_one_completes(slurm: Slurm, tmp_path: Path, archive: list[Path], launcher: str) -> None:
    out = tmp_path / "out"
    job = submit(slurm, archive, out, launcher)
    wait_for_blocks(slurm, out, job)
    began = time.monotonic()
    slurm.run("scancel", job)
    slurm.cluster.wait_for_end(PROGRAM, LONGEST_RUN)
    assert slurm.wait_for(job, ENDED)["JobState"] == "CANCELLED"
    print(f"\n{launcher}, scancel: {time.monotonic() - began:.0f} s until the last rank's end{said_by_the_script(out, job)}")
    began = time.monotonic()
    job = submit(slurm, archive, out, launcher, nina=[])
    check_done(slurm, archive, out, job, f"{launcher}, the next job", began)


@launchers
def test_requeued_job_goes_on(slurm: Slurm, tmp_path: Path, archive: list[Path], launcher: str) -> None:
    out = tmp_path / "out"
    job = submit(slurm, archive, out, launcher)
    wait_for_blocks(slurm, out, job)
    began = time.monotonic()
    slurm.run("scontrol", "requeue", job)
    check_done(slurm, archive, out, job, f"{launcher}, scontrol requeue", began, restarts=1)
    assert "are already there" in log(out, job)


def test_job_goes_on_without_a_drained_host(slurm: Slurm, tmp_path: Path, archive: list[Path]) -> None:
    """A drained host does its job to the end. A job that is queued again waits for as many hosts as it had, until it is told otherwise."""
    out = tmp_path / "out"
    job = submit(slurm, archive, out, "mpirun")
    wait_for_blocks(slurm, out, job)
    began = time.monotonic()
    slurm.run("scontrol", "update", "nodename=node3", "state=drain", "reason=test")
    time.sleep(2)
    assert slurm.job(job)["JobState"] == "RUNNING"
    slurm.run("scontrol", "requeue", job)
    slurm.wait_for(job, ("PENDING",), restarts=1)
    slurm.run("scontrol", "update", f"jobid={job}", "numnodes=1", "numtasks=2")
    check_done(slurm, archive, out, job, "a host drained, scontrol requeue and update to one host", began, restarts=1)
    assert slurm.job(job)["NodeList"] == "node2"


def ranks_on(slurm: Slurm, name: str) -> list[int]:
    return [process for process in slurm.cluster.processes(name) if slurm.cluster.runs(process, PROGRAM)]


@pytest.mark.parametrize("victim, number, words", [
    ("node2", signal.SIGKILL, "status 137: a rank was killed (SIGKILL)"),  # rank 0's host
    ("node3", signal.SIGKILL, "status 137: a rank was killed (SIGKILL)"),
    ("node3", signal.SIGSEGV, "status 139: a rank crashed (SIGSEGV)"),
])  # fmt: skip
@launchers
def test_job_whose_rank_is_killed_queues_itself_again_and_goes_on(
    slurm: Slurm, tmp_path: Path, archive: list[Path], launcher: str, victim: str, number: signal.Signals, words: str
) -> None:
    out = tmp_path / "out"
    job = submit(slurm, archive, out, launcher)
    wait_for_blocks(slurm, out, job)
    began = time.monotonic()
    os.kill(ranks_on(slurm, victim)[0], number)
    check_done(slurm, archive, out, job, f"{launcher}, {number.name} to a rank on {victim}", began, restarts=1)
    assert words in log(out, job) or (LIBRARY == "Open MPI v5" and "the launcher lost a rank or a machine" in log(out, job))


@pytest.mark.parametrize("victim", ["node2", "node3"])  # node2 runs the script, mpirun or srun, and rank 0
@launchers
def test_job_that_loses_a_host_goes_on_when_the_host_is_back(
    slurm: Slurm, tmp_path: Path, archive: list[Path], launcher: str, victim: str
) -> None:
    out = tmp_path / "out"
    job = submit(slurm, archive, out, launcher)
    wait_for_blocks(slurm, out, job)
    assert slurm.job(job)["BatchHost"] == "node2"
    began = time.monotonic()
    slurm.cluster.power_off(victim)
    slurm.wait_for(job, ("PENDING",), restarts=1)
    print(f"\n{launcher}, {victim} lost: {time.monotonic() - began:.0f} s until the job was queued again{said_by_the_script(out, job)}")
    slurm.cluster.boot(victim)
    slurm.join(victim)
    check_done(slurm, archive, out, job, "and the host back", began, restarts=1)


@launchers
def test_job_whose_starts_commit_nothing_is_not_queued_for_ever(slurm: Slurm, tmp_path: Path, archive: list[Path], launcher: str) -> None:
    out, began = tmp_path / "out", time.monotonic()
    program = tmp_path / "crashes"
    program.write_text("#!/bin/sh\nkill -SEGV $$\n")
    program.chmod(0o755)
    job = submit(slurm, archive, out, launcher, program=program)
    ended = slurm.wait_for(job, ("FAILED",), restarts=2)
    print(f"\n{launcher}, a program that crashes: {time.monotonic() - began:.0f} s until its end{said_by_the_script(out, job)}")
    assert ended["Restarts"] == "2" and ended["ExitCode"] == "139:0"
    assert log(out, job).count("queued again") == 3 and "3 starts have committed nothing" in log(out, job)


def test_launcher_that_loses_a_host_and_returns_0_is_not_believed(slurm: Slurm, tmp_path: Path, archive: list[Path]) -> None:
    """As the mpirun of Open MPI 5.0.7 may."""
    out = tmp_path / "out"
    program = tmp_path / "ends"
    program.write_text(f"#!/bin/sh\nmkdir -p {out}; touch {out}/job.lock\n")
    program.chmod(0o755)
    job = submit(slurm, archive, out, "mpirun", program=program)
    assert slurm.wait_for(job, ("FAILED",), restarts=2)["ExitCode"] == "255:0"
    assert log(out, job).count("the launcher lost a rank or a machine") == 3 and "nina: done" not in log(out, job)
