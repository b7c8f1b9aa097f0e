"""What happens to a job on several hosts if a link, a host or a clock fails, and how long it takes. Minutes, so only with
NINA_FULL_TESTS=1; -s prints what was measured (host/ranks/README.md has a table of it)."""

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster import Cluster
from hosts import embed_on, needs_hosts, start_embed_on
from many import needs_mpirun
from program import DONE, FULL, PROGRAM, USAGE, Result, wait_for_parts
from shards import make_archive
from test_cluster import DIED, OPTIONS, TWO_EACH, check_complete

pytestmark = [needs_mpirun, needs_hosts, pytest.mark.skipif(not FULL, reason="takes minutes; NINA_FULL_TESTS=1")]

LONGEST = 1800  # seconds until every process must have ended: the kernel gives up unanswered TCP after 15 to 20 minutes
SLOW = {"null_rate": 1000}  # tokens/s per rank: a block takes about a second
# Open MPI's daemons notice a dead connection after a minute.
KEEPALIVE = {"oob_tcp_keepalive_time": "30", "oob_tcp_keepalive_intvl": "10", "oob_tcp_keepalive_probes": "3"}


@pytest.fixture
def make_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Cluster]]:
    made: list[Cluster] = []

    def make(count: int = 2, ahead: dict[str, int] | None = None) -> Cluster:
        made.append(Cluster(count, [tmp_path_factory.getbasetemp(), PROGRAM.parent], ahead).__enter__())
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_archive(tmp_path_factory.mktemp("archive"), (300, 0, 140, 17, 1, 150, 233, 64, 20))


def report(what: str, seconds: float, result: Result) -> None:
    """What was measured, and what the job said last."""
    said = [line for line in result.stderr.splitlines() if line.strip("-* ")]
    print(f"\n{what}: {seconds:.1f} s, exit status {result.status}", *said[-12:], sep="\n    ")


def finish_late(job: subprocess.Popen[bytes], seconds: float) -> tuple[float, Result]:
    """Waits for a job's end. Returns the seconds that it took, and its result."""
    began = time.monotonic()
    stdout, stderr = job.communicate(timeout=seconds)
    return time.monotonic() - began, Result(job.returncode, stdout.decode(), stderr.decode())


@pytest.mark.parametrize("seconds", [5, 30])
@pytest.mark.parametrize("host", ["node1", "node2"])  # node1 has mpirun and rank 0
def test_job_goes_on_when_a_link_comes_back(
    make_cluster: Callable[..., Cluster], tmp_path: Path, archive: list[Path], host: str, seconds: int
) -> None:
    cluster, out = make_cluster(), tmp_path / "out"
    job = start_embed_on(cluster, TWO_EACH, out, *archive, **OPTIONS, **SLOW)
    wait_for_parts(out, 3, job)
    cluster.link(host, "down")
    time.sleep(seconds)
    cluster.link(host, "up")
    took, result = finish_late(job, LONGEST)
    report(f"link of {host} down for {seconds} s, until the job's end", took, result)
    assert result.status == DONE
    check_complete(out, archive, tmp_path / "alone")


@pytest.mark.parametrize("failure, keepalive", [("kill", False), ("link", False), ("power", False), ("link", True), ("power", True)])
def test_job_ends_when_a_host_cannot_be_reached_any_more_and_the_next_start_completes(
    make_cluster: Callable[..., Cluster], tmp_path: Path, archive: list[Path], failure: str, keepalive: bool
) -> None:
    cluster, out = make_cluster(3), tmp_path / "out"
    cluster.settings |= KEEPALIVE if keepalive else {}
    job = start_embed_on(cluster, TWO_EACH, out, *archive, **OPTIONS, **SLOW)
    wait_for_parts(out, 3, job)
    began = time.monotonic()
    if failure == "link":
        cluster.link("node2", "down")
    elif failure == "power":
        cluster.power_off("node2")
    else:
        cluster.kill("node2")
    took, result = finish_late(job, LONGEST)
    report(f"node2 lost for good ({failure}), until mpirun's end", took, result)
    cluster.wait_for_end(PROGRAM, LONGEST)
    print(f"    until the last rank's end: {time.monotonic() - began:.0f} s")
    assert result.status in DIED
    embed_on(cluster, {"node1": 2, "node3": 2}, out, *archive, **OPTIONS).says("already")  # what node2 has committed counts
    check_complete(out, archive, tmp_path / "alone")


