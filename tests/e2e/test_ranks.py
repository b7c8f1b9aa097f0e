"""Many ranks: the same bytes as one rank, even if some ranks fail."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from many import LAUNCHER, LAUNCHER_VARIABLES, OVER_TCP, Ranks, command, embed_many, finish, finish_after, needs_mpirun, rank_processes, start, start_command
from output import Output
from program import DONE, FAILED, MODEL, PROGRAM, USAGE, embed, embed_arguments, environment, nina, wait_for_parts
from shards import lines_of, make_archive, make_documents, write_shard

pytestmark = needs_mpirun

OPTIONS = {"widths": "32,8", "block_lines": 16, "threads": 1}
SLOW = {"null_rate": 1000}  # tokens/s per rank: a block takes about a second
STUCK_FINALIZE = PROGRAM.parent / "tests" / "preload" / "libstuck_finalize.so"
HELD = "write:20+:wait"  # the rank has begun, but can commit nothing until the test lets it
HELD_LATER = "write:60+:wait"  # the rank has committed some of the 32 blocks


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    folder = tmp_path_factory.mktemp("archive")
    one = write_shard(folder / "one.jsonl.zst", make_documents(500, 1))
    return {"one": [one], "many": make_archive(folder / "many", (90, 0, 40, 17, 1, 150, 33, 64, 20))}


@pytest.fixture(scope="module")
def wanted(archive: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, bytes]]:
    """What one process writes for each archive with each encoder."""
    folder, outputs = tmp_path_factory.mktemp("wanted"), {}
    for shards in archive:
        for device in "null", "cpu":
            out = folder / f"{shards}-{device}"
            embed(out, *archive[shards], device=device, quiet=True, **OPTIONS)
            outputs[shards, device] = Output(out).embedding()
    return outputs


@pytest.mark.parametrize("device", ["null", "cpu"])
@pytest.mark.parametrize("shards", ["one", "many"])
@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_any_number_of_ranks_gives_the_same_bytes(
    tmp_path: Path, archive: dict[str, list[Path]], wanted: dict[tuple[str, str], dict[str, bytes]], ranks: int, shards: str, device: str
) -> None:
    embed_many(tmp_path, *archive[shards], ranks=ranks, device=device, **OPTIONS)
    output = Output(tmp_path)
    assert output.embedding() == wanted[shards, device]
    assert output.manifest()["state"] == "complete"
    assert not (tmp_path / "job.lock").exists()
    nina("verify", tmp_path)


def test_rank_that_computes_holds_up_nobody_over_tcp(
    tmp_path: Path, archive: dict[str, list[Path]], wanted: dict[tuple[str, str], dict[str, bytes]]
) -> None:
    # Rank 0, which answers the claims, computes about 20 s on each of its blocks. If it answered only between blocks, the other rank would get no
    # more blocks than rank 0. A batch takes some seconds, and the job's end must wait for it.
    groups = [Ranks(1, options={"null_rate": 50}), Ranks(1)]
    options = OPTIONS | {"batch_tokens": 64}
    job = start(tmp_path, *archive["one"], ranks=groups, launcher=OVER_TCP, progress="json", grace=1, **options)
    wait_for_parts(tmp_path, 25, job)
    job.send_signal(signal.SIGUSR1)
    events = [json.loads(line) for line in finish(job, FAILED).stderr.splitlines() if line.startswith("{")]
    assert events[-1]["event"] == "end" and events[-1]["slowest"] == 0
    assert events[-1]["slowest_tokens_per_second"] * 4 < events[-1]["tokens_per_second"]
    embed_many(tmp_path, *archive["one"], ranks=3, launcher=OVER_TCP, **OPTIONS)
    assert Output(tmp_path).embedding() == wanted["one", "null"]


def test_warned_job_finishes_its_blocks_and_another_number_of_ranks_goes_on(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl.zst", make_documents(3000, 1))  # a minute's work, of which the ranks do some seconds
    output = Output(tmp_path / "out")
    job = start(output.path, shard, ranks=3, grace=20, **OPTIONS, **SLOW)
    wait_for_parts(output.path, 3, job)
    warned = len(output.records())
    job.send_signal(signal.SIGUSR1)
    finish(job, FAILED).says("stopped; start the same command again to go on")
    assert output.manifest()["state"] == "incomplete" and not output.temporaries()
    before = len(output.records())
    assert before > warned
    embed_many(output.path, shard, ranks=5, **OPTIONS).says(f"in {before} parts are already there")
    embed(tmp_path / "wanted", shard, **OPTIONS)
    assert output.embedding() == Output(tmp_path / "wanted").embedding()


def test_grace_that_is_over_drops_the_blocks_in_flight(tmp_path: Path, archive: dict[str, list[Path]]) -> None:
    # A block takes more than half a minute, a batch 0.6 s.
    options = OPTIONS | {"block_lines": 64, "max_tokens": 32, "batch_tokens": 32}
    job = start(tmp_path / "out", *archive["one"], ranks=2, grace=1, progress="json", null_rate=50, **options)
    for line in iter(job.stderr.readline, b""):  # until blocks are in flight: some of their tokens are counted
        if line.startswith(b"{") and json.loads(line).get("tokens", 0) > 0:
            break
    job.send_signal(signal.SIGUSR1)
    finish(job, FAILED).says("stopped; start the same command again to go on")
    output = Output(tmp_path / "out")
    assert output.records() == [] and output.files("w*/*", "ids/*") == {} and not output.temporaries()
    embed_many(output.path, *archive["one"], ranks=2, **options)
    embed(tmp_path / "wanted", *archive["one"], **options)
    assert output.embedding() == Output(tmp_path / "wanted").embedding()


@pytest.mark.parametrize("victim", ["rank", "launcher", "everybody"])
def test_killed_job_is_resumed_without_mpirun(
    tmp_path: Path, archive: dict[str, list[Path]], wanted: dict[tuple[str, str], dict[str, bytes]], victim: str
) -> None:
    job = start(tmp_path, *archive["one"], ranks=[Ranks(3, fault=HELD_LATER)], **OPTIONS)
    wait_for_parts(tmp_path, 3, job)
    if victim == "everybody":
        os.killpg(job.pid, signal.SIGSTOP)  # so that no process notices
        for process in rank_processes(job):
            os.kill(process, signal.SIGKILL)
        os.killpg(job.pid, signal.SIGKILL)
    elif victim == "launcher":
        job.kill()
    else:
        os.kill(rank_processes(job)[-1], signal.SIGKILL)
    finish(job, (137, 143, -signal.SIGKILL))
    embed(tmp_path, *archive["one"], **OPTIONS)
    output = Output(tmp_path)
    assert output.embedding() == wanted["one", "null"]
    assert not output.temporaries() and not (tmp_path / "job.lock").exists()
    nina("verify", tmp_path)


@pytest.mark.parametrize("victim", [0, 1])
def test_rank_whose_disk_is_full_leaves_its_blocks_to_the_others(
    tmp_path: Path, archive: dict[str, list[Path]], wanted: dict[tuple[str, str], dict[str, bytes]], victim: int
) -> None:
    # The others commit nothing until the victim has reached its 30th write. Only this write fails, because rank 0 must write the manifest at the
    # end.
    release, out = tmp_path / "release", tmp_path / "out"
    groups = [Ranks(1, fault=HELD, variables={"NINA_FAULT_UNTIL": release}) for _ in range(3)]
    groups[victim] = Ranks(1, fault="write:30:ENOSPC")
    job = start(out, *archive["one"], ranks=groups, **OPTIONS)
    result = finish_after(job, "this rank has stopped", release, DONE)
    result.says("this rank has stopped, and its blocks go to the others: ", "No space left on device", "warning: 1 of 3 ranks failed")
    result.says("this run    500 documents")  # no matter what the victim had encoded but not committed
    output = Output(out)
    assert output.embedding() == wanted["one", "null"] and output.manifest()["state"] == "complete"
    assert not output.temporaries()
    nina("verify", out)


def test_job_of_which_all_ranks_fail_names_the_first(tmp_path: Path, archive: dict[str, list[Path]]) -> None:
    result = embed_many(tmp_path, *archive["one"], ranks=[Ranks(2, fault="sync:30+:EIO")], status=FAILED, **OPTIONS)
    result.says("this rank has stopped", "rank ", "Input/output error")
    embed(tmp_path, *archive["one"], **OPTIONS)
    nina("verify", tmp_path)


def test_repaired_shard_that_differs_is_done_anew(tmp_path: Path) -> None:
    documents = make_documents(300, 5)
    shard = write_shard(tmp_path / "a.jsonl.gz", documents)
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) * 3 // 4])
    out = tmp_path / "out"
    embed_many(out, shard, ranks=2, status=FAILED, **OPTIONS).says("is not complete: repair or replace the damaged shards")
    write_shard(shard, documents[:70] + [{"text": "un altre"}] + documents[71:])
    embed_many(out, shard, ranks=3, **OPTIONS)
    embed(tmp_path / "wanted", shard, **OPTIONS)
    assert Output(out).embedding() == Output(tmp_path / "wanted").embedding()
    nina("verify", out)


def test_rank_of_another_compute_class_is_refused_unless_mixed(tmp_path: Path, archive: dict[str, list[Path]]) -> None:
    groups = [Ranks(1), Ranks(1, options={"batch_tokens": 2000})]
    refused = embed_many(tmp_path, *archive["one"], ranks=groups, status=USAGE, **OPTIONS)
    refused.says("rank 1 on ", "compute_class.batch_tokens: 16384 on rank 0, 2000 on rank 1", "--mixed")
    embed_many(tmp_path, *archive["one"], ranks=groups, mixed=True, **OPTIONS)
    classes = [dict(encoder="null", batch_tokens=tokens) for tokens in (16384, 2000)]
    assert Output(tmp_path).manifest()["compute_class"] == {"mixed": classes}
    # A new start still knows both classes, and does not mistake another class for one of them.
    embed_many(tmp_path, *archive["one"], ranks=groups, mixed=True, **OPTIONS)
    assert Output(tmp_path).manifest()["compute_class"] == {"mixed": classes}


def test_hashes_and_a_models_vectors_are_never_mixed(tmp_path: Path, archive: dict[str, list[Path]]) -> None:
    out, devices = tmp_path / "out", ("null", "cpu")
    for begun, other in devices, devices[::-1]:
        groups = [Ranks(1, options={"device": device}) for device in (begun, other)]
        refused = embed_many(out, *archive["one"], ranks=groups, status=USAGE, mixed=True, **OPTIONS)
        refused.says(f'compute_class.encoder: "{begun}" on rank 0, "{other}" on rank 1')
        assert "--mixed" not in refused.stderr and not out.exists()
    for begun, other in devices, devices[::-1]:
        embed(out, *archive["one"], device=begun, overwrite=True, **OPTIONS)
        (out / "parts" / "part-00000-00003.json").unlink()
        before = Output(out).embedding()
        embed(out, *archive["one"], device=other, mixed=True, status=USAGE, **OPTIONS).says(
            f"the run in --out has rows of --device {begun}, and this one's device is {other}: hashes and a model's vectors are never mixed"
        )
        assert Output(out).embedding() == before


def test_ranks_with_other_settings_are_refused(tmp_path: Path, archive: dict[str, list[Path]]) -> None:
    groups = [Ranks(1), Ranks(1, options={"max_tokens": 9})]
    embed_many(tmp_path, *archive["one"], ranks=groups, status=USAGE, mixed=True, **OPTIONS).says("settings.max_tokens: 768 on rank 0, 9 on rank 1")


def test_ranks_of_one_machine_that_see_other_weights_are_refused(tmp_path: Path, archive: dict[str, list[Path]]) -> None:
    # Only the first rank on a machine reads all weights, so the others must have mapped the same files.
    folders = [shutil.copytree(MODEL, tmp_path / name) for name in ("model", "copy", "other")]
    with (folders[2] / "model.safetensors").open("r+b") as weights:
        weights.seek(-4, os.SEEK_END)
        weights.write(b"\x00\x00\x00\x3e")
    out, first = tmp_path / "out", Ranks(2, options={"model": folders[0]})
    others = [Ranks(1, options={"model": folder}) for folder in folders]
    refused = embed_many(out, *archive["one"], ranks=[first, others[2]], status=USAGE, **OPTIONS)
    refused.says("rank 2 on ", "cannot work with rank 0", "model.weights: ")
    assert not out.exists()
    embed_many(out, *archive["one"], ranks=[first, others[1]], **OPTIONS)


def test_ranks_with_other_inputs_are_refused(tmp_path: Path, archive: dict[str, list[Path]]) -> None:
    # Each rank with a shard and an OUT of its own, as if nobody told them of each other: rank 0 would embed its shard alone.
    for lists in [archive["many"][:1], archive["many"][1:2]], [archive["many"][:2], archive["many"][:1]]:
        each = iter(embed_arguments(tmp_path / str(rank), *inputs, **OPTIONS) for rank, inputs in enumerate(lists))
        refused = finish(start_command(command([Ranks(1), Ranks(1)], lambda _: next(each))), USAGE)
        its, first = (lists[1][0], lists[0][0]) if len(lists[0]) == 1 else ("nothing", lists[0][1])
        refused.says("rank 1 on ", f": this rank was started with other INPUTs than rank 0 ({its} instead of {first})")
        assert not list(tmp_path.iterdir())


def test_rank_that_sees_a_shorter_shard_embeds_none_of_it(tmp_path: Path) -> None:
    # As on a machine with an older copy. Rank 0 alone reads to the end, and lines of one length join, whichever of the two they are from.
    for rank, lines in enumerate([400, 399]):
        (tmp_path / str(rank)).mkdir()
        write_shard(tmp_path / str(rank) / "a.jsonl", [{"text": f"{i * 7919 * (rank + 1) % 1000:03} " * 20} for i in range(lines)])
    arguments = embed_arguments(tmp_path / "out", Path("a.jsonl"), **OPTIONS, null_rate=3000)
    words = [*LAUNCHER, "-n", "2", "sh", "-c", 'cd "$0/$OMPI_COMM_WORLD_RANK"; exec "$@"', str(tmp_path), str(PROGRAM), *arguments]
    finish(start_command(words), FAILED).says("rank 1 on ", "the size of a.jsonl changed while the run read it")
    embed(tmp_path / "wanted", tmp_path / "0" / "a.jsonl", **OPTIONS)
    embed(tmp_path / "out", tmp_path / "0" / "a.jsonl", **OPTIONS)
    assert Output(tmp_path / "out").files("w*/*") == Output(tmp_path / "wanted").files("w*/*")


def test_rank_whose_out_is_another_folder_is_refused(tmp_path: Path, archive: dict[str, list[Path]]) -> None:
    # As an OUT on each machine's own disk is.
    each = iter(embed_arguments(tmp_path / name, *archive["one"], **OPTIONS) for name in ("one", "two"))
    refused = finish(start_command(command([Ranks(1), Ranks(1)], lambda _: next(each))), USAGE)
    refused.says("rank 1 on ", f"{tmp_path / 'two'} is not the folder that rank 0 writes to: all ranks need one --out")
    os.symlink(tmp_path / "one", tmp_path / "two")
    each = iter(embed_arguments(tmp_path / name, *archive["one"], **OPTIONS) for name in ("one", "two"))
    finish(start_command(command([Ranks(1), Ranks(1)], lambda _: next(each))), DONE)


def test_failure_before_the_start_is_said_once(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(3, 1))
    result = embed_many(tmp_path / "out", shard, ranks=3, model=tmp_path / "none", status=USAGE)
    assert result.stderr.count("there is no folder") == 1
    assert not (tmp_path / "out").exists()


def test_standard_input_is_refused_under_several_ranks(tmp_path: Path) -> None:
    embed_many(tmp_path / "out", "-", ranks=2, status=USAGE).says("standard input", "2 ranks cannot share it")


def test_rejects_of_all_ranks_make_the_exit_status(tmp_path: Path) -> None:
    shard = tmp_path / "a.jsonl"
    shard.write_bytes(lines_of([*make_documents(60, 2), b"no document", *make_documents(60, 3)]))
    embed_many(tmp_path / "out", shard, ranks=2, status=3, **OPTIONS).says("1 line could not be embedded")


def test_process_without_a_launcher_never_starts_mpi(tmp_path: Path) -> None:
    # With this variable Open MPI cannot start.
    broken = environment() | LAUNCHER_VARIABLES | {"OMPI_MCA_pml": "nonesuch"}
    arguments = [str(PROGRAM), *embed_arguments(tmp_path / "out", write_shard(tmp_path / "a.jsonl", make_documents(3, 1)))]
    assert subprocess.run(arguments, env=broken, capture_output=True).returncode == DONE
    assert subprocess.run(["mpirun", "-n", "1", *arguments], env=broken, capture_output=True).returncode != DONE


def test_rank_bound_to_fewer_cores_than_its_share_says_which_option_helps(tmp_path: Path) -> None:
    bound = ["mpirun", "-n", "1", "--bind-to", "core"]
    if int(finish(start_command([*bound, "nproc"]), DONE).stdout) == os.cpu_count():
        pytest.skip("one core has all processors of this machine")
    shard = write_shard(tmp_path / "a.jsonl", make_documents(3, 1))
    done = finish(start_command([*bound, str(PROGRAM), *embed_arguments(tmp_path / "out", shard)]), DONE)
    assert "--bind-to none" in done.stderr


@pytest.mark.skipif(not STUCK_FINALIZE.exists(), reason="the library is built without sanitizers only")
def test_job_that_the_mpi_library_does_not_let_go_ends_when_all_is_done(
    tmp_path: Path, archive: dict[str, list[Path]], wanted: dict[tuple[str, str], dict[str, bytes]]
) -> None:
    # mpirun calls the end of such a rank an error, for which it kills the other rank after a second, unless Open MPI 4, 5 are told
    # otherwise. The shell tells what a rank ended with.
    patient = ["--mca", "orte_allowed_exit_without_sync", "1", "--mca", "prte_allowed_exit_without_sync", "1"]
    telling = f'trap "" TERM; LD_PRELOAD={STUCK_FINALIZE} "$@"; echo "rank $OMPI_COMM_WORLD_RANK ended with $?" >&2'
    arguments = embed_arguments(tmp_path, *archive["many"], device="null", **OPTIONS)
    job = start_command([*LAUNCHER, *patient, "-n", "2", "sh", "-c", telling, "sh", str(PROGRAM), *arguments])
    finish(job, (DONE, FAILED, 255)).says("has not let this job end for a minute", "rank 0 ended with 0")
    assert Output(tmp_path).embedding() == wanted["many", "null"]
    assert Output(tmp_path).manifest()["state"] == "complete"
