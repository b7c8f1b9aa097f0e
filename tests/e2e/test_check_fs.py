"""nina check-fs: what a file system cannot do is said before a job finds out."""

from pathlib import Path

import pytest

from many import Ranks, needs_mpirun, nina_many
from program import DONE, FAILED, USAGE, nina

PROMISES = 7
OF_HOSTS = 4  # under mpirun


@pytest.mark.sanitize
def test_good_file_system_keeps_every_promise_and_nothing_is_left(tmp_path: Path) -> None:
    lines = nina("check-fs", tmp_path).stdout.splitlines()
    assert len(lines) == PROMISES + 1 and all(line.startswith("yes  ") for line in lines[:-1])
    assert lines[-1] == f"{tmp_path}: an output folder may stand here, tried from 1 host"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "fault, promise",
    [
        ("sync:1:EIO", "a file's bytes can be synced (fsync): Input/output error"),
        ("sync:2:EIO", "a folder can be synced: Input/output error"),
        ("rename:1:EIO", "a renamed file takes the place of the file that is there: Input/output error"),
        ("rename:2:EACCES", "nothing is found any more through a folder's old name: Permission denied"),
        ("write:1:ENOSPC", "a name that is taken is not given again (exclusive create): No space left on device"),
    ],
)
@pytest.mark.sanitize
def test_promise_that_is_not_kept_is_named_with_the_reason(tmp_path: Path, fault: str, promise: str) -> None:
    lines = nina("check-fs", tmp_path, fault=fault, status=FAILED).stdout.splitlines()
    assert [line for line in lines if line.startswith("no ")] == [f"no   {promise}"]
    assert lines[-1] == f"{tmp_path}: an output folder may not stand here, tried from 1 host"
    assert list(tmp_path.iterdir()) == []


def test_promise_that_is_not_needed_does_not_forbid_the_folder(tmp_path: Path) -> None:
    # Of the writes the last is the file that gets a second name.
    result = nina("check-fs", tmp_path, fault="write:8:EACCES", status=DONE)
    refused = [line for line in result.stdout.splitlines() if line.startswith("no ")]
    assert len(refused) == 1 and "(link): Permission denied; without it" in refused[0]


def test_folder_that_is_not_there_or_cannot_be_written_is_said(tmp_path: Path) -> None:
    assert "none" in nina("check-fs", tmp_path / "none", status=USAGE).error
    assert nina("check-fs", status=USAGE).error == "name one folder: nina check-fs DIR"
    assert nina("check-fs", "/proc", status=FAILED).error.startswith("cannot make a folder in /proc: ")


@needs_mpirun
@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_try_what_each_sees_of_the_others(tmp_path: Path, ranks: int) -> None:
    lines = nina_many("check-fs", tmp_path, ranks=ranks).stdout.splitlines()
    assert len(lines) == PROMISES + OF_HOSTS + 1 and all(line.startswith("yes  ") for line in lines[:-1])
    assert list(tmp_path.iterdir()) == []


@needs_mpirun
@pytest.mark.parametrize("number, promise, status", [
    (2, "nothing is found any more through a folder's old name, once another has moved it", FAILED),
    (3, "a name that one has removed can be taken by another at once", DONE),
])  # fmt: skip
def test_promise_that_another_rank_does_not_find_kept_is_named_with_the_rank(
    tmp_path: Path, number: int, promise: str, status: int
) -> None:
    ranks = [Ranks(1), Ranks(1, fault=f"write:{number}:EACCES")]
    lines = nina_many("check-fs", tmp_path, ranks=ranks, status=status).stdout.splitlines()
    (refused,) = [line for line in lines if line.startswith("no ")]
    assert refused.startswith(f"no   {promise}: rank 1 on ") and ": Permission denied" in refused
    assert list(tmp_path.iterdir()) == []
