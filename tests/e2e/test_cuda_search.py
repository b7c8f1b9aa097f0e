"""`nina eval` and `nina search` with their scan on a card: the CUDA runtime in tests/fake_cuda, as in test_cuda.py. The lists
equal the CPU's to the last bit, so the files are equal to the last byte.
"""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from many import Ranks, needs_mpirun, nina_many
from output import Output, derive, seekable
from program import DONE, FAILED, GOLDEN, PROGRAM, ROOT, Argument, Result, Status, embed, nina
from shards import make_texts, write_shard

pytestmark = pytest.mark.skipif(
    "fake-cuda" not in PROGRAM.name, reason="needs nina on the fake CUDA runtime: NINA=…/nina-fake-cuda"
)

MUNICIPAL = ROOT / "tests" / "data" / "municipal"
VECTORS = GOLDEN / "municipal"
MODEL = GOLDEN / "bert-mean-v6"  # width 64


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Counts of the last run's calls to the card."""
    path = tmp_path / "counts.json"
    monkeypatch.setenv("FAKE_CUDA_LOG", str(path))
    return path


def counted(log: Path, name: str) -> int:
    return json.loads(log.read_text())[name]


def written(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}


def judge_on_both(vectors: Path, data: Path, out: Path, log: Path, *options: Any) -> None:
    """Judges vectors on the CPU and on the card, and compares everything that is written."""
    for device, scans in (("auto", False), ("cpu", False), ("cuda", True)):
        arguments = ["--vectors", vectors, "--data", data, "--out", out / device, "--device", device]
        nina("eval", *arguments, *options)
        assert (counted(log, "top_k_select") > 0) is scans
    assert written(out / "cpu") == written(out / "cuda") == written(out / "auto")
    assert any(name.endswith(".trec") for name in written(out / "cuda"))


@pytest.mark.sanitize
def test_golden_vectors_are_judged_alike(tmp_path: Path, log: Path) -> None:
    judge_on_both(VECTORS, MUNICIPAL, tmp_path / "out", log, "--widths", "64,32,13")


def test_lists_longer_than_the_archive_hold_all_of_it(tmp_path: Path, log: Path) -> None:
    judge_on_both(VECTORS, MUNICIPAL, tmp_path / "out", log, "--metrics", "recall@1000,mrr@10", "--threads", 3)


def write_vectors(path: Path, rows: np.ndarray) -> None:
    """Replaces a run's file by a seekable .npy.zst with two frames: the header and the rows."""
    plain = io.BytesIO()
    np.lib.format.write_array_header_1_0(plain, np.lib.format.header_data_from_array_1_0(rows))
    path.write_bytes(seekable([plain.getvalue(), rows.tobytes()]))


