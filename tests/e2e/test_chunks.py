"""`--chunk-tokens`: long documents as several rows, each the text that ids/ says, whatever the threads and kills."""

import json
import random
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from output import Output, same_bits, seekable, unzstd
from program import FAILED, GOLDEN, MODEL, REJECTS, USAGE, embed, nina
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


def test_rows_are_the_texts_that_ids_say(straight: Output, archive: tuple[list[dict[str, Any]], list[Path]]) -> None:
    documents = {document["id"]: document for document in archive[0]}
    ids, texts, fields = straight.ids(), straight.texts(), straight.fields()
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
    rows = straight.texts()
    shard = write_shard(tmp_path / "rows.jsonl", rows)
    options = {key: value for key, value in OPTIONS.items() if key not in ("chunk_tokens", "chunk_overlap", "id_field", "keep_fields")}
    embed(tmp_path / "out", shard, **options)
    again = Output(tmp_path / "out")
    assert same_bits(again.vectors(32), straight.vectors(32))
    for row, line in zip(again.ids(), straight.ids(), strict=True):
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
    titles = {row.get("title") for row in output.texts()}
    (cut,) = titles - {"curt", None}
    assert cut and title.startswith(cut + " ")
    assert {row["tokens"] <= N for row in output.ids()} == {True}
    nina("verify", output.path)
    (record,), manifest = output.parts("parts"), output.path / "manifest.json"
    for path in record, manifest:
        path.write_text(re.sub(r'"titles_cut": ?1', '"titles_cut":2', path.read_text()))
    nina("verify", output.path)
    found = nina("verify", "--deep", 1, "--model", MODEL, output.path, status=FAILED)
    assert f"different  parts/{record.name}: titles_cut is 2; embedding gives 1" in found.stdout


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
    output.replace(path, seekable([b"".join(lines)]))
    found = nina("verify", out, status=FAILED)
    assert "which is not a place of this block" in found.stdout


QUESTIONS = ["la plaça del mercat", "beca menjador per a l'escola", *make_texts(6, 3)]


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory, archive: tuple[list[dict[str, Any]], list[Path]]) -> Output:
    """The first documents by the CPU encoder, in small chunks; one has hundreds of rows, two have the same text."""
    folder = tmp_path_factory.mktemp("computed")
    documents = [dict(document) for document in archive[0][:40]]
    documents[5]["text"] = (QUESTIONS[0] + ". ") * 300
    documents[20]["text"] = documents[19]["text"]
    shard = write_shard(folder / "a.jsonl", documents)
    embed(folder / "out", shard, **OPTIONS | {"chunk_tokens": 20, "chunk_overlap": 5, "keep_fields": None}, device="cpu", precision="fp32")
    return Output(folder / "out")


def ask(output: Output, *options: Any) -> list[list[dict[str, Any]]]:
    result = nina("search", "--model", MODEL, "--vectors", output.path, "--precision", "fp32", "--prompt", "", "--json", *options, *QUESTIONS)
    return [json.loads(line)["answers"] for line in result.stdout.splitlines()]


def question_rows(folder: Path) -> np.ndarray:
    embed(folder, write_shard(folder.with_suffix(".jsonl"), [{"text": q} for q in QUESTIONS]), widths=32, prompt="", device="cpu", precision="fp32")
    return Output(folder).vectors(32).astype(np.float64)


def best_scores(rows: list[dict[str, Any]], scores: np.ndarray) -> dict[str, float]:
    """The best score of each document's rows, by id."""
    best: dict[str, float] = {}
    for row, score in zip(rows, scores, strict=True):
        best[row["id"]] = max(best.get(row["id"], -2), score)
    return best


@pytest.mark.sanitize
@pytest.mark.parametrize("top_k", [1, 7, 1000])
def test_search_ranks_documents_by_their_best_row(tmp_path: Path, computed: Output, top_k: int) -> None:
    """Also where one document's rows would fill the list many times over."""
    ids, texts = computed.ids(), computed.texts()
    for own, answers in zip(question_rows(tmp_path / "q") @ computed.vectors(32).astype(np.float64).T, ask(computed, "--top-k", top_k), strict=True):
        best = best_scores(ids, own)
        assert len(answers) == min(top_k, len(best)) and len({answer["id"] for answer in answers}) == len(answers)
        wanted = sorted(best.values(), reverse=True)[: len(answers)]
        assert np.allclose([best[answer["id"]] for answer in answers], wanted, atol=1e-6)
        for answer in answers:
            row = next(i for i, entry in enumerate(ids) if (entry["id"], entry["chunk"]) == (answer["id"], answer["chunk"]))
            assert abs(own[row] - answer["cosine"]) < 1e-5 and abs(best[answer["id"]] - own[row]) < 1e-6
            assert answer["text"] == texts[row]["text"] and (answer["start"], answer["end"]) == (ids[row]["start"], ids[row]["end"])


def test_equal_documents_keep_the_order_of_the_input(computed: Output) -> None:
    for answers in ask(computed, "--top-k", 1000):
        order = [answer["id"] for answer in answers]
        assert order.index("d19") + 1 == order.index("d20")


def test_rows_are_ranked_if_asked_for(tmp_path: Path, computed: Output) -> None:
    scores = question_rows(tmp_path / "q") @ computed.vectors(32).astype(np.float64).T
    for own, answers in zip(scores, ask(computed, "--rows", "--top-k", 9), strict=True):
        assert np.allclose([answer["cosine"] for answer in answers], np.sort(own)[::-1][:9], atol=1e-5)


