"""Outputs for the tests of scripts/python/nina_vectors, and its commands."""

import contextlib
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from output import Output
from program import FULL, LONGEST_RUN, ROOT, embed
from shards import make_documents, write_shard

PACKAGE = ROOT / "scripts" / "python"
sys.path.insert(0, str(PACKAGE))
ENVIRONMENT = os.environ | {"PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1"}

needs_full = pytest.mark.skipif(not FULL, reason="needs what scripts/requirements-full.txt lists; NINA_FULL_TESTS=1")

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "chunks": {"chunk_tokens": 16, "chunk_overlap": 4, "store_text": True},
    "everything": {"store_text": True, "keep_fields": "n,tags,meta.a\\.b", "id_field": "id"},
}


def documents(count: int) -> list[dict[str, Any]]:
    return [
        document | {"id": f"d{i}" if i % 3 else i, "n": i, "tags": ["a", "b"][: i % 3], "meta": {"a.b": i / 2 if i % 2 else "x"}}
        for i, document in enumerate(make_documents(count, 7))
    ]


def write(folder: Path, kind: str) -> Output:
    """An output of four shards, the second of which is empty, in parts of up to 40 lines."""
    shards = [write_shard(folder / f"{i}.jsonl.zst", documents(count)) for i, count in enumerate((130, 0, 1, 90))]
    embed(folder / "out", *shards, widths="128,64,8", block_lines=40, **KINDS[kind])
    return Output(folder / "out")


def python(*words: str | Path, status: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs Python with the package in its path; a traceback is a failure, whatever the status."""
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=ENVIRONMENT, cwd=cwd, timeout=LONGEST_RUN)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


def export(out: Path, to: str, into: Path, *more: str, status: int = 0) -> str:
    """python -m nina_vectors export, in this process, which is quicker; returns what it says."""
    from nina_vectors.__main__ import main

    said = io.StringIO()
    with contextlib.redirect_stderr(said), warnings.catch_warnings():
        warnings.simplefilter("always")
        done = main(["export", str(out), "--to", to, "--into", str(into), *more])
    assert done == status, said.getvalue()
    return said.getvalue()
