"""A shard is cut short or corrupted: the rows before the damage are kept, the run fails and says so, and a repaired shard completes it."""

import gzip
import json
import os
import signal
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from many import Ranks, command, finish, group_command, needs_mpirun, start, start_command
from output import Output, same_bits
from program import DONE, FAILED, PROGRAM, REJECTS, USAGE, Argument, Result, embed, embed_arguments, nina, wait_for_parts
from shards import compress, lines_of, make_archive, make_documents

ROWS = (30, 400, 30)
OPTIONS = {"widths": "32,8", "block_lines": 64, "store_text": True}
WHOLE = lines_of(make_documents(ROWS[1], 1))


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Output:
    """A run over undamaged shards."""
    folder = tmp_path_factory.mktemp("straight")
    embed(folder / "out", *archive(folder, ".gz", compress(WHOLE, ".gz")), **OPTIONS)
    return Output(folder / "out")


def archive(folder: Path, ending: str, content: bytes) -> list[Path]:
    """Three shards; the middle one has this content."""
    shards = make_archive(folder / "in", (ROWS[0], 0, ROWS[2]))
    shards[1].unlink()
    shards[1] = folder / "in" / f"middle.jsonl{ending}"
    shards[1].write_bytes(content)
    return shards


def whole_lines(damaged: bytes) -> int:
    """How many lines a damaged .gz file still gives."""
    inflate, text = zlib.decompressobj(31), b""
    for at in range(len(damaged)):  # a byte at a time, so that bytes before an error count
        try:
            text += inflate.decompress(damaged[at : at + 1])
        except zlib.error:
            break
    return text.count(b"\n")


