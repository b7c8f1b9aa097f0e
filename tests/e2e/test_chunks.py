"""`--chunk-tokens`: long documents as several rows, each the text that ids/ says, whatever the threads and kills."""

import json
import random
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash

from output import Output, unzstd
from program import FAILED, GOLDEN, REJECTS, USAGE, embed, nina
from shards import make_texts, write_shard

N, M = 40, 12
OPTIONS: dict[str, Any] = {
    "widths": "32,16",
    "block_lines": 50,
    "chunk_tokens": N,
    "chunk_overlap": M,
    "store_text": True,
    "id_field": "id",
    "title_field": "title",
    "keep_fields": "n",
}


def long_text(rng: random.Random, seed: int) -> str:
    """Up to a hundred sentences, in lines and paragraphs, and now and then in scripts without spaces."""
    texts = make_texts(rng.choice([0, 1, 3, 30, 100]), seed, 12)
    return "".join(text + rng.choice([". ", ".\n", ".\n\n", " ", "。", "\u200d🏳️‍🌈 ", "中文" * 40 + "\n"]) for text in texts)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], list[Path]]:
    folder, rng = tmp_path_factory.mktemp("in"), random.Random(1)
    documents = [{"id": f"d{i}", "text": long_text(rng, i), "n": i} for i in range(300)]
    for document in documents[::3]:
        document["title"] = "Un títol"
    documents[5]["text"] = " ".join(make_texts(2000, 7))  # more rows than a block has lines
    return documents, [write_shard(folder / "a.jsonl", documents[:180]), write_shard(folder / "b.jsonl.zst", documents[180:])]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, archive: tuple[list[dict[str, Any]], list[Path]]) -> Output:
    out = tmp_path_factory.mktemp("out") / "straight"
    embed(out, *archive[1], **OPTIONS)
    return Output(out)


def jsonl(output: Output, folder: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in unzstd(output.parts(folder)).splitlines()]


def test_rows_are_the_texts_that_ids_say(straight: Output, archive: tuple[list[dict[str, Any]], list[Path]]) -> None:
    documents = {document["id"]: document for document in archive[0]}
    ids, texts, fields = jsonl(straight, "ids"), jsonl(straight, "text"), jsonl(straight, "fields")
    order = []
    for row, text, kept in zip(ids, texts, fields, strict=True):
        document = documents[row["id"]]
        assert document["text"][row["start"] : row["end"]] == text["text"]
        assert text.get("title") == document.get("title") and kept == {"n": document["n"]}
        assert row["tokens"] <= N and not row["truncated"]
        if row["chunk"] == 0:
            order.append(row["id"])
            covered, last = 0, -1
        assert row["chunk"] == last + 1 and row["start"] <= covered and (row["end"] > covered or not document["text"])
        covered, last = row["end"], row["chunk"]
        documents[row["id"]]["covered"] = covered
    assert order == [document["id"] for document in archive[0]]
    assert all(document["covered"] == len(document["text"]) for document in archive[0])
    totals = straight.manifest()["totals"]
    assert (totals["documents"], totals["rows"], totals["lines"]) == (300, len(ids), 300)
    assert totals["embedded"] == totals["characters"] == sum(len(document["text"]) for document in archive[0])
    assert max(record["rows"] for record in straight.records()) > 1000


@pytest.mark.sanitize
def test_verify_and_its_deep_kind_accept_chunks(straight: Output) -> None:
    nina("verify", straight.path)
    deep = nina("verify", "--deep", 100, "--model", GOLDEN / "xlmr-cls-v3", straight.path)
    assert "bit for bit" in deep.stdout


def test_a_row_s_tokens_are_those_of_its_text_by_itself(tmp_path: Path, straight: Output) -> None:
    """Chunks as documents of their own have the same hashes, and vectors bit for bit."""
    rows = jsonl(straight, "text")
    shard = write_shard(tmp_path / "rows.jsonl", rows)
    options = {key: value for key, value in OPTIONS.items() if key not in ("chunk_tokens", "chunk_overlap", "id_field", "keep_fields")}
    embed(tmp_path / "out", shard, **options)
    again = Output(tmp_path / "out")
    assert np.array_equal(again.vectors(32).view(np.uint16), straight.vectors(32).view(np.uint16))
    for row, line in zip(jsonl(again, "ids"), jsonl(straight, "ids"), strict=True):
        assert row["tokens"] == line["tokens"]


def test_bytes_are_the_same_for_any_threads_and_after_kills(
    tmp_path: Path, straight: Output, archive: tuple[list[dict[str, Any]], list[Path]]
) -> None:
    embed(tmp_path / "one", *archive[1], **OPTIONS, threads=1)
    assert Output(tmp_path / "one").embedding() == straight.embedding()
    for fault in ("write:20:kill", "rename:40:kill"):
        embed(tmp_path / "killed", *archive[1], fault=fault, status=-signal.SIGKILL, threads=1, **OPTIONS)
    embed(tmp_path / "killed", *archive[1], **OPTIONS, threads=3)
    assert Output(tmp_path / "killed").embedding() == straight.embedding()