def test_chunks_are_cut_out_of_the_shard_if_no_text_is_stored(tmp_path: Path, computed: Output, archive: tuple[list[dict[str, Any]], list[Path]]) -> None:
    embed(tmp_path / "out", archive[1][0], chunk_tokens=20, id_field="id", device="cpu", precision="fp32", widths=32)
    documents = {document["id"]: document["text"] for document in archive[0]}
    for answers in ask(Output(tmp_path / "out"), "--rows", "--top-k", 20):
        assert all(answer["text"] == documents[answer["id"]][answer["start"] : answer["end"]] for answer in answers)


def test_eval_judges_passages_by_their_best_row(tmp_path: Path) -> None:
    """Runs and metrics count passages, however many rows they have."""
    texts = make_texts(20, 5, 8)
    corpus = [{"_id": f"d{i:02}", "text": "\n".join([*make_texts(60, 100 + i), text])} for i, text in enumerate(texts)]
    corpus.append({"_id": "d00-again", "text": corpus[0]["text"]})
    data = tmp_path / "set"
    (data / "qrels").mkdir(parents=True)
    write_shard(data / "corpus.jsonl", corpus)
    write_shard(data / "queries.jsonl", [{"_id": f"q{i}", "text": text} for i, text in enumerate(texts)])
    (data / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(f"q{i}\td{i:02}\t1\n" for i in range(20)))
    options = ["--model", MODEL, "--data", data, "--device", "cpu", "--precision", "fp32", "--widths", "128,32", "--quiet"]
    for name, chunks in (("cut", []), ("chunks", ["--chunk-tokens", 32, "--chunk-overlap", 8])):
        nina("eval", *options, "--out", tmp_path / name, *chunks)
    cut, chunked = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("cut", "chunks"))
    assert chunked["dataset"] == cut["dataset"] and chunked["dataset"]["passages"] == 21
    run = [line.split() for line in (tmp_path / "chunks" / "run.w128.trec").read_text().splitlines()]
    rows, questions = Output(tmp_path / "chunks" / "corpus"), Output(tmp_path / "chunks" / "queries")
    scores = questions.vectors(128).astype(np.float64) @ rows.vectors(128).astype(np.float64).T
    for q in range(20):
        best = best_scores(rows.ids(), scores[q])
        passages = [line[2] for line in run if line[0] == f"q{q}"]
        assert len(passages) == len(set(passages)) == 21
        assert np.allclose([best[passage] for passage in passages], sorted(best.values(), reverse=True), atol=1e-6)
        assert passages.index("d00") + 1 == passages.index("d00-again")  # equal scores stand by id
    nina("verify", tmp_path / "chunks" / "corpus")
    (tmp_path / "odd").mkdir()
    for side in "corpus", "queries":
        (tmp_path / "odd" / side).symlink_to(tmp_path / "chunks" / "corpus")
    error = nina("eval", "--vectors", tmp_path / "odd", "--data", data, "--device", "cpu", status=FAILED).error
    assert "queries: its questions are cut into chunks" in error


def test_conditions_and_chunks_go_together(tmp_path: Path, archive: tuple[list[dict[str, Any]], list[Path]]) -> None:
    options = {"chunk_tokens": 20, "id_field": "id", "keep_fields": "n", "widths": 32}
    embed(tmp_path / "out", archive[1][0], **options, device="cpu", precision="fp32")
    output = Output(tmp_path / "out")
    scores = question_rows(tmp_path / "q") @ output.vectors(32).astype(np.float64).T
    for own, answers in zip(scores, ask(output, "--where", "n>=170", "--top-k", 1000), strict=True):
        best = {name: score for name, score in best_scores(output.ids(), own).items() if int(name[1:]) >= 170}
        assert {answer["id"] for answer in answers} == set(best) and len(answers) == 10
        assert np.allclose([answer["cosine"] for answer in answers], sorted(best.values(), reverse=True), atol=1e-5)
        assert np.allclose([answer["cosine"] for answer in answers], [best[answer["id"]] for answer in answers], atol=1e-5)


def test_rescoring_orders_rows(computed: Output) -> None:
    options = ["--model", MODEL, "--vectors", computed.path, "--width", 16, "--rescore", 32, "a"]
    assert "pass --rows" in nina("search", *options, status=USAGE).error
    nina("search", *options, "--rows")


def test_equal_passages_beyond_the_first_rows_stand_by_id(tmp_path: Path) -> None:
    """The best of thirty equal passages by id comes last in the input, far behind the rows that are asked for at first."""
    data = tmp_path / "set"
    (data / "qrels").mkdir(parents=True)
    write_shard(data / "corpus.jsonl", [{"_id": f"d{30 - i:02}", "text": "la plaça del mercat"} for i in range(30)])
    write_shard(data / "queries.jsonl", [{"_id": "q", "text": "plaça"}])
    (data / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\td01\t1\n")
    options = ["--model", MODEL, "--data", data, "--device", "cpu", "--precision", "fp32", "--widths", 32, "--quiet"]
    nina("eval", *options, "--out", tmp_path / "out", "--chunk-tokens", 16, "--metrics", "accuracy@2")
    run = (tmp_path / "out" / "run.w32.trec").read_text().splitlines()
    assert [line.split()[2] for line in run] == ["d01", "d02"]