def odd_rows(count: int, width: int) -> np.ndarray:
    """Random rows of many lengths: a third are copies of others; some are zero, NaN or infinite."""
    generator = np.random.default_rng(11)
    rows = generator.standard_normal((count, width)).astype(np.float16)
    rows[count // 3 : 2 * count // 3] = rows[: count // 3]
    rows[5::17] = 0
    rows[7::19, 3] = np.nan
    rows[9::23, 2] = np.inf
    rows[1::13] *= np.float16(200)
    return rows


def rising_rows(count: int, width: int) -> np.ndarray:
    """Each row is nearer to every query than all rows before it."""
    rows = np.zeros((count, width), np.float16)
    rows[:, 0] = np.arange(count) / count
    rows[:, 1] = 0.25
    return rows


@pytest.mark.sanitize
@pytest.mark.parametrize("make", [odd_rows, rising_rows])
def test_odd_vectors_are_judged_alike(tmp_path: Path, log: Path, make: Any) -> None:
    count, queries = 700, 21
    data = tmp_path / "set"
    (data / "qrels").mkdir(parents=True)
    write_shard(data / "corpus.jsonl", [{"_id": f"d{i * 3 % count}", "text": f"t{i}"} for i in range(count)])
    write_shard(data / "queries.jsonl", [{"_id": f"q{i}", "text": f"t{i}"} for i in range(queries)])
    lines = ["query-id\tcorpus-id\tscore", *(f"q{i}\td{3 * i}\t1" for i in range(queries))]
    (data / "qrels" / "test.tsv").write_text("\n".join([*lines, ""]))
    vectors = tmp_path / "vectors"
    nina("eval", "--model", MODEL, "--data", data, "--out", vectors, "--device", "cpu")
    (part,) = Output(vectors / "corpus").parts("w64")
    write_vectors(part, make(count, 64))
    judge_on_both(vectors, data, tmp_path / "out", log, "--widths", "64,24,5", "--metrics", "ndcg@10,recall@50")


def write_set(folder: Path) -> Path:
    """60 texts, and every fifth text as a query."""
    (folder / "qrels").mkdir(parents=True)
    texts = make_texts(60, 3)
    write_shard(folder / "corpus.jsonl", [{"_id": f"d{i}", "text": text} for i, text in enumerate(texts)])
    write_shard(folder / "queries.jsonl", [{"_id": f"q{i}", "text": texts[5 * i]} for i in range(12)])
    lines = ["query-id\tcorpus-id\tscore", *(f"q{i}\td{5 * i}\t1" for i in range(12))]
    (folder / "qrels" / "test.tsv").write_text("\n".join([*lines, ""]))
    return folder


def evaluation(data: Path, out: Path, device: str) -> list[Argument]:
    """Arguments for an evaluation that embeds."""
    options = ["--device", device, "--max-tokens", 64, "--batch-tokens", 256, "--widths", "64,16"]
    return ["eval", "--model", MODEL, "--data", data, "--out", out, *options]


def test_what_a_card_embeds_and_judges_the_cpu_judges_alike(tmp_path: Path, log: Path) -> None:
    data, out = write_set(tmp_path / "set"), tmp_path / "out"
    for device in ("cuda", "auto"):
        nina(*evaluation(data, out, device))
        assert counted(log, "top_k_select") > 0
        card = written(out)
    nina("eval", "--vectors", out, "--data", data, "--out", tmp_path / "cpu", "--device", "cpu")
    assert card == written(tmp_path / "cpu")


def search(out: Path, *questions: str, device: str, status: Status = DONE, **options: Any) -> Result:
    extra = [item for name, value in options.items() for item in (f"--{name}", value)]
    return nina("search", "--model", MODEL, "--vectors", out, "--device", device, "--json", *extra, *questions, status=status)


def test_search_on_a_card_finds_the_nearest_of_all_vectors(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = make_texts(90, 5)
    shard = write_shard(tmp_path / "a.jsonl", [{"text": text} for text in texts])
    options: dict[str, Any] = {"model": MODEL, "device": "cuda", "max_tokens": 256, "batch_tokens": 256, "block_lines": 20}
    embed(tmp_path / "out", shard, store_text=True, widths="64,16", **options)
    questions = [texts[4], "festa major a la plaça", texts[77]]
    asked = write_shard(tmp_path / "q.jsonl", [{"text": question} for question in questions])
    embed(tmp_path / "q", asked, prompt="", widths=64, **options)
    for width in (64, 16, 9):
        wide = [Output(tmp_path / name).vectors(64) for name in ("q", "out")]
        rows = [(row if width == 64 else derive(row, width)).astype(np.float64) for row in wide]
        scores = rows[0] @ rows[1].T
        found = search(tmp_path / "out", *questions, device="cuda", width=width, prompt="", **{"top-k": 6})
        assert counted(log, "top_k_select") > 0
        for line, own in zip(found.stdout.splitlines(), scores, strict=True):
            answers = json.loads(line)["answers"]
            assert [answer["line"] - 1 for answer in answers] == list(np.argsort(-own, kind="stable")[:6])
            assert all(abs(answer["cosine"] - own[answer["line"] - 1]) < 1e-6 for answer in answers)
    search(tmp_path / "out", questions[1], device="auto")
    assert counted(log, "top_k_select") == 0
    monkeypatch.setenv("FAKE_CUDA_FAIL", "top_k_select:1:launch")
    error = search(tmp_path / "out", questions[1], device="cuda", status=FAILED).error
    assert "cudaErrorInvalidValue" in error and error.endswith("--device cpu does without a card")


def test_search_on_a_card_finds_only_rows_that_match_and_orders_them_by_the_wider_width(tmp_path: Path, log: Path) -> None:
    texts = make_texts(90, 5)
    shard = write_shard(tmp_path / "a.jsonl", [{"text": text, "n": i % 5} for i, text in enumerate(texts)])
    options: dict[str, Any] = {"model": MODEL, "device": "cuda", "max_tokens": 256, "batch_tokens": 256, "block_lines": 20}
    embed(tmp_path / "out", shard, store_text=True, widths="64,16", keep_fields="n", **options)
    every, matching = {"top-k": 90}, {"top-k": 6, "where": "n<2"}  # all 36 rows that match are scored again
    wide = json.loads(search(tmp_path / "out", texts[4], device="cuda", width=64, **every).stdout)["answers"]
    expected = [(answer["line"], answer["cosine"]) for answer in wide if (answer["line"] - 1) % 5 < 2][:6]
    for step in {"width": 64}, {"width": 16, "rescore": 64}:
        found = json.loads(search(tmp_path / "out", texts[4], device="cuda", **step, **matching).stdout)["answers"]
        assert counted(log, "top_k_select") > 0
        assert [(answer["line"], answer["cosine"]) for answer in found] == expected


# At once; in a queue; at a later step, when the lists are half filled.
@pytest.mark.sanitize
@pytest.mark.parametrize("fault", ["top_k_select:1:launch", "top_k_score:2:run", "top_k_rows:1:run"])
def test_card_that_was_not_asked_for_and_fails_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    data = write_set(tmp_path / "set")
    nina(*evaluation(data, tmp_path / "well", "auto"))
    monkeypatch.setenv("FAKE_CUDA_FAIL", fault)
    result = nina(*evaluation(data, tmp_path / "out", "auto"))
    assert result.stderr.count("searching without a card, which finds the same: ") == 1
    assert "cudaError" in result.stderr
    assert written(tmp_path / "out") == written(tmp_path / "well")


def test_card_that_failed_is_left_alone_in_the_later_rounds_of_an_evaluation(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents of many chunks: the rows that are asked for at first are too few."""
    data = write_set(tmp_path / "set")
    texts = make_texts(80, 3)
    write_shard(data / "corpus.jsonl", [{"_id": f"d{i}", "text": "\n\n".join(texts[i::16])} for i in range(16)])
    nina(*evaluation(data, tmp_path / "well", "auto"), "--chunk-tokens", 16)
    assert counted(log, "top_k_select") > 1
    monkeypatch.setenv("FAKE_CUDA_FAIL", "top_k_select:1:launch")
    result = nina(*evaluation(data, tmp_path / "out", "auto"), "--chunk-tokens", 16)
    assert result.stderr.count("searching without a card, which finds the same: ") == 1
    assert counted(log, "top_k_select") == 1 and written(tmp_path / "out") == written(tmp_path / "well")


def test_card_that_was_asked_for_and_fails_names_a_way_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = write_set(tmp_path / "set"), tmp_path / "out"
    monkeypatch.setenv("FAKE_CUDA_FAIL", "top_k_select:1:launch")
    error = nina(*evaluation(data, out, "cuda"), status=FAILED).error
    advice = f"nina eval --vectors {out} --device cpu"
    assert f"cudaErrorInvalidValue (as the fake CUDA has it); `{advice}` with the same --data" in error
    nina(*advice.split()[1:], "--data", data)
    judged = written(out)
    monkeypatch.delenv("FAKE_CUDA_FAIL")
    nina(*evaluation(data, out, "cuda"))
    assert written(out) == judged


@needs_mpirun
def test_two_ranks_on_two_cards_judge_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_set(tmp_path / "set")
    for side in ("corpus", "queries"):
        embed(tmp_path / "vectors" / side, data / f"{side}.jsonl", model=MODEL, device="cpu", id_field="_id", block_lines=7)
    monkeypatch.setenv("FAKE_CUDA_CARDS", "2")
    arguments = ["eval", "--vectors", tmp_path / "vectors", "--data", data, "--widths", "64,13"]
    nina(*arguments, "--device", "cpu", "--out", tmp_path / "cpu")
    ranks = [Ranks(1, variables={"FAKE_CUDA_LOG": tmp_path / f"{rank}.json"}) for rank in range(2)]
    nina_many(*arguments, "--device", "cuda", "--out", tmp_path / "cuda", ranks=ranks)
    assert written(tmp_path / "cuda") == written(tmp_path / "cpu")
    assert all(counted(tmp_path / f"{rank}.json", "top_k_select") > 0 for rank in range(2))


@needs_mpirun
@pytest.mark.parametrize("failing", [0, 1])
def test_card_of_one_rank_that_fails_has_all_ranks_search_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """The card has enough memory to embed, but not to search."""
    data = write_set(tmp_path / "set")
    monkeypatch.setenv("FAKE_CUDA_CARDS", "2")
    nina(*evaluation(data, tmp_path / "alone", "auto"))
    ranks = [Ranks(1, variables={"FAKE_CUDA_MEMORY": 360} if rank == failing else {}) for rank in range(2)]
    result = nina_many(*evaluation(data, tmp_path / "out", "auto"), ranks=ranks)
    assert result.stderr.count("searching without a card, which finds the same: ") == 1
    assert ("rank 1 on " in result.stderr) is (failing == 1)
    assert written(tmp_path / "out") == written(tmp_path / "alone")


def test_card_that_fails_or_lacks_memory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--vectors", VECTORS, "--data", MUNICIPAL, "--out", tmp_path, "--device", "cuda"]
    troubles = {
        ("FAKE_CUDA_MEMORY", "256"): "a search of 60 queries needs",
        ("FAKE_CUDA_CARDS", "-1"): "no CUDA driver on this machine",
        ("FAKE_CUDA_MISSING", "permission"): "CUDA card 0 is held by another process",
        ("FAKE_CUDA_MISSING", "kernels"): "this nina has no code for CUDA card 0",
        ("FAKE_CUDA_FAIL", "top_k_score:1:run"): "cudaErrorLaunchFailure",
        ("FAKE_CUDA_FAIL", "top_k_select:1:launch"): "the kernel that selects candidates: cudaErrorInvalidValue",
        ("FAKE_CUDA_FAIL", "matmul:1:launch"): "the product of [64, 64] and",
    }
    for (name, value), sentence in troubles.items():
        monkeypatch.setenv(name, value)
        error = nina("eval", *arguments, status=FAILED).error
        assert sentence in error and f"`nina eval --vectors {VECTORS} --device cpu`" in error
        monkeypatch.delenv(name)
    nina("eval", *arguments, status=DONE)