def damage(ending: str, kind: str) -> bytes:
    content = bytearray(compress(WHOLE, ending))
    if kind == "corrupt":
        content[len(content) // 2] ^= 0x55
    elif kind == "bad checksum":
        content[-6 if ending == ".gz" else -2] ^= 0x55
    elif kind == "garbage after":
        content += b"garbage"
    else:
        del content[int(len(content) * float(kind)) :]
    return bytes(content)


CASES = {
    (".gz", "0.0"): "ends inside a member: the file is truncated",
    (".gz", "0.01"): "ends inside a member: the file is truncated",
    (".gz", "0.5"): "ends inside a member: the file is truncated",
    (".gz", "0.999"): "ends inside a member: the file is truncated",
    (".gz", "corrupt"): "is corrupt",
    (".gz", "bad checksum"): "is corrupt",
    (".gz", "garbage after"): "has garbage after its last member",
    (".zst", "0.0"): "ends inside a frame: the file is truncated",
    (".zst", "0.01"): "ends inside a frame: the file is truncated",
    (".zst", "0.5"): "ends inside a frame: the file is truncated",
    (".zst", "0.999"): "ends inside a frame: the file is truncated",
    (".zst", "corrupt"): "is corrupt",
    (".zst", "bad checksum"): "is corrupt",
    (".zst", "garbage after"): "has garbage after its last frame",
}


@pytest.mark.sanitize
@pytest.mark.parametrize(("ending", "kind"), CASES, ids=lambda value: value.strip("."))
def test_rows_before_the_damage_are_kept_and_a_repaired_shard_completes(
    tmp_path: Path, straight: Output, ending: str, kind: str
) -> None:
    content = damage(ending, kind)
    shards = archive(tmp_path, ending, content)
    result = embed(tmp_path / "out", *shards, status=FAILED, **OPTIONS)
    result.says(f"shard {shards[1]} is damaged after line ", CASES[ending, kind])
    result.says("start the same command again", "is not complete")

    output = Output(tmp_path / "out")
    last = [record for record in output.records() if record["shard"] == 1][-1]
    assert last["incomplete"] and not last["end_of_shard"] and output.manifest()["state"] == "incomplete"
    kept = last["first_line"] - 1 + last["lines"]
    assert f"after line {kept} " in result.stderr
    if ending == ".gz":
        assert kept == whole_lines(content)
    numbers = [*range(ROWS[0] + kept), *range(ROWS[0] + ROWS[1], sum(ROWS))]
    if kind != "corrupt":  # a decompressor may give wrong bytes for a while before it notices
        assert same_bits(output.vectors(32), straight.vectors(32)[numbers])
        ids = straight.ids()
        assert output.ids() == [ids[number] for number in numbers]
    assert f"parts/part-00001-{last['block']:05d}.json" in nina("verify", output.path, status=FAILED).stdout

    before = output.embedding()
    embed(tmp_path / "out", *shards, status=FAILED, **OPTIONS)
    assert output.embedding() == before

    shards[1].write_bytes(compress(WHOLE, ending))
    embed(tmp_path / "out", *shards, **OPTIONS)
    assert output.embedding() == straight.embedding() and output.manifest()["state"] == "complete"
    nina("verify", output.path)


def test_damaged_shard_of_a_run_that_began_anew_is_no_reason_to_begin_again(tmp_path: Path) -> None:
    shard, again = tmp_path / "a.jsonl.gz", "start the same command again without --overwrite\n"
    shard.write_bytes(compress(WHOLE, ".gz")[:-4])
    result = embed(tmp_path / "out", shard, overwrite=True, status=FAILED, **OPTIONS)
    result.says(f"repair or replace it and {again}", f"out is not complete: repair or replace the damaged shards and {again}")


def test_cut_file_of_plain_text_is_a_rejected_line(tmp_path: Path) -> None:
    """Only the last line shows that a plain file was cut."""
    shard = tmp_path / "a.jsonl"
    shard.write_bytes(WHOLE[:-20])
    embed(tmp_path / "out", shard, widths=8, status=REJECTS)
    assert [row["line"] for row in Output(tmp_path / "out").rejects()] == [ROWS[1]]


def test_line_that_the_damage_cut_is_neither_row_nor_reject(tmp_path: Path) -> None:
    shard = tmp_path / "a.jsonl.gz"
    content = compress(b'{"text":"a"}\n{"text":"b"}', ".gz")
    shard.write_bytes(content[:-4])
    embed(tmp_path / "out", shard, widths=8, status=FAILED)
    output = Output(tmp_path / "out")
    assert [row["id"] for row in output.ids()] == ["0:1"] and output.rejects() == []


@pytest.mark.parametrize("change", ["shortened", "grown"])
def test_shard_that_changes_its_size_while_it_is_read_is_not_complete(tmp_path: Path, change: str) -> None:
    """A copy that is still in progress when the run begins, or an export that is cut back."""
    lines = lines_of(make_documents(20_000, 1))
    middle = lines.index(b"\n", len(lines) * 2 // 3) + 1
    shard, out = tmp_path / "a.jsonl", tmp_path / "out"
    shard.write_bytes(lines if change == "shortened" else lines[:middle])

    def resize() -> None:
        if change == "shortened":
            os.truncate(shard, middle)
        else:
            with shard.open("ab") as file:
                file.write(lines[middle:])

    options = EVEN | {"block_lines": 100}
    result = change_during_a_run(out, [shard], 1, resize, options)
    sizes = (len(lines), middle) if change == "shortened" else (middle, len(lines))
    result.says(f"the size of {shard} changed while the run read it, from {sizes[0]} to {sizes[1]} bytes")
    assert Output(out).manifest()["state"] == "incomplete"

    embed(out, shard, **options)
    embed(tmp_path / "fresh", shard, **options)
    assert Output(out).files("*/*", "manifest.json") == Output(tmp_path / "fresh").files("*/*", "manifest.json")
    nina("verify", out)


EVEN = {"widths": 8, "block_lines": 10, "threads": 1}
EVEN_LINES = (100, 100, 40)
CHANGES = {"another file": None, "its beginning": 0, "its end": -20}


def even_shards(folder: Path, endings: tuple[str, ...] = ("", "", "")) -> list[Path]:
    shards = [folder / f"{number}.jsonl{ending}" for number, ending in enumerate(endings)]
    for number, shard in enumerate(shards):
        shard.write_bytes(stored(even_lines(EVEN_LINES[number], number), endings[number]))
    return shards


def stored(content: bytes, ending: str) -> bytes:
    """Lines of the same length give files of the same size, packed or plain."""
    return gzip.compress(content, compresslevel=0, mtime=0) if ending == ".gz" else content


def even_lines(count: int, seed: int) -> bytes:
    return b"".join(b'{"text":"%05d of %d, %s"}\n' % (line, seed, b"word " * 20) for line in range(count))


def change_keeping_size(shard: Path, change: str) -> None:
    offset = CHANGES[change]
    if offset is None:
        content = shard.read_bytes()
        lines = gzip.decompress(content) if shard.suffix == ".gz" else content
        shard.with_name("new").write_bytes(stored(even_lines(lines.count(b"\n"), 9), shard.suffix))
        assert len(content) == shard.with_name("new").stat().st_size
        os.replace(shard.with_name("new"), shard)
        return
    with shard.open("r+b") as file:
        file.seek(offset, os.SEEK_END if offset < 0 else os.SEEK_SET)
        file.write(b"Z")


def change_during_a_run(
    out: Path, shards: list[Path], ranks: int, change: Callable[[], None], options: dict[str, Argument] = EVEN
) -> Result:
    """Each rank commits a part, reads a few blocks ahead, and waits until the change has been made."""
    release = out.with_name("release")
    group = Ranks(ranks, fault="write:40+:wait", variables={"NINA_FAULT_UNTIL": release})
    arguments = embed_arguments(out, *shards, **options)
    before = len(list((out / "parts").glob("part-*")))
    run = start_command(group_command(group, arguments) if ranks == 1 else command([group], lambda _: arguments))
    wait_for_parts(out, before + 1, run)
    change()
    release.touch()
    return finish(run, FAILED)


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=needs_mpirun)])
@pytest.mark.parametrize(("changed", "change"), [(0, "its beginning"), (0, "its end"), *((2, change) for change in CHANGES)])
def test_shard_that_changes_while_it_is_read_but_keeps_its_size_is_not_complete(
    tmp_path: Path, changed: int, change: str, ranks: int
) -> None:
    """OUT must not hold rows of one version of a shard beside the fingerprint of another."""
    shards, out = even_shards(tmp_path), tmp_path / "out"
    result = change_during_a_run(out, shards, ranks, lambda: change_keeping_size(shards[changed], change))
    result.says(f"{shards[changed]} changed while the run read it, and kept its size")
    assert Output(out).manifest()["state"] == "incomplete"

    status = embed(tmp_path / "fresh", *shards, status=(DONE, REJECTS), **EVEN).status
    embed(out, *shards, status=status, **EVEN)
    assert Output(out).files("*/*", "manifest.json") == Output(tmp_path / "fresh").files("*/*", "manifest.json")
    nina("verify", out)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("put_back", [True, False])
