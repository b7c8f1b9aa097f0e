"""`python -m nina_vectors export` writes all of an output in other formats, and goes on where it was interrupted."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from output import Output, same_bits
from package import ENVIRONMENT, KINDS, export, needs_full, python, write
from program import FAILED, MODEL, REJECTS, USAGE, command_on_terminal, embed, nina
from shards import make_archive, make_documents, make_texts, write_shard
from nina_vectors.export.columns import TypeSeen  # package.py makes it be found


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
    assert (pq.read_schema(tmp_path / "p" / "part-00000.parquet").field("id").metadata == {b"nina.type": b"json"}) == mixed
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
def test_a_faiss_index_for_whose_last_bytes_there_is_no_room_is_not_taken_for_whole(everything: Output, tmp_path: Path) -> None:
    words = ("export", everything.path, "--to", "faiss", "--rows-per-file", "120", "--into")
    python("-m", "nina_vectors", *words, tmp_path / "whole")
    size = (tmp_path / "whole" / "index.faiss").stat().st_size
    limited = (
        "import resource, sys; from nina_vectors.__main__ import main\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size - 10}, {size - 10})); sys.exit(main(sys.argv[1:]))"
    )
    said = python("-c", limited, *words, tmp_path / "cut", status=FAILED).stderr
    assert "index.faiss: File too large; start the same command again" in said
    assert "221 from before" in python("-m", "nina_vectors", *words, tmp_path / "cut").stderr
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


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


def test_long_texts_are_in_memory_a_few_at_a_time(tmp_path: Path) -> None:
    texts = [f"{i} " + "ç" * (500_000 if i % 3 else 5) for i in range(24)]
    shard = write_shard(tmp_path / "a.jsonl", [{"text": text, "f": text} for text in texts])
    embed(tmp_path / "out", shard, widths="8", max_tokens=8, store_text=True, keep_fields="f", block_bytes="64M")
    export(tmp_path / "out", "parquet", tmp_path / "p")
    file = pq.ParquetFile(tmp_path / "p" / "part-00000.parquet")
    assert file.read(["text", "f"]).to_pylist() == [{"text": text, "f": text} for text in texts]
    rows = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert max(rows) <= 13 and len(rows) <= 4  # 32 MB in lots of 16 MiB, by the mean
    export(tmp_path / "out", "pgcopy", tmp_path / "c")
    lines = (tmp_path / "c" / "rows-00000.copy").read_text().splitlines()
    assert [line.split("\t")[9] for line in lines] == texts


def test_copy_text_has_the_json_of_fields_as_it_came_but_for_nul(tmp_path: Path) -> None:
    values = [r'{"n":1.234567890123456789012345,"m":"\u0000"}', r'{"n":1e400,"m":"\\u0000\\\u0000"}', r'{"n":{"a":1,"a":2},"m":"\n"}']
    shard = write_shard(tmp_path / "a.jsonl", [f'{{"text":"casa {i}",{value[1:]}'.encode() for i, value in enumerate(values)])
    embed(tmp_path / "out", shard, widths="8", keep_fields="n,m")
    export(tmp_path / "out", "pgcopy", tmp_path / "c", "--table", "user")
    lines = (tmp_path / "c" / "rows-00000.copy").read_text().splitlines()
    expected = [values[0].replace(r"\u0000", "\ufffd"), r'{"n":1e400,"m":"\\u0000\\' + '\ufffd"}', values[2]]
    assert [line.split("\t")[8].replace("\\\\", "\\") for line in lines] == expected
    sql = (tmp_path / "c" / "load.sql").read_text()
    assert 'CREATE TABLE "user" (' in sql and sql.index("SET client_encoding = 'UTF8';") < sql.index('\\copy "user" FROM')


@pytest.mark.parametrize("values", [
    ['{"a":-1e400,"b":"\\\\\\"Infinity"}', '[1e400,"-Infinity"]', "1e400", '"Infinity"'],
    ["1.5", "1e400"],
    ["[1.5]", "[2,1e400]"],
])
def test_columns_of_json_are_json_whatever_the_numbers(tmp_path: Path, values: list[str]) -> None:
    embed(tmp_path / "out", write_shard(tmp_path / "a.jsonl", [f'{{"text":"casa","n":{value}}}'.encode() for value in values]), widths="8", keep_fields="n")
    export(tmp_path / "out", "parquet", tmp_path / "p")

    def strict(text: str) -> Any:
        return json.loads(text, parse_constant=pytest.fail)

    assert [strict(text) for text in pq.read_table(tmp_path / "p")["n"].to_pylist()] == [strict(value) for value in values]


def test_a_list_in_lists_is_looked_at_no_deeper_than_its_type_needs() -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    seen = TypeSeen()
    seen.add(deep)
    assert seen.name() == "json"


def test_an_export_refuses_what_it_must_not_touch(everything: Output, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    assert "it is not an export" in export(everything.path, "pgcopy", tmp_path, status=USAGE)
    assert "it is not an export" in export(everything.path, "pgcopy", tmp_path, "--overwrite", status=USAGE)
    assert "inside" in export(everything.path, "pgcopy", everything.path / "x", status=USAGE)
    assert not (everything.path / "x").exists()
    assert "not a folder" in export(tmp_path / "none", "pgcopy", tmp_path / "y", status=USAGE)


def test_a_folder_that_cannot_be_made_is_wrong_usage(everything: Output, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "nowhere").symlink_to("none")
    for into, reason in (("file/x", "Not a directory"), ("nowhere", "File exists"), ("x" * 300, "File name too long")):
        assert export(everything.path, "pgcopy", tmp_path / into, status=USAGE).endswith(f"{into}: {reason}\n")


def of_standard_input(out: Path, words: list[str]) -> None:
    lines = "".join(f'{{"text":"{word}"}}\n' for word in words)
    nina("embed", "--model", MODEL, "--out", out, "--widths", 8, "--block-lines", 2, "--device", "null", "--overwrite", "-", stdin=lines.encode())


def of_a_shard(out: Path, words: list[str]) -> None:
    edges = {"edge": "x" * (64 << 10)}
    texts = [{"text": word} for word in words]
    shard = write_shard(out.parent / "in.jsonl", [edges, *texts, edges])
    embed(out, shard, widths="8", block_lines=2, overwrite=True, status=REJECTS)


@pytest.mark.parametrize("begin", [of_standard_input, of_a_shard])
@pytest.mark.parametrize("state", ["complete", "cut"])
def test_an_export_of_a_run_that_was_begun_anew_with_an_equal_manifest_is_refused(tmp_path: Path, begin: Callable[..., None], state: str) -> None:
    words = make_texts(200, 5)
    begin(tmp_path / "out", words)
    if state == "cut":
        python("-c", INTERRUPT, tmp_path / "out", "npy", "Flat", tmp_path / "n", status=1)
    else:
        export(tmp_path / "out", "npy", tmp_path / "n")
    before, manifest = files_of(tmp_path / "n"), Output(tmp_path / "out").manifest()
    begin(tmp_path / "out", words[::-1])
    more = ("--rows-per-file", "50") if state == "cut" else ()
    assert Output(tmp_path / "out").manifest() | {"totals": None} == manifest | {"totals": None}  # which has sums of sizes
    assert "or is another run" in export(tmp_path / "out", "npy", tmp_path / "n", *more, status=USAGE)
    assert files_of(tmp_path / "n") == before
    begin(tmp_path / "out", words)
    export(tmp_path / "out", "npy", tmp_path / "n", *more)


def test_a_finished_export_stays_finished_if_the_runs_shards_are_moved(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(30, 1))
    embed(tmp_path / "out", shard, widths="8")
    export(tmp_path / "out", "npy", tmp_path / "n")
    (tmp_path / "moved").mkdir()
    shard = shard.rename(tmp_path / "moved" / "a.jsonl")
    embed(tmp_path / "out", shard, widths="8", append=True)
    assert Output(tmp_path / "out").manifest()["shards"][0]["path"] == str(shard)
    assert "already there" in export(tmp_path / "out", "npy", tmp_path / "n")


def test_a_finished_export_stays_finished_if_the_model_has_another_name_or_nina_more_settings(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(30, 1))
    embed(tmp_path / "out", shard, widths="8")
    export(tmp_path / "out", "parquet", tmp_path / "p")
    path = tmp_path / "out" / "manifest.json"
    manifest = json.loads(path.read_text())
    for change in {"model": manifest["model"] | {"name": "other"}}, {"settings": manifest["settings"] | {"new": False}}:
        path.write_text(json.dumps(manifest | change))
        assert "already there" in export(tmp_path / "out", "parquet", tmp_path / "p")
    path.write_text(json.dumps(manifest | {"settings": manifest["settings"] | {"new": True}}))
    assert "is another run" in export(tmp_path / "out", "parquet", tmp_path / "p", status=USAGE)


def test_an_export_that_an_older_version_began_is_refused(everything: Output, tmp_path: Path) -> None:
    export(everything.path, "npy", tmp_path / "n")
    path = tmp_path / "n" / "_export.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 3}))
    assert "an older or a newer nina_vectors wrote it" in export(everything.path, "npy", tmp_path / "n", status=USAGE)
    assert "complete" in export(everything.path, "npy", tmp_path / "n", "--overwrite")


@pytest.mark.parametrize("to", ["parquet", "npy"])
def test_an_export_that_was_killed_goes_on(everything: Output, tmp_path: Path, to: str) -> None:
    killed = INTERRUPT.replace('sys.exit("stopped")', "os._exit(9)").replace("import pathlib", "import os, pathlib")
    python("-c", killed, everything.path, to, "Flat", tmp_path / "cut", status=9)
    assert any(path.name.endswith((".tmp", ".partial")) for path in (tmp_path / "cut").rglob("*"))
    assert "100 from before" in export(everything.path, to, tmp_path / "cut", "--rows-per-file", "50")
    export(everything.path, to, tmp_path / "whole", "--rows-per-file", "50")
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")


@pytest.mark.parametrize("to", ["parquet", "npy", "pgcopy"])
def test_an_export_for_which_there_is_no_room_says_so_and_goes_on(everything: Output, tmp_path: Path, to: str) -> None:
    """A limit for files stands in for a full disk."""
    limited = (
        "import resource, sys; from nina_vectors.__main__ import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); sys.exit(main(sys.argv[1:]))"
    )
    words = ("export", everything.path, "--to", to, "--into", tmp_path / "x", "--rows-per-file", "200")
    said = python("-c", limited, *words, status=1).stderr
    assert f"{tmp_path / 'x'}/" in said and "File too large" in said and "start the same command again to go on" in said
    assert "complete" in python("-m", "nina_vectors", *words).stderr


def test_an_export_of_a_run_that_is_not_complete_is_of_what_it_has(tmp_path: Path) -> None:
    (shard,) = make_archive(tmp_path / "in", (100,))
    embed(tmp_path / "out", shard, widths="8", block_lines=10, threads=1, fault="rename:20+:EIO", status=FAILED)
    said = export(tmp_path / "out", "parquet", tmp_path / "p")
    assert "start the same nina embed again" in said
    rows = pq.read_table(tmp_path / "p")["line"].to_pylist()
    records = [(record["first_line"], record["rows"]) for record in Output(tmp_path / "out").records()]
    assert rows == [line for first, count in records for line in range(first, first + count)] and 0 < len(rows) < 100
    embed(tmp_path / "out", shard, widths="8", block_lines=10)
    assert "is another run" in export(tmp_path / "out", "parquet", tmp_path / "p", status=USAGE)
    export(tmp_path / "out", "parquet", tmp_path / "p", "--overwrite")
    assert len(pq.read_table(tmp_path / "p")) == 100


@pytest.mark.parametrize("to", ["parquet", "npy", "pgcopy"])
def test_an_export_of_a_damaged_output_names_the_file_and_leaves_nothing_half(everything: Output, tmp_path: Path, to: str) -> None:
    subprocess.run(["cp", "-r", everything.path, tmp_path / "out"], check=True)
    path = sorted((tmp_path / "out" / "w128").iterdir())[-1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    for more in ((), ("--check-hashes",)):
        said = export(tmp_path / "out", to, tmp_path / "x", "--rows-per-file", "50", *more, status=1)
        assert path.name in said and "nina verify" in said
        assert not any(found.name in ("vectors.npy", "load.sql") or found.suffix == ".tmp" for found in (tmp_path / "x").rglob("*"))
    path.write_bytes((everything.path / "w128" / path.name).read_bytes())
    assert "200 from before" in export(tmp_path / "out", to, tmp_path / "x", "--rows-per-file", "50")


@needs_full
@pytest.mark.parametrize("to", ["parquet", "npy", "pgcopy"])
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, to: str) -> None:
    peaks = []
    for rows in (100_000, 300_000):
        shard = write_shard(tmp_path / f"{rows}.jsonl", (f'{{"text":"{i}"}}' for i in range(rows)))
        embed(tmp_path / f"out{rows}", shard, widths="128")
        done = python("-m", "nina_vectors", "export", tmp_path / f"out{rows}", "--to", to, "--into", tmp_path / f"{to}{rows}")
        peaks.append(int(re.findall(r"memory ([0-9]+) MiB", done.stderr)[0]))
    assert peaks[1] - peaks[0] < 32  # the vectors of 200,000 rows more are 49 MiB, and their ids more than that


@pytest.mark.parametrize(("state", "lost"), [
    ("cut", "vectors.npy.partial"), ("whole", "vectors.npy"), ("whole", "ids/ids-00001.parquet")])
def test_an_export_that_has_lost_a_file_makes_it_again(everything: Output, tmp_path: Path, state: str, lost: str) -> None:
    export(everything.path, "npy", tmp_path / "whole", "--rows-per-file", "50")
    whole = files_of(tmp_path / "whole")
    if state == "cut":
        python("-c", INTERRUPT, everything.path, "npy", "Flat", tmp_path / "cut", status=1)
    (tmp_path / state / lost).unlink()
    export(everything.path, "npy", tmp_path / state, "--rows-per-file", "50")
    assert files_of(tmp_path / state) == whole


def test_an_export_removes_temporary_files_of_its_own_alone(everything: Output, tmp_path: Path) -> None:
    export(everything.path, "npy", tmp_path)
    (tmp_path / "other").mkdir()
    mine = [tmp_path / ".notes.tmp", tmp_path / "other" / ".part-00000.parquet.tmp"]
    for path in (*mine, tmp_path / "ids" / ".ids-00001.parquet.tmp"):
        path.write_text("")
    assert "already there" in export(everything.path, "npy", tmp_path)
    assert sorted(tmp_path.rglob("*.tmp")) == mine


def test_paths_that_are_not_utf8(tmp_path: Path) -> None:
    out = tmp_path / os.fsdecode(b"sp ace \xff")
    embed(tmp_path / "out", write_shard(tmp_path / "a.jsonl", make_documents(3, 1)), widths="8")
    (tmp_path / "out").rename(out)
    assert "is not UTF-8" in export(out, "parquet", tmp_path / os.fsdecode(b"\xff"), status=USAGE)
    for to in ("parquet", "npy", "pgcopy"):
        assert "complete" in export(out, to, tmp_path / to)
        assert "already there" in export(out, to, tmp_path / to)


def test_two_exports_do_not_write_into_one_folder(everything: Output, tmp_path: Path) -> None:
    hold = (
        "import pathlib, sys; from nina_vectors.export.target import Target; from nina_vectors.__main__ import main\n"
        "held = Target(pathlib.Path(sys.argv[6])); sys.exit(main(sys.argv[1:]))"
    )
    done = python("-c", hold, "export", everything.path, "--to", "pgcopy", "--into", tmp_path / "x", status=1)
    assert "another export writes into" in done.stderr


def test_empty_outputs_are_exported(tmp_path: Path) -> None:
    embed(tmp_path / "out", write_shard(tmp_path / "a.jsonl", []), widths="8")
    for to in ("parquet", "npy", "pgcopy"):
        assert "complete" in export(tmp_path / "out", to, tmp_path / to)
    assert pq.read_table(tmp_path / "parquet").num_rows == 0 and np.load(tmp_path / "npy" / "vectors.npy").shape == (0, 8)


def test_an_export_that_is_made_anew_leaves_other_files_alone(everything: Output, tmp_path: Path) -> None:
    export(everything.path, "npy", tmp_path, "--rows-per-file", "50")
    (tmp_path / "ids" / "notes.txt").write_text("mine")
    export(everything.path, "parquet", tmp_path, "--overwrite")
    assert sorted(files_of(tmp_path)) == ["_export.json", "ids/notes.txt", "part-00000.parquet"]
    assert json.loads((tmp_path / "_export.json").read_text())["files"] == ["part-00000.parquet"]
    export(everything.path, "npy", tmp_path, "--overwrite")


def test_packages_that_are_missing_are_named(everything: Output, tmp_path: Path) -> None:
    without = "import sys; sys.modules[sys.argv.pop(1)] = None; from nina_vectors.__main__ import main; sys.exit(main(sys.argv[1:]))"
    words = ("export", everything.path, "--into", tmp_path / "x", "--to")
    for module, to, package in (("pyarrow", "parquet", "pyarrow"), ("pyarrow", "npy", "pyarrow"), ("faiss", "faiss", "faiss-cpu")):
        said = python("-c", without, module, *words, to, status=USAGE).stderr
        assert said.endswith(f"--to {to} needs the Python package {package}: pip install {package}\n")
    said = python("-c", without, "xxhash", *words, "pgcopy", "--check-hashes", status=USAGE).stderr
    assert said.endswith("checking hashes needs the Python package xxhash: pip install xxhash\n")
    assert "complete" in python("-c", without, "tqdm", *words, "pgcopy", "--overwrite").stderr


def test_a_terminal_sees_a_bar_and_a_file_does_not(everything: Output, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nina_vectors", "export", everything.path, "--to", "pgcopy", "--into"]
    said = command_on_terminal([*command, tmp_path / "a"], ENVIRONMENT)
    assert "100%" in said and "221/221" in said and "complete after" in said
    assert "221/221" not in export(everything.path, "pgcopy", tmp_path / "b")
    assert export(everything.path, "pgcopy", tmp_path / "c", "--quiet") == ""
