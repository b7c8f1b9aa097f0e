"""Two jobs start on one OUT: while the first lives, the second is refused; once the first is dead, the second goes on."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from many import embed_many, finish, needs_mpirun, rank_processes, start
from output import Output
from program import FAILED, USAGE, embed, nina, start_embed, stop, wait_for_parts
from shards import make_documents, write_shard

OPTIONS: dict[str, Any] = {"widths": "32,8", "block_lines": 16, "threads": 1}
SLOW = {"null_rate": 1000}  # tokens/s: a block takes about a second, all blocks minutes; no test waits for them


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shard(tmp_path_factory.mktemp("archive") / "a.jsonl.zst", make_documents(3000, 1))


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory, shard: Path) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("wanted")
    embed(out, shard, **OPTIONS)
    return Output(out).embedding()


def lock_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "job.lock").read_text())


def check_complete(out: Path, wanted: dict[str, bytes]) -> None:
    output = Output(out)
    assert output.embedding() == wanted and output.manifest()["state"] == "complete"
    assert not output.temporaries() and not (out / "job.lock").exists() and not (out / "job.lock.seen").exists()
    nina("verify", out)


@pytest.mark.sanitize
def test_second_job_is_refused_until_the_first_one_is_dead(tmp_path: Path, shard: Path, wanted: dict[str, bytes]) -> None:
    first = start_embed(tmp_path, shard, **OPTIONS, **SLOW)
    wait_for_parts(tmp_path, 1, first)
    for mode in {}, {"overwrite": True}, {"append": True}:
        refused = embed(tmp_path, shard, status=USAGE, **OPTIONS, **mode).error
        assert f"another job, process {first.pid} on this host, is writing to {tmp_path}" in refused
    assert lock_of(tmp_path)["pid"] == first.pid
    stop(first, signal.SIGKILL, -signal.SIGKILL)
    assert lock_of(tmp_path)["pid"] == first.pid
    embed(tmp_path, shard, **OPTIONS).says("are already there")
    check_complete(tmp_path, wanted)


@needs_mpirun
def test_second_job_of_many_ranks_is_refused_until_the_first_one_is_dead(tmp_path: Path, shard: Path, wanted: dict[str, bytes]) -> None:
    first = start(tmp_path, shard, ranks=2, **OPTIONS, **SLOW)
    wait_for_parts(tmp_path, 1, first)
    owner = lock_of(tmp_path)["pid"]
    assert owner in rank_processes(first)
    refused = embed_many(tmp_path, shard, ranks=2, status=USAGE, **OPTIONS)
    refused.says(f"another job, process {owner} on this host, is writing to {tmp_path}")
    assert refused.stderr.count("another job") == 1
    first.kill()  # mpirun; its ranks live a moment longer
    finish(first, -signal.SIGKILL)
    embed_many(tmp_path, shard, ranks=3, **OPTIONS).says("are already there")
    check_complete(tmp_path, wanted)


def test_lock_of_another_host_is_taken_over_when_its_counter_has_stood_still(tmp_path: Path, shard: Path, wanted: dict[str, bytes]) -> None:
    first = start_embed(tmp_path, shard, **OPTIONS, **SLOW)
    wait_for_parts(tmp_path, 1, first)
    stop(first, signal.SIGKILL, -signal.SIGKILL)
    lock = lock_of(tmp_path) | {"host": "elsewhere"}
    (tmp_path / "job.lock").write_text(json.dumps(lock))
    refusal = f"another job, process {first.pid} on host elsewhere, has {tmp_path}/job.lock: if it is dead, start again in "
    assert refusal in embed(tmp_path, shard, status=USAGE, **OPTIONS).error
    # A minute passes: the first sighting is made a minute older.
    seen = json.loads((tmp_path / "job.lock.seen").read_text())
    since = {clock: first - 60 for clock, first in seen["since"].items()}
    (tmp_path / "job.lock.seen").write_text(json.dumps(seen | {"since": since}))
    embed(tmp_path, shard, **OPTIONS).says("are already there")
    check_complete(tmp_path, wanted)


def test_verify_advises_nothing_while_a_job_is_at_work(tmp_path: Path, shard: Path) -> None:
    # Of the part that it commits at this moment, files are there that no record names: without them the run would be "complete".
    job = start_embed(tmp_path, shard, **OPTIONS, **SLOW)
    wait_for_parts(tmp_path, 1, job)
    (tmp_path / "w8" / "part-00000-00180.npy.zst").touch()
    at_work = nina("verify", tmp_path, status=FAILED).stdout
    assert f"repair     nothing yet: another job, process {job.pid} on this host, is writing to {tmp_path}: wait until it ends; then verify again" in at_work
    assert "foreign" in at_work and "remove them" not in at_work
    stop(job, signal.SIGKILL, -signal.SIGKILL)
    assert "repair     foreign files are no part of the run: remove them, or leave them" in nina("verify", tmp_path, status=FAILED).stdout


def test_job_that_another_has_shut_out_can_change_nothing_any_more(tmp_path: Path, shard: Path, wanted: dict[str, bytes]) -> None:
    """A job hangs, loses its lock to a job with other settings, and wakes up again."""
    out = tmp_path / "out"
    first = start_embed(out, shard, **OPTIONS | {"max_tokens": 9, "null_rate": 300})
    wait_for_parts(out, 1, first)
    first.send_signal(signal.SIGSTOP)
    (out / "job.lock").unlink()  # as if its counter had stood still for a minute, seen from another host
    embed(out, shard, overwrite=True, **OPTIONS)
    check_complete(out, wanted)
    report = (out / "report.json").read_bytes()
    late = stop(first, signal.SIGCONT, USAGE)
    assert f"another job has begun in {out} since" in late.error and "no report" not in late.stderr
    assert (out / "report.json").read_bytes() == report
    check_complete(out, wanted)
    embed(out, shard, **OPTIONS).says("nothing to do")
