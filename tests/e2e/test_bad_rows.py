"""A row that cannot be stored stops a run on a CPU, and the sentence names the document or the question. The model is a golden one, but one
token's embedding is so large that its LayerNorm overflows, and one text has this token. (On cards: test_cuda.py.)"""

import struct
from pathlib import Path
from typing import Any

import pytest

from models import Change, copy_model, edit_weights, join_weights
from output import Output
from program import FAILED, MODEL, embed, nina, tokenize
from shards import make_texts, write_shard

TEXTS = make_texts(60, 31)
BAD = "Ωmega"  # has tokens that no other text has
SPOILED = "the text's row is not finite: the embedding, before layer 0, already gives such numbers"


def spoil(token: int) -> Change:
    """Fills the token's word embedding with fp32's largest numbers."""

    def change(header: dict[str, Any], data: bytes) -> bytes:
        tensor = header["roberta.embeddings.word_embeddings.weight"]
        row = struct.pack("<f", 3e38) * tensor["shape"][1]
        place = tensor["data_offsets"][0] + token * len(row)
        return join_weights(header, data[:place] + row + data[place + len(row) :])

    return edit_weights(change)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    others = {token for tokens in tokenize(TEXTS) for token in tokens}
    token = next(token for token in tokenize([BAD])[0] if token not in others)
    folder = copy_model(tmp_path_factory.mktemp("models"), MODEL)
    spoil(token)(folder)
    return folder


@pytest.mark.sanitize
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_document_is_named_by_shard_and_line(tmp_path: Path, model: Path, precision: str) -> None:
    """Lines count from 1, including blank and rejected lines; earlier commits stay."""
    lines: list[Any] = [{"text": text} for text in TEXTS]
    first = write_shard(tmp_path / "a.jsonl", lines[:20])
    second = write_shard(tmp_path / "b.jsonl.gz", [*lines[20:33], "", "no JSON", {"text": BAD}, *lines[33:]])
    options: dict[str, Any] = {"model": model, "device": "cpu", "precision": precision, "block_lines": 10, "threads": 1}
    error = embed(tmp_path / "out", first, second, status=FAILED, **options).error
    advice = "this is fp32, so look at the model's own numbers" if precision == "fp32" else "pass --precision fp32"
    assert f"{second}:16: {SPOILED}; {advice}" in error
    assert sum(record["rows"] for record in Output(tmp_path / "out").records()) >= 20


def test_question_of_an_evaluation_is_named_by_file_and_line(tmp_path: Path, model: Path) -> None:
    data = tmp_path / "data"
    (data / "qrels").mkdir(parents=True)
    write_shard(data / "corpus.jsonl", [{"_id": f"d{i}", "text": text} for i, text in enumerate(TEXTS)])
    questions = [TEXTS[3], TEXTS[5], BAD]
    write_shard(data / "queries.jsonl", [{"_id": f"q{i}", "text": text} for i, text in enumerate(questions)])
    judged = "".join(f"q{i}\td{i}\t1\n" for i in range(3))
    (data / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    arguments = ["--model", model, "--data", data, "--out", tmp_path / "out", "--device", "cpu", "--precision", "fp32"]
    assert f"{data}/queries.jsonl:3: {SPOILED}" in nina("eval", *arguments, status=FAILED).error


def test_question_of_a_search_is_named_by_its_text(tmp_path: Path, model: Path) -> None:
    options: dict[str, Any] = {"model": model, "device": "cpu", "precision": "fp32"}
    embed(tmp_path / "out", write_shard(tmp_path / "a.jsonl", [{"text": text} for text in TEXTS]), **options)
    arguments = ["search", "--model", model, "--vectors", tmp_path / "out", "--precision", "fp32", "--prompt", ""]
    assert f'the question "{BAD}": {SPOILED}' in nina(*arguments, BAD, status=FAILED).error
    long = BAD + "é" * 60  # is cut inside a character
    assert f'the question "{BAD}{"é" * 37}…": {SPOILED}' in nina(*arguments, long, status=FAILED).error
