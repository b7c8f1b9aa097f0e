"""Ranks on two hosts, each with its own name, processes, network and /dev/shm: the same bytes as one process, also if a host dies."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import Cluster
from hosts import LIBRARY, MPICH, embed_on, needs_hosts, nina_on, start_embed_on
from many import finish, needs_mpirun
from output import Output
from program import DONE, FAILED, FULL, LONGEST_RUN, MODEL, PROGRAM, USAGE, Status, embed, nina, wait_for_parts
from shards import make_archive
from test_ranks_search import embed_set, results, write_set

pytestmark = [needs_mpirun, needs_hosts]

OPTIONS: dict[str, Any] = {"widths": "32,8", "block_lines": 16, "threads": 1}
HELD = "write:60+:wait"  # each rank commits some of the 31 blocks, and waits in the middle of another
TWO_EACH = {"node1": 2, "node2": 2}
DIED = (1, 137, 205, -signal.SIGKILL)
if LIBRARY == "Open MPI v5":
    DIED += (0, 255)  # now one, now the other, if it has lost a host
REFUSED: Status = USAGE
if MPICH:
    DIED += (255,)
    REFUSED = (USAGE, 255)  # 255: 4.0 hung in MPI_Finalize, and rank 0 left first


@pytest.fixture
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two hosts, or as many as a test asks for."""
    with Cluster(getattr(request, "param", 2), [tmp_path_factory.getbasetemp(), PROGRAM.parent]) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_archive(tmp_path_factory.mktemp("archive"), (90, 0, 40, 17, 1, 150, 33, 64, 20))


def check_complete(out: Path, archive: list[Path], alone: Path, device: str = "null") -> None:
    embed(alone, *archive, device=device, **OPTIONS)
    output = Output(out)
    assert output.embedding() == Output(alone).embedding() and output.manifest()["state"] == "complete"
    assert not output.temporaries() and not (out / "job.lock").exists()
    nina("verify", out)


