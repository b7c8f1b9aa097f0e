"""`python -m nina_vectors export` writes all of an output in other formats, and goes on where it was interrupted."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from output import Output, same_bits
from package import ENVIRONMENT, KINDS, export, write
from program import USAGE


@pytest.fixture(scope="module", params=KINDS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Output:
    return write(tmp_path_factory.mktemp("export"), request.param)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Output:
    return write(tmp_path_factory.mktemp("everything"), "everything")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_parquet_holds_every_column(written: Output, tmp_path: Path, dtype: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in written.path.rglob("*")}
    export(written.path, "parquet", tmp_path / "p", "--dtype", dtype, "--rows-per-file", "64", "--width", "64")
    assert {path: path.stat().st_mtime_ns for path in written.path.rglob("*")} == before
    table = pq.read_table(sorted((tmp_path / "p").glob("part-*.parquet")))
    vectors = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, 64)
    assert vectors.dtype == dtype and same_bits(vectors.astype(np.float16), written.vectors(64))
    rows = table.drop_columns("vector").to_pylist()
    for name in ("shard", "line", "tokens", "truncated", "chunk", "start", "end"):
        assert [row[name] for row in rows] == [row.get(name) for row in written.ids()]
    mixed = any(isinstance(row["id"], int) for row in written.ids())
    ids = [json.loads(row["id"]) if mixed else row["id"] for row in rows]
    assert ids == [row["id"] for row in written.ids()]
    metadata = pq.read_schema(tmp_path / "p" / "part-00000.parquet").metadata
    assert metadata[b"nina.model"] == b"xlmr-cls-v3" and metadata[b"nina.width"] == b"64"
    if written.parts("text"):
        assert [row["text"] for row in rows] == [row["text"] for row in written.texts()]
    if written.parts("fields"):
        fields = written.fields()
        assert [row["n"] for row in rows] == [row["n"] for row in fields]
        assert [row["tags"] for row in rows] == [row["tags"] for row in fields]
        assert [json.loads(row["meta.a\\.b"]) for row in rows] == [row["meta.a\\.b"] for row in fields]


@pytest.mark.parametrize("to", ["parquet", "npy", "pgcopy"])
def test_an_interrupted_export_goes_on_to_the_same_bytes(everything: Output, tmp_path: Path, to: str) -> None:
    export(everything.path, to, tmp_path / "whole", "--rows-per-file", "50")
    script = (
        "import pathlib, sys; from nina_vectors import open; from nina_vectors.export import Options, export\n"
        "seen = 0\n"
        "def stop(rows):\n global seen; seen += rows\n if seen > 120: raise KeyboardInterrupt\n"
        f"export(open(sys.argv[1]), Options({to!r}, rows_per_file=50), pathlib.Path(sys.argv[2]), progress=stop)"
    )
    command = [sys.executable, "-B", "-c", script, str(everything.path), str(tmp_path / "cut")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert "KeyboardInterrupt" in done.stderr
    names = {path.name for path in (tmp_path / "cut").rglob("*")}
    assert not names & {"vectors.npy", "load.sql"} and not any(name.endswith(".tmp") for name in names)
    assert "100 from before" in export(everything.path, to, tmp_path / "cut", "--rows-per-file", "50")
    files = {path.relative_to(tmp_path / "whole"): path.read_bytes() for path in (tmp_path / "whole").rglob("*") if path.is_file()}
    assert files == {path.relative_to(tmp_path / "cut"): path.read_bytes() for path in (tmp_path / "cut").rglob("*") if path.is_file()}
    assert "already there" in export(everything.path, to, tmp_path / "cut", "--rows-per-file", "50")
    assert "width was 128, is now 64" in export(
        everything.path, to, tmp_path / "cut", "--rows-per-file", "50", "--width", "64", status=USAGE)


def test_npy_maps_into_memory(written: Output, tmp_path: Path) -> None:
    export(written.path, "npy", tmp_path / "n", "--rows-per-file", "70")
    assert same_bits(np.load(tmp_path / "n" / "vectors.npy", mmap_mode="r"), written.vectors(128))


def test_copy_text_gives_every_number_back(written: Output, tmp_path: Path) -> None:
    export(written.path, "pgcopy", tmp_path / "c", "--width", "8", "--no-text")
    lines = (tmp_path / "c" / "rows-00000.copy").read_text().splitlines()
    numbers = np.array([json.loads(line.split("\t")[-1]) for line in lines])
    assert same_bits(numbers.astype(np.float32).astype(np.float16), written.vectors(8))
    assert "halfvec(8)" in (tmp_path / "c" / "load.sql").read_text()


def test_an_export_refuses_what_it_must_not_touch(everything: Output, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    assert "it is not an export" in export(everything.path, "pgcopy", tmp_path, status=USAGE)
    assert "inside" in export(everything.path, "pgcopy", everything.path / "x", status=USAGE)
    assert not (everything.path / "x").exists()
    assert "not a folder" in export(tmp_path / "none", "pgcopy", tmp_path / "y", status=USAGE)
