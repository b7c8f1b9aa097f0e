"""`python -m nina_vectors export` writes all of an output in other formats, and goes on where it was interrupted."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from output import Output, same_bits
from package import KINDS, export, needs_full, python, write
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


INTERRUPT = """
import pathlib, sys
from nina_vectors import open
from nina_vectors.export import Options, export
seen = 0
def stop(rows):
    global seen
    seen += rows
    if seen > 120:
        sys.exit("stopped")
export(open(sys.argv[1]), Options(sys.argv[2], index=sys.argv[3], rows_per_file=50), pathlib.Path(sys.argv[4]), progress=stop)
"""
# How many rows find themselves among five; FAISS merges the first three.
FAISS_KINDS = {"Flat": 1.0, "IVF4,PQ8x4": 0.5, "PCA32,IVF4,SQ8": 0.8, "HNSW32": 0.8}


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("to", "index"), [("parquet", "Flat"), ("npy", "Flat"), ("pgcopy", "Flat"), *(
    pytest.param("faiss", index, marks=needs_full) for index in FAISS_KINDS)])
def test_an_interrupted_export_goes_on_to_the_same_bytes(everything: Output, tmp_path: Path, to: str, index: str) -> None:
    more = ("--rows-per-file", "50", "--index", index)
    export(everything.path, to, tmp_path / "whole", *more)
    assert "stopped" in python("-c", INTERRUPT, everything.path, to, index, tmp_path / "cut", status=1).stderr
    names = {path.name for path in (tmp_path / "cut").rglob("*")}
    assert not names & {"vectors.npy", "load.sql", "index.faiss"} and not any(name.endswith(".tmp") for name in names)
    said = export(everything.path, to, tmp_path / "cut", *more)
    assert ("100 from before" in said) == (index != "HNSW32")  # which FAISS cannot merge
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")
    assert "already there" in export(everything.path, to, tmp_path / "cut", *more)
    assert "width was 128, is now 64" in export(everything.path, to, tmp_path / "cut", *more, "--width", "64", status=USAGE)


@needs_full
@pytest.mark.parametrize("index", FAISS_KINDS)
def test_faiss_finds_rows_by_their_numbers(everything: Output, tmp_path: Path, index: str) -> None:
    import faiss

    export(everything.path, "faiss", tmp_path / "f", "--index", index, "--rows-per-file", "50")
    assert {path.name for path in (tmp_path / "f").iterdir()} == {"_export.json", "ids", "index.faiss"}
    made, vectors = faiss.read_index(str(tmp_path / "f" / "index.faiss")), everything.vectors(128).astype(np.float32)
    assert made.ntotal == len(vectors) and made.metric_type == faiss.METRIC_INNER_PRODUCT
    scores, found = made.search(vectors, 5)
    if index == "Flat":
        np.testing.assert_allclose(scores[:, 0], (vectors * vectors).sum(axis=1), rtol=1e-5)
    assert (found == np.arange(len(vectors))[:, None]).any(axis=1).mean() >= FAISS_KINDS[index]
    rows = pq.read_table(tmp_path / "f" / "ids", columns=["line", "shard"]).to_pylist()
    assert rows == [{"line": row["line"], "shard": row["shard"]} for row in everything.ids()]


@needs_full
def test_what_faiss_cannot_do_is_said(everything: Output, tmp_path: Path) -> None:
    for index, phrase in (("IVFx", "cannot make it"), ("IVF4000,Flat", "cannot be trained with 221 rows (Number of training points"), ("IDMap,Flat", "cannot add")):
        assert phrase in export(everything.path, "faiss", tmp_path / index, "--index", index, status=USAGE)


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
