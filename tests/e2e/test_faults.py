"""A system call fails, or the process dies, at any place: nina gives a sentence and exit status 1, and the same command
then completes the run to the same bytes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from output import Output
from program import DONE, FAILED, FULL, REJECTS, USAGE, embed, nina
from shards import make_archive, write_shard

OPTIONS: dict[str, Any] = {"widths": "16,8", "block_lines": 20, "threads": 1, "store_text": True}
KILLED = -9
MEANING = {"ENOSPC": "No space left on device", "EIO": "Input/output error", "EACCES": "Permission denied"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Output, list[Path]]:
    """An undisturbed run with five parts and a reject, over a plain, a gzip and a zstd shard."""
    folder = tmp_path_factory.mktemp("archive")
    shards = make_archive(folder / "in", (30, 15, 15))
    shards.append(write_shard(folder / "in" / "last.jsonl", ["no document"]))
    embed(folder / "out", *shards, status=REJECTS, **OPTIONS)
    return Output(folder / "out"), shards


def every(step: int) -> Iterator[int]:
    """1 and every step-th number after it, without end: a test stops at the first number that its run does not
    reach."""
    number = 1
    while True:
        yield number
        number += 1 if FULL else step


def check_completes(output: Output, shards: list[Path], straight: Output) -> None:
    embed(output.path, *shards, status=REJECTS, **OPTIONS)
    assert output.files("*/*", "manifest.json") == straight.files("*/*", "manifest.json")
    assert output.temporaries() == []


@pytest.mark.parametrize(
    ("site", "action", "step"), [("write", "ENOSPC", 9), ("sync", "EIO", 8), ("rename", "EACCES", 6)]
)
def test_failed_call_is_told_and_the_same_command_completes(
    tmp_path: Path, archive: tuple[Output, list[Path]], site: str, action: str, step: int
) -> None:
    straight, shards = archive
    for number in every(step):
        output = Output(tmp_path / f"out{number}")
        fault = f"{site}:{number}:{action}"
        result = embed(output.path, *shards, fault=fault, status=(FAILED, REJECTS), **OPTIONS)
        if result.status == REJECTS:
            break
        assert result.error.endswith(f": {MEANING[action]}")
        assert str(tmp_path) in result.error and ".tmp" not in result.error
        assert output.temporaries() == []
        check_completes(output, shards, straight)
    assert number > 20


@pytest.mark.parametrize(("site", "step"), [("write", 11), ("sync", 9), ("rename", 5)])
def test_death_at_any_call_leaves_what_the_same_command_completes(
    tmp_path: Path, archive: tuple[Output, list[Path]], site: str, step: int
) -> None:
    straight, shards = archive
    for number in every(step):
        output = Output(tmp_path / f"out{number}")
        fault = f"{site}:{number}:kill"
        result = embed(output.path, *shards, fault=fault, status=(KILLED, REJECTS), **OPTIONS)
        if result.status == REJECTS:
            break
        check_completes(output, shards, straight)
    assert number > 20


@pytest.mark.sanitize
@pytest.mark.threads
@pytest.mark.parametrize("site", ["write", "sync", "rename"])
def test_disk_that_stays_full_stops_every_thread(
    tmp_path: Path, archive: tuple[Output, list[Path]], site: str
) -> None:
    straight, shards = archive
    options = OPTIONS | {"threads": 3}
    for fault in (f"{site}:25+:ENOSPC", "write:1+:ENOSPC"):
        result = embed(tmp_path / "out", *shards, fault=fault, status=FAILED, **options)
        assert result.error.endswith("No space left on device")
    check_completes(Output(tmp_path / "out"), shards, straight)


@pytest.mark.sanitize
def test_input_that_cannot_be_read_is_told(tmp_path: Path, archive: tuple[Output, list[Path]]) -> None:
    """First come the reads of the shards' ends, then the run's reads."""
    straight, shards = archive
    named = 0
    for number in every(3):
        output = Output(tmp_path / f"out{number}")
        result = embed(output.path, *shards, fault=f"read:{number}:EIO", status=(FAILED, REJECTS), **OPTIONS)
        if result.status == REJECTS:
            break
        assert result.error.startswith("cannot read ") and result.error.endswith("Input/output error")
        named += any(str(shard) in result.error for shard in shards)
        check_completes(output, shards, straight)
    assert named > 1


def test_death_and_failure_may_follow_each_other(tmp_path: Path, archive: tuple[Output, list[Path]]) -> None:
    """One OUT through many accidents: each run gets a little further, or not."""
    straight, shards = archive
    output = Output(tmp_path / "out")
    accidents = 0
    for number in range(3, 60, 2):
        fault = f"write:{number}:kill" if number % 4 == 1 else f"rename:{number}:EIO"
        result = embed(output.path, *shards, fault=fault, status=(KILLED, FAILED, REJECTS), **OPTIONS)
        if result.status == REJECTS:
            break
        accidents += 1
    assert accidents >= 2
    check_completes(output, shards, straight)


@pytest.mark.parametrize(
    "value", ["write", "write:0:EIO", "write:1:ENOMEM", "disk:1:EIO", "write:1:EIO,", "write:1"]
)
def test_slip_in_the_fault_variable_is_no_silence(value: str) -> None:
    assert "NINA_FAULT is" in nina("--version", fault=value, status=USAGE).error


@pytest.mark.parametrize("out", ["/proc/nina/out", "{file}/out", "{file}"])
def test_out_that_cannot_be_made_is_named(
    tmp_path: Path, archive: tuple[Output, list[Path]], out: str
) -> None:
    (tmp_path / "file").touch()
    path = Path(out.format(file=tmp_path / "file"))
    error = embed(path, archive[1][0], status=(FAILED, USAGE), **OPTIONS).error
    assert str(path.parent) in error
    nina("verify", path, status=USAGE)


def test_failed_read_in_verify_is_damage_of_that_file(archive: tuple[Output, list[Path]]) -> None:
    straight, _ = archive
    result = nina("verify", straight.path, fault="read:6+:EIO", status=FAILED)
    assert "Input/output error" in result.stdout
    nina("verify", straight.path, status=DONE)