@pytest.mark.skipif(not FULL, reason="as on one host; NINA_FULL_TESTS=1")
def test_host_of_another_compute_class_is_refused_unless_mixed(
    cluster: Cluster, tmp_path: Path, archive: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_OPTIONS_node2", "--batch-tokens 2000")
    refused = embed_on(cluster, TWO_EACH, tmp_path / "out", *archive, status=REFUSED, **OPTIONS)
    refused.says("rank 2 on node2", "compute_class.batch_tokens: 16384 on rank 0, 2000 on rank 2", "--mixed")
    embed_on(cluster, TWO_EACH, tmp_path / "out", *archive, mixed=True, **OPTIONS)
    classes = [dict(encoder="null", batch_tokens=tokens) for tokens in (16384, 2000)]
    assert Output(tmp_path / "out").manifest()["compute_class"] == {"mixed": classes}
    nina("verify", tmp_path / "out")


@pytest.mark.parametrize("device", ["null", "cpu"])
def test_two_hosts_give_the_bytes_of_one_process(cluster: Cluster, tmp_path: Path, archive: list[Path], device: str) -> None:
    embed_on(cluster, TWO_EACH, tmp_path / "out", *archive, device=device, **OPTIONS)
    check_complete(tmp_path / "out", archive, tmp_path / "alone", device)


@pytest.mark.skipif(MPICH, reason="Open MPI's daemons")
def test_daemons_that_share_a_name_and_dev_shm_are_recognised(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, archive: list[Path]
) -> None:
    """Open MPI would crash (SIGSEGV)."""
    with Cluster(2, [tmp_path_factory.getbasetemp(), PROGRAM.parent], alike=True) as cluster:
        refused = embed_on(cluster, TWO_EACH, tmp_path / "out", *archive, status=USAGE, **OPTIONS)
        refused.says("on host box: two of Open MPI's daemons share this host name and /dev/shm", "--mca btl ^vader")
        assert not list((cluster.folder / "shm").glob("nina.*"))
        cluster.settings["btl"] = "^vader"
        embed_on(cluster, TWO_EACH, tmp_path / "out", *archive, **OPTIONS)
    check_complete(tmp_path / "out", archive, tmp_path / "alone")


def a_minute_passes(out: Path) -> None:
    """The first sighting of a lock is made a minute older."""
    seen = json.loads((out / "job.lock.seen").read_text())
    since = {clock: first - 60 for clock, first in seen["since"].items()}
    (out / "job.lock.seen").write_text(json.dumps(seen | {"since": since}))


@pytest.mark.parametrize("victim", ["node1", "node2"])  # node1 has mpirun, rank 0 and the lock
def test_host_whose_every_process_is_killed_ends_the_job_and_the_next_start_completes(
    cluster: Cluster, tmp_path: Path, archive: list[Path], victim: str
) -> None:
    out = tmp_path / "out"
    job = start_embed_on(cluster, TWO_EACH, out, *archive, fault=HELD, **OPTIONS)
    wait_for_parts(out, 3, job)
    cluster.kill(victim)
    cluster.wait_for_end(PROGRAM, LONGEST_RUN)
    finish(job, DIED)
    cluster.boot(victim)
    again = embed_on(cluster, TWO_EACH, out, *archive, status=(DONE, USAGE), **OPTIONS)
    if again.status == USAGE:  # node1 has come back with a new namespace of process numbers (the kernel may give it its old name)
        assert victim == "node1"
        again.says("on host node1, has", "if it is dead, start again in")
        a_minute_passes(out)
        again = embed_on(cluster, TWO_EACH, out, *archive, **OPTIONS)
    again.says("are already there")
    check_complete(out, archive, tmp_path / "alone")


def test_job_on_another_host_is_refused_while_the_first_lives(cluster: Cluster, tmp_path: Path, archive: list[Path]) -> None:
    job = start_embed_on(cluster, TWO_EACH, tmp_path / "out", *archive, fault=HELD, **OPTIONS)
    wait_for_parts(tmp_path / "out", 1, job)
    embed_on(cluster, {"node2": 1}, tmp_path / "out", *archive, status=USAGE, **OPTIONS).says("on host node1, has")
    cluster.kill("node1")
    finish(job, DIED)


def test_evaluation_on_two_hosts_gives_the_bytes_of_one_process(cluster: Cluster, tmp_path: Path) -> None:
    data = write_set(tmp_path / "set", 600, 90)
    arguments = ["eval", "--model", MODEL, "--data", data, "--device", "null", "--widths", "32,8", "--quiet"]
    alone = nina(*arguments, "--out", tmp_path / "alone")
    many = nina_on(cluster, TWO_EACH, *arguments, "--out", tmp_path / "many")
    assert many.stdout == alone.stdout and results(tmp_path / "many") == results(tmp_path / "alone")


def test_search_on_two_hosts_gives_the_bytes_of_one_process(cluster: Cluster, tmp_path: Path) -> None:
    vectors = embed_set(write_set(tmp_path / "set", 400, 12), tmp_path / "vectors", 17)
    query = ["search", "--model", MODEL, "--device", "null", "--vectors", vectors / "corpus", "festa major"]
    alone = nina(*query)
    assert nina_on(cluster, TWO_EACH, *query).stdout == alone.stdout


def test_two_hosts_try_what_each_sees_of_the_other(cluster: Cluster, tmp_path: Path) -> None:
    each = {"node1": 1, "node2": 1}
    assert nina_on(cluster, each, "check-fs", tmp_path).stdout.endswith("may stand here, tried from 2 hosts\n")
    # /tmp is another one on each host.
    alone = nina_on(cluster, each, "check-fs", "/tmp", status=FAILED)
    alone.says("rank 1 on node2: cannot open /tmp/.check", "which rank 0 has made: No such file or directory")


@pytest.mark.skipif(not FULL, reason="as two ranks on each of two hosts; NINA_FULL_TESTS=1")
@pytest.mark.parametrize("cluster, each", [(2, 1), (4, 1), (4, 2)], indirect=["cluster"])
def test_more_hosts_and_fewer_ranks_give_the_bytes_of_one_process(cluster: Cluster, tmp_path: Path, archive: list[Path], each: int) -> None:
    ranks = {name: each for name in cluster.names}
    embed_on(cluster, ranks, tmp_path / "out", *archive, device="cpu", **OPTIONS)
    check_complete(tmp_path / "out", archive, tmp_path / "alone", "cpu")
    data = write_set(tmp_path / "set", 600, 90)
    arguments = ["eval", "--model", MODEL, "--data", data, "--device", "null", "--widths", "32,8", "--quiet"]
    wanted = nina(*arguments, "--out", tmp_path / "eval-alone")
    assert nina_on(cluster, ranks, *arguments, "--out", tmp_path / "eval").stdout == wanted.stdout
    assert results(tmp_path / "eval") == results(tmp_path / "eval-alone")
    query = ["search", "--model", MODEL, "--device", "null", "--vectors", tmp_path / "eval-alone" / "corpus", "festa major"]
    assert nina_on(cluster, ranks, *query).stdout == nina(*query).stdout
