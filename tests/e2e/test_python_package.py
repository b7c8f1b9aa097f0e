"""scripts/python/nina_vectors reads every output of the program, and exports it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from output import Output, derive, same_bits
from program import FAILED, LONGEST_RUN, ROOT, USAGE, embed
from shards import make_archive, make_documents, write_shard

PACKAGE = ROOT / "scripts" / "python"
sys.path.insert(0, str(PACKAGE))
import nina_vectors  # noqa: E402

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


@pytest.fixture(scope="module", params=KINDS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Output:
    folder = tmp_path_factory.mktemp("package")
    shards = [write_shard(folder / f"{i}.jsonl.zst", documents(count)) for i, count in enumerate((130, 0, 1, 90))]
    embed(folder / "out", *shards, widths="128,64,8", block_lines=40, **KINDS[request.param])
    return Output(folder / "out")


def export(out: Path, to: str, into: Path, *more: str, status: int = 0) -> str:
    command = [sys.executable, "-B", "-m", "nina_vectors", "export", str(out), "--to", to, "--into", str(into), *more]
    variables = os.environ | {"PYTHONPATH": str(PACKAGE)}
    done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=LONGEST_RUN)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_rows_ids_texts_fields_and_hashes_are_those_of_the_program(written: Output) -> None:
    with nina_vectors.open(written.path, check_hashes=True) as out:
        assert out.complete and len(out) == len(written.ids())
        for width in out.widths:
            assert same_bits(np.asarray(out.vectors(width)), written.vectors(width))
        said = [{name: value for name, value in row._asdict().items() if value is not None} for row in out.ids()]
        assert said == written.ids()
        if out.stores_text:
            assert list(out.texts()) == [row["text"] for row in written.texts()]
        if out.kept_fields:
            assert out.kept_fields == ["n", "tags", "meta.a\\.b"] and list(out.fields()) == written.fields()
        assert out.check_hashes() == sum(len(record["files"]) for record in written.records())
        assert out.hashes()[:].shape == (len(out), 16)


def test_every_width_has_the_bits_of_nina(tmp_path: Path) -> None:
    (shard,) = make_archive(tmp_path / "in", (40,))
    for first in range(1, 128, 15):
        widths = [128, *range(min(first + 14, 127), first - 1, -1)]
        embed(tmp_path / "out", shard, widths=",".join(map(str, widths)), overwrite=first > 1)
        wide = np.asarray(nina_vectors.open(tmp_path / "out").vectors())
        for width in widths[1:]:
            stored = Output(tmp_path / "out").vectors(width)
            assert same_bits(nina_vectors.derive(wide, width), stored) and same_bits(derive(wide, width), stored)
    embed(tmp_path / "wide", shard, widths="128")
    out = nina_vectors.open(tmp_path / "wide")
    assert same_bits(out.vectors(100)[:], derive(Output(tmp_path / "wide").vectors(128), 100))
    for width in (0, 129):
        with pytest.raises(nina_vectors.UsageError, match="1 to 128"):
            out.vectors(width)


def test_any_rows_are_reached_in_any_order(written: Output) -> None:
    out, wide = nina_vectors.open(written.path), written.vectors(64)
    vectors, ids = out.vectors(64), written.ids()
    for key in (5, -1, slice(35, 90), slice(None, None, -7), [100, 3, 3, -2], np.arange(len(wide)) % 5 == 0):
        assert same_bits(vectors[key], wide[key])
    for number in (len(wide) - 1, 0, 41, 39, 40):
        row = out.row(number)
        assert row.id.line == ids[number]["line"] and row.id.id == ids[number]["id"] and row.number == number
    with pytest.raises(IndexError):
        vectors[len(wide)]
    batches = list(out.batches(33, 64))
    assert [len(batch) for batch in batches[:-1]] == [33] * (len(batches) - 1)
    assert same_bits(np.concatenate([batch.vectors for batch in batches]), wide)
    part = out.parts[1]
    assert out.number_of(part.name, 3) == part.first + 3


def test_a_run_that_is_not_complete_gives_what_it_has_with_a_warning(tmp_path: Path) -> None:
    shards = make_archive(tmp_path / "in", (100,))
    embed(tmp_path / "out", *shards, widths="8", block_lines=10, fault="rename:20+:EIO", status=FAILED)
    with pytest.warns(nina_vectors.IncompleteWarning, match="start the same nina embed again"):
        out = nina_vectors.open(tmp_path / "out")
    assert 0 < len(out) == len(list(out.ids())) < 100


def test_damage_is_named(written: Output, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", written.path, copy], check=True)
    path = next(iter(sorted((copy / "w64").iterdir())))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(nina_vectors.DamagedError, match=path.name):
        nina_vectors.open(copy, check_hashes=True).vectors(64)[0]
    with pytest.raises(nina_vectors.DamagedError, match=path.name):
        nina_vectors.open(copy).vectors(64)[:]
    path.write_bytes(content[:-3])
    with pytest.raises(nina_vectors.DamagedError, match="its record says"):
        nina_vectors.open(copy).vectors(64)[0]
    with pytest.raises(nina_vectors.UsageError, match="not the output"):
        nina_vectors.open(tmp_path)


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
def test_an_interrupted_export_goes_on_to_the_same_bytes(written: Output, tmp_path: Path, to: str) -> None:
    export(written.path, to, tmp_path / "whole", "--rows-per-file", "50")
    script = (
        "import pathlib, sys; from nina_vectors import open; from nina_vectors.export import Options, export\n"
        "seen = 0\n"
        "def stop(rows):\n global seen; seen += rows\n if seen > 120: raise KeyboardInterrupt\n"
        f"export(open(sys.argv[1]), Options({to!r}, rows_per_file=50), pathlib.Path(sys.argv[2]), progress=stop)"
    )
    command = [sys.executable, "-B", "-c", script, str(written.path), str(tmp_path / "cut")]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(PACKAGE)})
    assert "KeyboardInterrupt" in done.stderr
    names = {path.name for path in (tmp_path / "cut").rglob("*")}
    assert not names & {"vectors.npy", "load.sql"} and not any(name.endswith(".tmp") for name in names)
    assert "100 from before" in export(written.path, to, tmp_path / "cut", "--rows-per-file", "50")
    files = {path.relative_to(tmp_path / "whole"): path.read_bytes() for path in (tmp_path / "whole").rglob("*") if path.is_file()}
    assert files == {path.relative_to(tmp_path / "cut"): path.read_bytes() for path in (tmp_path / "cut").rglob("*") if path.is_file()}
    assert "already there" in export(written.path, to, tmp_path / "cut", "--rows-per-file", "50")
    assert "width was 128, is now 64" in export(
        written.path, to, tmp_path / "cut", "--rows-per-file", "50", "--width", "64", status=USAGE)


def test_npy_maps_into_memory(written: Output, tmp_path: Path) -> None:
    export(written.path, "npy", tmp_path / "n", "--rows-per-file", "70")
    assert same_bits(np.load(tmp_path / "n" / "vectors.npy", mmap_mode="r"), written.vectors(128))


def test_copy_text_gives_every_number_back(written: Output, tmp_path: Path) -> None:
    export(written.path, "pgcopy", tmp_path / "c", "--width", "8", "--no-text")
    lines = (tmp_path / "c" / "rows-00000.copy").read_text().splitlines()
    numbers = np.array([json.loads(line.split("\t")[-1]) for line in lines])
    assert same_bits(numbers.astype(np.float32).astype(np.float16), written.vectors(8))
    assert "halfvec(8)" in (tmp_path / "c" / "load.sql").read_text()


def test_an_export_refuses_what_it_must_not_touch(written: Output, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    assert "it is not an export" in export(written.path, "pgcopy", tmp_path, status=USAGE)
    assert "inside" in export(written.path, "pgcopy", written.path / "x", status=USAGE)
    assert not (written.path / "x").exists()
    assert "not a folder" in export(tmp_path / "none", "pgcopy", tmp_path / "y", status=USAGE)