@pytest.mark.parametrize("change", ["another file", "shortened to a third"])
def test_block_from_the_middle_of_a_shard_that_was_replaced_is_done_again(tmp_path: Path, change: str, put_back: bool, ending: str) -> None:
    """Of a .gz, or if the block lies past the end, the blocks before are skipped, and a skip meets the change. The last shard is done all the same."""
    shards, out = even_shards(tmp_path, ("", ending, "")), tmp_path / "out"
    embed(out, *shards, **EVEN)
    for lost in [*(out / "parts").glob("part-0000[02]-*"), out / "parts" / "part-00001-00005.json"]:
        lost.unlink()
    old = shards[1].read_bytes()
    if change == "another file":
        result = change_during_a_run(out, shards, 1, lambda: change_keeping_size(shards[1], change))
        result.says(f"{shards[1]} changed while the run read it, and kept its size")
    else:
        third = stored(even_lines(EVEN_LINES[1] // 3, 1), ending)
        result = change_during_a_run(out, shards, 1, lambda: shards[1].write_bytes(third))
        result.says(f"the size of {shards[1]} changed while the run read it, from {len(old)} to {len(third)} bytes")
    assert [record["block"] for record in Output(out).records() if record["incomplete"]] == [5]
    assert len(list((out / "parts").glob("part-00002-*"))) == 4 and (out / "report.json").is_file()
    assert nina("verify", out, status=FAILED).stdout.count("part-00001") == 1

    if put_back:
        shards[1].write_bytes(old)
    embed(out, *shards, **EVEN)
    embed(tmp_path / "fresh", *shards, **EVEN)
    assert Output(out).files("*/*", "manifest.json") == Output(tmp_path / "fresh").files("*/*", "manifest.json")
    nina("verify", out)


@pytest.mark.parametrize("earlier", ["whole", "cut at its end"])
def test_damage_among_blocks_that_are_done_is_told_and_costs_none_of_them(tmp_path: Path, earlier: str) -> None:
    """A skip meets the damage right between two blocks, each of which is a member of the file; its size and its ends do not show it."""
    shard, out, options = tmp_path / "a.jsonl.gz", tmp_path / "out", EVEN | {"block_lines": 100}
    lines = even_lines(2000, 1).splitlines(keepends=True)
    members = [stored(b"".join(lines[at : at + 100]), ".gz") for at in range(0, len(lines), 100)]
    whole = b"".join(members)
    shard.write_bytes(whole if earlier == "whole" else whole[:-4])
    embed(out, shard, status=DONE if earlier == "whole" else FAILED, **options)
    if earlier == "whole":
        (out / "parts" / "part-00000-00015.json").unlink()
    before = [record for record in Output(out).records() if not record["incomplete"]]
    broken = bytearray(shard.read_bytes())
    broken[sum(map(len, members[:10]))] ^= 0xFF
    shard.write_bytes(broken)
    result = embed(out, shard, status=FAILED, **options)
    block = 15 if earlier == "whole" else 20
    result.says(f"shard {shard} is damaged before its block {block}: ", "repair or replace the damaged shards and start")
    assert [record for record in Output(out).records() if not record["incomplete"]] == before

    shard.write_bytes(whole)
    embed(out, shard, **options)
    embed(tmp_path / "fresh", shard, **options)
    assert Output(out).files("*/*", "manifest.json") == Output(tmp_path / "fresh").files("*/*", "manifest.json")
    nina("verify", out)


@needs_mpirun
@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("change", ["its beginning", "its end", "its size"])
def test_shard_that_changes_while_ranks_share_it_is_not_complete_and_holds_nobody_up(tmp_path: Path, change: str, ending: str) -> None:
    """A rank skips the other's blocks, and so meets the change where the other has read whole blocks."""
    shards, out = even_shards(tmp_path, (ending, "")), tmp_path / "out"
    shards[0].write_bytes(stored(even_lines(400, 0), ending))
    releases = [tmp_path / "release 0", tmp_path / "release 1"]
    # Rank 1 stops at its first part, of the other shard. When it comes to this one, rank 0 has read blocks that it must skip, unless
    # rank 0 has met the change by then: what comes of it is the same.
    groups = [
        Ranks(1, fault="write:80+:wait", variables={"NINA_FAULT_UNTIL": releases[0]}),
        Ranks(1, fault="write:1+:wait", variables={"NINA_FAULT_UNTIL": releases[1]}),
    ]
    run = start(out, shards[0], shards[1], ranks=groups, **EVEN)
    wait_for_parts(out, 4, run)
    if change == "its size":
        os.truncate(shards[0], shards[0].stat().st_size - 10)
    else:
        change_keeping_size(shards[0], change)
    for release in reversed(releases):
        release.touch()
    result = finish(run, FAILED)
    assert "has stopped" not in result.stderr
    if change == "its size":
        result.says(f"the size of {shards[0]} changed while the run read it")
    else:
        result.says(f"shard {shards[0]} is damaged ", "changed while the run read it, and kept its size")
    output = Output(out)
    assert output.manifest()["state"] == "incomplete" and (out / "report.json").is_file()
    assert len(list((out / "parts").glob("part-00001-*"))) == 10
    assert any(record["incomplete"] for record in output.records() if record["shard"] == 0)
    assert "was damaged here" in nina("verify", out, status=FAILED).stdout

    shards[0].write_bytes(stored(even_lines(400, 9), ending))
    embed(out, *shards, **EVEN)
    embed(tmp_path / "fresh", *shards, **EVEN)
    assert output.files("*/*", "manifest.json") == Output(tmp_path / "fresh").files("*/*", "manifest.json")
    nina("verify", out)


REPLACEMENTS = {
    "other": lines_of(make_documents(ROWS[1], 5)),
    "shorter": WHOLE[: WHOLE.index(b"\n", len(WHOLE) // 4) + 1],
    "shifted": b'{"text":"one more"}\n' + WHOLE,
    "other from the middle on": WHOLE[: len(WHOLE) // 2] + b"\n" + lines_of(make_documents(50, 5)),
    "its first blocks alone": b"".join(WHOLE.splitlines(keepends=True)[:30]),
    "empty": b"",
}


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_damaged_shard_may_be_replaced_by_another(tmp_path: Path, replacement: str, ending: str) -> None:
    """In a corrupt shard any line may be wrong, so every block that differs is done again."""
    shard, options = tmp_path / "a.jsonl.gz", OPTIONS | {"block_lines": 10}
    shard.write_bytes(compress(WHOLE, ".gz")[:-20])
    embed(tmp_path / "out", shard, status=FAILED, **options)
    shard = tmp_path / f"a.jsonl{ending}"
    shard.write_bytes(compress(REPLACEMENTS[replacement], ending))
    status = embed(tmp_path / "fresh", shard, status=(DONE, REJECTS), **options).status
    embed(tmp_path / "out", shard, status=status, **options)
    output, fresh = Output(tmp_path / "out"), Output(tmp_path / "fresh")
    assert output.files("*/*", "manifest.json") == fresh.files("*/*", "manifest.json")
    nina("verify", output.path)


@pytest.mark.parametrize("kill", ["discard:2:kill", "discard:7:kill"])
def test_job_killed_while_it_takes_parts_back_leaves_none_of_their_files(tmp_path: Path, kill: str) -> None:
    shard, options = tmp_path / "a.jsonl.gz", OPTIONS | {"block_lines": 10}
    shard.write_bytes(compress(WHOLE, ".gz")[:-20])
    embed(tmp_path / "out", shard, status=FAILED, **options)
    shard.write_bytes(compress(REPLACEMENTS["its first blocks alone"], ".gz"))
    embed(tmp_path / "fresh", shard, **options)
    embed(tmp_path / "out", shard, fault=kill, status=-signal.SIGKILL, **options)
    embed(tmp_path / "out", shard, **options)
    output, fresh = Output(tmp_path / "out"), Output(tmp_path / "fresh")
    assert output.files("*/*", "manifest.json") == fresh.files("*/*", "manifest.json")
    nina("verify", output.path)


def test_damage_on_standard_input_is_completed_by_a_whole_one(tmp_path: Path, straight: Output) -> None:
    content = compress(WHOLE, ".gz")
    result = embed(tmp_path / "out", "-", stdin=content[: len(content) // 2], status=FAILED, **OPTIONS)
    result.says("standard input")
    embed(tmp_path / "out", "-", stdin=content, **OPTIONS)
    whole = straight.vectors(32)[ROWS[0] : ROWS[0] + ROWS[1]]
    assert same_bits(Output(tmp_path / "out").vectors(32), whole)


def test_damage_on_standard_input_before_its_missing_blocks_is_told(tmp_path: Path) -> None:
    """The stream is cut inside a block, and between two: a member of its own each."""
    lines = WHOLE.splitlines(keepends=True)
    members = [compress(b"".join(lines[at : at + 64]), ".gz") for at in range(0, len(lines), 64)]
    embed(tmp_path / "out", "-", stdin=WHOLE, **OPTIONS)
    (tmp_path / "out" / "parts" / "part-00000-00005.json").unlink()
    before = Output(tmp_path / "out").embedding()
    for end in -9, 5:
        content = b"".join(members)[: sum(map(len, members[:3])) + end]
        result = embed(tmp_path / "out", "-", stdin=content, status=USAGE, **OPTIONS)
        result.says("shard 0 (-) is not the one that this run began with: it is damaged after line 1")
        assert Output(tmp_path / "out").embedding() == before
    embed(tmp_path / "out", "-", stdin=b"".join(members), **OPTIONS)
    assert Output(tmp_path / "out").manifest()["state"] == "complete"


def most_memory(arguments: list[str]) -> int:
    """The largest amount of memory that a run used, in bytes."""
    process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return os.wait4(process.pid, 0)[2].ru_maxrss * 1024


@pytest.mark.parametrize("number", [100_000_000, 2**31 - 2])
def test_forged_record_costs_no_more_than_its_own_size(tmp_path: Path, number: int) -> None:
    """A record may claim any block number; no table's size depends on it."""
    shards = make_archive(tmp_path / "in", (30, 60))
    out, options = tmp_path / "out", {"widths": 8, "block_lines": 20}
    embed(out, *shards, **options)
    verifying, resuming = ["verify", str(out)], embed_arguments(out, *shards, **options)
    usual = [most_memory(arguments) for arguments in (verifying, resuming)]
    name, forged = "part-00001-00002", f"part-00001-{number:05d}"
    for path in [path for path in out.rglob(f"{name}*")]:
        (path.parent / path.name.replace(name, forged)).write_bytes(path.read_bytes())
    last = out / "parts" / f"{name}.json"
    record = json.loads(last.read_text().replace(name, forged))
    last.write_text(last.read_text().replace('"end_of_shard": true', '"end_of_shard": false'))
    record |= {"block": number, "first_line": number + 1, "first_offset": 10 * number, "next_offset": 10 * number + 10}
    (out / "parts" / f"{forged}.json").write_text(json.dumps(record))
    assert f"blocks 3 to {number - 1} of shard 1" in nina("verify", out, status=FAILED).stdout
    (out / "manifest.json").write_text((out / "manifest.json").read_text().replace('"complete"', '"incomplete"'))
    for arguments, before in zip((verifying, resuming), usual, strict=True):
        assert most_memory(arguments) < before + (64 << 20)
