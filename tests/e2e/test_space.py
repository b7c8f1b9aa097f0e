"""When a run starts, the free space on OUT's file system is compared with an estimate."""

import os
import signal
import time
from pathlib import Path

import pytest

from program import LONGEST_RUN, REJECTS, embed, start_embed, stop
from shards import lines_of, make_archive, make_documents

ESTIMATE = "may not fit on its file system: about"


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A shard of 4 TiB that takes a few kilobytes: documents, then a hole."""
    path = tmp_path / "endless.jsonl"
    path.write_bytes(lines_of(make_documents(1000, seed=1)))
    try:
        os.truncate(path, 1 << 42)
    except OSError:
        pytest.skip("this file system has no files of 4 TiB")
    return path


@pytest.mark.sanitize
def test_run_that_will_not_fit_warns_at_its_start(tmp_path: Path, endless: Path) -> None:
    process, seen = start_embed(tmp_path / "out", endless, widths="32,16,8"), b""
    assert process.stderr
    end = time.monotonic() + LONGEST_RUN
    while b"are free" not in seen and time.monotonic() < end:
        seen += os.read(process.stderr.fileno(), 4096)
    stop(process, signal.SIGKILL, -signal.SIGKILL)
    assert f"warning: {tmp_path}/out {ESTIMATE}" in seen.decode() and "GiB are to be written" in seen.decode()


def test_run_that_fits_says_nothing_of_space(tmp_path: Path) -> None:
    shards = make_archive(tmp_path / "in", (50, 40, 30))
    for options in ({}, {"append": True}, {"overwrite": True}):
        assert "free" not in embed(tmp_path / "out", *shards[: 3 if options else 2], widths=8, **options).stderr
    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(b"")
    assert "free" not in embed(tmp_path / "empty", empty, widths=8).stderr
    assert "free" not in embed(tmp_path / "pipe", "-", stdin=b'{"text":"a"}\n{}\n', widths=8, status=REJECTS).stderr