def take_over(cluster: Cluster, out: Path, archive: list[Path]) -> float:
    """Starts a job on node1 as the refusals say, until it is let in. Returns the seconds until its end."""
    began = time.monotonic()
    while True:
        result = embed_on(cluster, {"node1": 2}, out, *archive, status=(DONE, USAGE), **OPTIONS)
        if result.status == DONE:
            return time.monotonic() - began
        wait = re.search(r"start again in (\d+) s", result.stderr)
        assert wait, result.stderr
        time.sleep(int(wait[1]))


def test_host_that_wakes_up_after_another_job_has_taken_over_changes_nothing(
    make_cluster: Callable[..., Cluster], tmp_path: Path, archive: list[Path]
) -> None:
    cluster, out = make_cluster(3), tmp_path / "out"
    job = start_embed_on(cluster, {"node2": 2, "node3": 2}, out, *archive, **OPTIONS, **SLOW)
    wait_for_parts(out, 3, job)
    began = time.monotonic()
    cluster.signal("node2", signal.SIGSTOP)
    took = take_over(cluster, out, archive)
    check_complete(out, archive, tmp_path / "alone")
    time.sleep(max(0, began + 90 - time.monotonic()))
    cluster.signal("node2", signal.SIGCONT)
    late, result = finish_late(job, LONGEST)
    print(f"\ntaken over after {took:.0f} s")
    report("woken up after 90 s, until the job's end", late, result)
    cluster.wait_for_end(PROGRAM, LONGEST)
    assert result.status != DONE
    check_complete(out, archive, tmp_path / "again")


def test_clock_an_hour_ahead_on_one_host_changes_nothing(
    make_cluster: Callable[..., Cluster], tmp_path: Path, archive: list[Path]
) -> None:
    """The clocks since boot."""
    cluster, out = make_cluster(ahead={"node2": 3600}), tmp_path / "out"
    job = start_embed_on(cluster, {"node2": 2, "node1": 2}, out, *archive, **OPTIONS, **SLOW)
    wait_for_parts(out, 3, job)
    cluster.kill("node2")
    took, result = finish_late(job, LONGEST)
    report("a host an hour ahead killed, until the job's end", took, result)
    cluster.wait_for_end(PROGRAM, LONGEST)
    print(f"    taken over after {take_over(cluster, out, archive):.0f} s")
    check_complete(out, archive, tmp_path / "alone")


@pytest.mark.parametrize("seconds", [3600, -3600])
@pytest.mark.parametrize("host", ["node1", "node2"])
def test_wall_clock_that_jumps_by_an_hour_on_one_host_changes_nothing(
    make_cluster: Callable[..., Cluster], tmp_path: Path, archive: list[Path], monkeypatch: pytest.MonkeyPatch, host: str, seconds: int
) -> None:
    monkeypatch.setenv(f"FAKE_PRELOAD_{host}", str(PROGRAM.parent / "tests" / "preload" / "libclock_jump.so"))
    monkeypatch.setenv("CLOCK_JUMP_AFTER", str(tmp_path / "jump"))
    monkeypatch.setenv("CLOCK_JUMP_BY", str(seconds))
    cluster, out = make_cluster(), tmp_path / "out"
    job = start_embed_on(cluster, TWO_EACH, out, *archive, **OPTIONS, **SLOW)
    wait_for_parts(out, 3, job)
    (tmp_path / "jump").touch()
    took, result = finish_late(job, LONGEST)
    report(f"the wall clock of {host} jumps by {seconds} s, until the job's end", took, result)
    assert result.status == DONE
    check_complete(out, archive, tmp_path / "alone")


@pytest.mark.parametrize("host", ["node1", "node2"])
def test_job_goes_on_when_a_host_that_hung_wakes_up(
    make_cluster: Callable[..., Cluster], tmp_path: Path, archive: list[Path], host: str
) -> None:
    cluster, out = make_cluster(), tmp_path / "out"
    job = start_embed_on(cluster, TWO_EACH, out, *archive, **OPTIONS, **SLOW)
    wait_for_parts(out, 3, job)
    cluster.signal(host, signal.SIGSTOP)
    time.sleep(90)
    cluster.signal(host, signal.SIGCONT)
    took, result = finish_late(job, LONGEST)
    report(f"{host} woken up after 90 s, until the job's end", took, result)
    assert result.status == DONE
    check_complete(out, archive, tmp_path / "alone")
