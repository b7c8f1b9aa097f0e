"""What `nina diff` says, applied to databases: nina_vectors.nightly."""

import argparse
import json
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from output import Output, same_bits
from package import export, needs_full, python
from postgres import Server, needs_postgres, server_started
from program import FAILED, USAGE, embed, nina
from shards import make_texts, write_shard
import nina_vectors  # package.py makes it be found

KINDS: dict[str, dict[str, Any]] = {"documents": {}, "chunks": {"chunk_tokens": 16}}
Rows = dict[tuple[str, str], tuple[str, ...]]  # by id and chunk: what a table has of a row, but for its place in the shards


class Night(NamedTuple):
    old: Output
    new: Output
    changes: Path


@pytest.fixture(scope="module", params=KINDS)
def night(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A tenth of the documents have another text or field, or are gone; others are new; all have moved. Some texts have the same
    tokens as before, at other places."""
    folder, rng = tmp_path_factory.mktemp("night"), random.Random(3)
    old = [{"id": i if i % 5 == 0 else f"d{i}\t\\\n'", "text": text, "n": i} for i, text in enumerate(make_texts(300, 1))]
    today = [dict(document) for document in rng.sample(old, 280)]
    for document in today[:15]:
        document["text"] = "un altre\u0001 text, més llarg que no era" * rng.randint(1, 9)
    for document in today[15:25]:
        document["n"] = "no és cap\\ nombre\n"
    for document in today[25:35]:
        document["text"] = document["text"].replace(" ", "   ", 1)
    today += [{"id": f"m{i}", "text": text, "n": None} for i, text in enumerate(make_texts(30, 2))]
    rng.shuffle(today)
    for name, rows in (("old", old), ("new", today)):
        shards = [write_shard(folder / f"{name}{i}.jsonl", rows[i::2]) for i in range(2)]
        options: dict[str, Any] = {"id_field": "id", "keep_fields": "n", "store_text": True, **KINDS[request.param]}
        embed(folder / name, *shards, widths="128,64", block_lines=40, **options)
    changes = folder / "changes.jsonl"
    changes.write_text(nina("diff", folder / "old", folder / "new").stdout)
    return Night(Output(folder / "old"), Output(folder / "new"), changes)


def rows_of(copy_lines: list[str]) -> Rows:
    split = [line.rstrip("\n").split("\t") for line in copy_lines]
    return {(row[0], row[1]): (*row[4:6], *row[8:]) for row in split}


def exported(out: Path, folder: Path) -> Rows:
    export(out, "pgcopy", folder, "--width", "64", "--rows-per-file", "100")
    return rows_of([line for path in folder.glob("rows-*.copy") for line in path.open(newline="\n")])


def pgvector(night: Night, *more: str, new: Path | None = None, changes: Path | None = None, status: int = 0) -> tuple[str, str]:
    done = python("-m", "nina_vectors.nightly.pgvector", new or night.new.path, changes or night.changes, "--width", "64", *more,
                  status=status)
    return done.stdout, done.stderr


def copied(sql: list[str], table: str) -> list[str]:
    """The lines that go to a table."""
    start = sql.index(f"COPY {table} FROM STDIN;") + 1
    return sql[start : sql.index("\\.", start)]


def test_sql_for_pgvector_turns_the_old_table_into_the_new_one(night: Night, tmp_path: Path) -> None:
    sql = pgvector(night)[0].rstrip("\n").split("\n")
    assert sql[0] == "BEGIN;" and sql[-1] == "COMMIT;" and "SET client_encoding = 'UTF8';" in sql[: sql.index("COPY nina_changed FROM STDIN;")]
    table = exported(night.old.path, tmp_path / "old")
    changed, removed = rows_of(copied(sql, "nina_changed")), copied(sql, "nina_removed")
    assert len(changed) + len(removed) == len(night.changes.read_text().splitlines())
    for line in removed:
        row_id, chunk = line.split("\t")
        del table[row_id, chunk]
    assert table | changed == exported(night.new.path, tmp_path / "new")


def test_changes_that_are_not_those_to_the_output_commit_nothing(night: Night, tmp_path: Path) -> None:
    sql, said = pgvector(night, new=night.old.path, status=USAGE)
    assert "COMMIT;" not in sql.split("\n") and "make them anew" in said
    content = night.changes.read_bytes()
    for damaged in (content[:-1], b"".join(content.splitlines(True)[::-1]), content.replace(b'"op"', b'"pp"', 1), content + b'{"op":"add","id":"x","part":"part-1","row":0}\n'):
        (tmp_path / "changes").write_bytes(damaged)
        sql, said = pgvector(night, changes=tmp_path / "changes", status=USAGE)
        assert "COMMIT;" not in sql.split("\n") and said.startswith("nina_vectors: ")
    for changes, reason in ((tmp_path / "chnages", "No such file or directory"), (tmp_path, "Is a directory")):
        assert pgvector(night, changes=changes, status=USAGE) == ("", f"nina_vectors: {changes}: {reason}\n")
    assert "small letters" in pgvector(night, "--table", "a; drop", status=USAGE)[1]


def test_sql_for_removed_rows_is_written_while_the_changes_are_read(night: Night) -> None:
    from nina_vectors.nightly import pgvector as script

    changes = [script.Change("add", "", None, number) for number in range(2, 9)]
    changes += [script.Change("remove", f"r{number}", None, None) for number in range(1000)]
    left = iter(changes)
    with nina_vectors.open(night.new.path) as new:
        sql = script.sql_of(left, script.CopyLines(new, 8, False), "t")
        written = list(iter(lambda: next(sql), "r0\t0\n"))
        assert len(written) == 1 + 7 + 1 and len(list(left)) == 999 and "INSERT INTO t" in "".join(sql)
        sql = script.sql_of(iter(changes), script.CopyLines(new, 8, False), "t")
        assert [line for line in sql if line.startswith("r")] == [f"{change.id}\t0\n" for change in changes[7:]]


def test_points_are_counted_in_little_memory() -> None:
    from nina_vectors.nightly import qdrant

    class New:
        def __init__(self, rows: int, ids: int) -> None:
            self.rows, self.different = rows, ids

        def ids(self) -> Iterator[argparse.Namespace]:
            return (argparse.Namespace(id=number % self.different, chunk=None) for number in range(self.rows))

    for rows, ids in (0, 1), (1, 1), (7, 7), (7, 1):
        assert qdrant.points_of(New(rows, ids)) == min(rows, ids)
    tracemalloc.start()
    try:
        assert qdrant.points_of(New(20_000, 15_000)) == 15_000
        assert tracemalloc.get_traced_memory()[1] < 20 * 20_000
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server_started() as started:
        yield started


@needs_postgres
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_pgvector_has_the_rows_of_each_night(night: Night, server: Server, tmp_path: Path, dtype: str) -> None:
    """The export loads, the night's SQL does its work, twice with the same end, and PostgreSQL has nina's numbers."""
    for out, name in ((night.old, "old"), (night.new, "new")):
        more = ("--table", name, "--dtype", dtype, "--width", "64", "--rows-per-file", "100")
        export(out.path, "pgcopy", tmp_path / name, *more)
        server.psql((tmp_path / name / "load.sql").read_text(), cwd=tmp_path / name)
    columns = 'id, chunk, start, "end", tokens, truncated, fields, text, embedding'
    sql, rows = pgvector(night, "--table", "old")[0], f"SELECT {columns} FROM old ORDER BY id, chunk"
    before = server.psql(rows)
    for cut in (len(sql) // 2, sql.index("COMMIT;")):  # within a COPY, and before the end
        server.psql(sql[: sql.rindex("\n", 0, cut) + 1])
        assert server.psql(rows) == before
    for _ in range(2):
        server.psql(sql)
        for one, other in (("old", "new"), ("new", "old")):
            assert server.psql(f"SELECT count(*) FROM (SELECT {columns} FROM {one} EXCEPT SELECT {columns} FROM {other}) d").strip() == "0"
    numbers = server.psql("SELECT embedding FROM old ORDER BY shard, line, chunk").split()
    ids = [json.loads(row) for row in server.psql("SELECT json_build_array(id, chunk) FROM old ORDER BY shard, line, chunk").splitlines()]
    truth = {(str(row["id"]), row.get("chunk", 0)): vector for row, vector in zip(night.new.ids(), night.new.vectors(64), strict=True)}
    assert len(numbers) == len(truth)
    for key, number in zip(ids, numbers, strict=True):
        assert same_bits(np.array(json.loads(number), np.float32).astype(np.float16), truth[tuple(key)])
    nearest = server.psql("SELECT id FROM old ORDER BY embedding <#> (SELECT embedding FROM old WHERE id = 'm0' AND chunk = 0) LIMIT 1")
    assert nearest.strip() == "m0"
    server.psql("DROP TABLE old, new")


@needs_full
def test_a_request_to_qdrant_is_never_much_larger_than_allowed(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    from nina_vectors.nightly import qdrant

    class Client:
        sent: list[list[Any]] = []

        def upsert(self, collection: str, points: list[Any], wait: bool) -> None:
            assert collection == "nina" and wait
            self.sent.append(points)

    monkeypatch.setattr(qdrant, "REQUEST_BYTES", 20_000)
    with nina_vectors.open(night.new.path) as new:
        qdrant.put(Client(), "nina", new, list(range(100)), 64)  # type: ignore[arg-type]
        ids = [qdrant.point_id(row.id, row.chunk) for row in new.ids(0, 100)]
    assert [point.id for points in Client.sent for point in points] == ids and len(Client.sent) > 5
    assert all(sum(len(json.dumps(point.payload)) for point in points[:-1]) < 20_000 for points in Client.sent)


@needs_full
def test_qdrant_has_the_rows_of_each_night(night: Night, tmp_path: Path) -> None:
    from qdrant_client import QdrantClient

    def qdrant(*words: str | Path) -> dict[tuple[str, int], Any]:
        python("-m", "nina_vectors.nightly.qdrant", *words, "--path", tmp_path / "q", "--width", "64")
        client = QdrantClient(path=str(tmp_path / "q"))
        points = client.scroll("nina", limit=10_000, with_vectors=True)[0]
        client.close()
        return {(str(point.payload["id"]), point.payload.get("chunk", 0)): (point.payload, point.vector) for point in points}

    def stored(out: Output) -> dict[tuple[str, int], Any]:
        rows = zip(out.ids(), out.texts(), out.fields(), out.vectors(64), strict=True)
        return {(str(row["id"]), row.get("chunk", 0)): (row, text["text"], fields, vector) for row, text, fields, vector in rows}

    def same(points: dict[tuple[str, int], Any], rows: dict[tuple[str, int], Any]) -> None:
        assert points.keys() == rows.keys()
        for key, (payload, vector) in points.items():
            row, text, fields, numbers = rows[key]
            assert payload == {"id": row["id"], "text": text, "fields": fields} | {
                name: row.get(name) for name in ("chunk", "start", "end") if "chunk" in row}
            assert same_bits(np.array(vector, np.float16), numbers)

    same(qdrant(night.old.path), stored(night.old))
    for _ in range(2):
        same(qdrant(night.new.path, night.changes), stored(night.new))
    for words in ((night.new.path, night.changes), (night.new.path,)):
        said = python("-m", "nina_vectors.nightly.qdrant", *words, "--path", tmp_path / "q", status=USAGE).stderr
        assert "has other vectors than of 128 numbers: give its --width" in said
    equal = write_shard(tmp_path / "equal.jsonl", [{"id": row_id, "text": f"casa {i}"} for i, row_id in enumerate((1, "1", "d", "d"))])
    embed(tmp_path / "equal", equal, widths="8", id_field="id")
    other = write_shard(tmp_path / "other.jsonl", [{"id": f"o{i}", "text": "plaça"} for i in range(9)])
    embed(tmp_path / "other", other, widths="8", id_field="id")
    python("-m", "nina_vectors.nightly.qdrant", tmp_path / "other", "--path", tmp_path / "q", "--collection", "full")
    for collection in "empty", "full":
        words = (tmp_path / "equal", "--path", tmp_path / "q", "--collection", collection)
        assert "has 2 points for 4 rows" in python("-m", "nina_vectors.nightly.qdrant", *words, status=FAILED).stderr
    for url in "http://localhost:633333", "ftp://a":
        said = python("-m", "nina_vectors.nightly.qdrant", night.new.path, "--url", url, status=USAGE).stderr
        assert f"--url {url} is no address of a server" in said
    said = python("-m", "nina_vectors.nightly.qdrant", night.new.path, "--url", "http://127.0.0.1:9", status=FAILED).stderr
    assert "Qdrant at http://127.0.0.1:9" in said and "refused" in said