def test_reuse_copies_the_chunks_that_did_not_change(
    tmp_path: Path, straight: Output, archive: tuple[list[dict[str, Any]], list[Path]]
) -> None:
    documents = [dict(document) for document in archive[0]]
    documents[5]["text"] = documents[5]["text"][:-40] + "i un altre final."
    del documents[10]
    shard = write_shard(tmp_path / "today.jsonl", documents)
    embed(tmp_path / "new", shard, **OPTIONS)
    report = embed(tmp_path / "reused", shard, **OPTIONS, reuse=straight.path, progress="json")
    assert Output(tmp_path / "reused").embedding() == Output(tmp_path / "new").embedding()
    assert json.loads(report.stderr.splitlines()[-1])["encoded"] <= 3
    changes = [json.loads(line) for line in nina("diff", straight.path, tmp_path / "new").stdout.splitlines()]
    assert {change["id"] for change in changes} == {"d5", "d10"}
    assert all(change["op"] == "remove" for change in changes if change["id"] == "d10")
    assert len({(change["id"], change["chunk"]) for change in changes}) == len(changes)


def test_other_chunks_are_another_run(tmp_path: Path, archive: tuple[list[dict[str, Any]], list[Path]]) -> None:
    embed(tmp_path / "out", *archive[1], **OPTIONS)
    for other in ({"chunk_overlap": 11}, {"chunk_tokens": 41}, {"chunk_tokens": None, "chunk_overlap": None}):
        refused = embed(tmp_path / "out", *archive[1], **OPTIONS | other, status=USAGE)
        assert "--chunk-" in refused.error


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"chunk_overlap": 4}, "--chunk-overlap is for --chunk-tokens"),
        ({"chunk_tokens": 15}, "from 16 to"),
        ({"chunk_tokens": 100000}, "the longest input"),
        ({"chunk_tokens": 40, "chunk_overlap": 21}, "at most half"),
        ({"chunk_tokens": 16, "prompt": "una dues tres quatre cinc sis set vuit"}, "the prompt takes"),
    ],
)
def test_limits_that_cannot_be_are_refused(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [{"text": "a"}])
    assert reason in embed(tmp_path / "out", shard, **options, status=USAGE).error


def test_long_titles_are_cut_and_counted(tmp_path: Path) -> None:
    title = " ".join(f"paraula{i}" for i in range(100))
    documents = [{"title": title, "text": "Un text. " * 30}, {"title": "curt", "text": "Un text."}, {"text": ""}]
    report = embed(tmp_path / "out", write_shard(tmp_path / "a.jsonl", documents), chunk_tokens=N, title_field="title", store_text=True)
    output = Output(tmp_path / "out")
    report.says("1 of 3 documents cut to leave room for text")
    assert output.manifest()["totals"]["titles_cut"] == 1
    titles = {row.get("title") for row in jsonl(output, "text")}
    (cut,) = titles - {"curt", None}
    assert cut and title.startswith(cut + " ")
    assert {row["tokens"] <= N for row in jsonl(output, "ids")} == {True}
    nina("verify", output.path)


def test_rejects_and_blank_lines_are_beside_documents(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", ['{"text":"' + "a b. " * 200 + '"}', "", "{", '{"text":""}'])
    embed(tmp_path / "out", shard, chunk_tokens=16, status=REJECTS)
    totals = Output(tmp_path / "out").manifest()["totals"]
    assert (totals["documents"], totals["rejected"], totals["blank"], totals["lines"]) == (2, 1, 1, 4)
    nina("verify", tmp_path / "out")


def test_a_dry_run_counts_documents_and_rows(tmp_path: Path, straight: Output, archive: tuple[list[dict[str, Any]], list[Path]]) -> None:
    report = json.loads(embed(tmp_path / "out", *archive[1], **OPTIONS, dry_run=True, progress="json").stdout)
    totals = straight.manifest()["totals"]
    assert (report["documents"], report["rows"], report["tokens"]) == (300, totals["rows"], totals["tokens"])


def test_verify_finds_chunks_out_of_order(tmp_path: Path, straight: Output) -> None:
    out = shutil.copytree(straight.path, tmp_path / "out")
    output = Output(out)
    path = output.parts("ids")[0]
    lines = unzstd([path]).splitlines(keepends=True)
    lines[1], lines[2] = lines[2], lines[1]
    rewrite(out, path, b"".join(lines))
    found = nina("verify", out, status=FAILED)
    assert "which is not a place of this block" in found.stdout


def rewrite(out: Path, path: Path, content: bytes) -> None:
    """Puts a file in place of a part's, with its size and hash in the part's record."""
    path.write_bytes(subprocess.run(["zstd", "-qc"], input=content, check=True, capture_output=True).stdout)
    record = out / "parts" / path.name.replace(".jsonl.zst", ".json")
    parsed = json.loads(record.read_text())
    for file in parsed["files"]:
        if file["path"] == str(path.relative_to(out)):
            file["size"], file["hash"] = path.stat().st_size, xxhash.xxh3_128_hexdigest(path.read_bytes())
    record.write_text(json.dumps(parsed))


def test_search_and_eval_do_not_take_rows_for_documents(tmp_path: Path, straight: Output) -> None:
    refused = nina("search", "--model", GOLDEN / "xlmr-cls-v3", "--vectors", straight.path, "a", status=USAGE)
    assert "cut into chunks" in refused.error
