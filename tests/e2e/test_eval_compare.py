"""nina eval --compare names everything that differs in the making, and what it cannot tell of an older evaluation."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models import set_json
from program import GOLDEN, MODEL, nina
from shards import make_texts, write_shard

TEXTS = make_texts(30, 7)
SPLITS = ("test", "other")


def write_set(folder: Path, texts: list[str] = TEXTS, answers: int = 3) -> Path:
    """Question i is answered by passage `answers` * i, in both splits."""
    (folder / "qrels").mkdir(parents=True)
    write_shard(folder / "corpus.jsonl", [{"_id": f"d{i}", "title": f"Títol {i}", "text": text} for i, text in enumerate(texts)])
    write_shard(folder / "queries.jsonl", [{"_id": f"q{i}", "text": texts[3 * i]} for i in range(8)])
    for split in SPLITS:
        (folder / "qrels" / f"{split}.tsv").write_text("".join(f"q{i}\td{answers * i}\t1\n" for i in range(8)))
    return folder


def evaluate(data: Path, out: Path, *options: Any) -> Path:
    nina("eval", "--model", MODEL, "--data", data, "--out", out, "--widths", 8, *options)
    return out / "metrics.json"


def told(before: Path, after: Path) -> dict[str, str]:
    """The lines of a comparison's heading by their first word."""
    lines = nina("eval", "--compare", before, after).stdout.splitlines()
    return {word: rest.strip() for word, rest in (line.split(" ", 1) for line in lines[:4])}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    return evaluate(write_set(folder / "set"), folder / "out")


def other_texts(data: Path, where: str) -> None:
    path = data / where
    path.write_text(path.read_text().replace(TEXTS[3], TEXTS[3][::-1]))


CHANGES: dict[str, Callable[[Path], None]] = {
    "judgements": lambda data: (data / "qrels/test.tsv").write_text("".join(f"q{i}\td{2 * i}\t1\n" for i in range(8))) and None,
    "texts of queries": lambda data: other_texts(data, "queries.jsonl"),
    "texts of passages": lambda data: other_texts(data, "corpus.jsonl"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_set_with_other_content_is_told(tmp_path: Path, before: Path, name: str) -> None:
    data = write_set(tmp_path / "set")
    CHANGES[name](data)
    lines = told(before, evaluate(data, tmp_path / "out"))
    assert re.fullmatch(f'{name}: "[0-9a-f]{{32}}" before, "[0-9a-f]{{32}}" after', lines["differ"]) and "unknown" not in lines


def test_a_set_in_another_order_is_the_same_set(tmp_path: Path, before: Path) -> None:
    data = write_set(tmp_path / "set")
    for path in data / "corpus.jsonl", data / "qrels/test.tsv":
        path.write_text("\n".join(path.read_text().splitlines()[::-1]) + "\n")
    lines = told(before, evaluate(data, tmp_path / "out"))
    assert lines["differ"] == "in nothing that the two files tell" and "unknown" not in lines


def test_judgements_are_told_by_the_grades_that_count(tmp_path: Path, before: Path) -> None:
    """If a pair is judged twice the last grade counts, so the order of two grades decides."""
    data, last = tmp_path / "set", {"same": ("0", "1"), "other": ("1", "0")}
    write_set(data)
    for split, grades in last.items():
        text = (data / "qrels/test.tsv").read_text()
        (data / f"qrels/{split}.tsv").write_text("".join(f"q0\td0\t{grade}\n" for grade in grades) + text.split("\n", 1)[1])
        nina("eval", "--vectors", before.parent, "--data", data, "--split", split, "--out", tmp_path / split)
    assert told(before, tmp_path / "same/metrics.json")["differ"] == 'split: "test" before, "same" after'
    assert "; judgements: " in told(before, tmp_path / "other/metrics.json")["differ"]


def test_another_split_is_told(tmp_path: Path, before: Path) -> None:
    folder = before.parents[1]
    nina("eval", "--vectors", before.parent, "--data", folder / "set", "--split", "other", "--out", tmp_path)
    assert told(before, tmp_path / "metrics.json")["differ"] == 'split: "test" before, "other" after'


def test_texts_that_were_cut_earlier_are_told(tmp_path: Path, before: Path) -> None:
    folder = tmp_path / "vectors"
    for side, title in ("corpus", ["--title-field", "title"]), ("queries", []):
        options = ["--id-field", "_id", "--widths", 8, "--max-tokens", 8, *title, *(["--prompt-name", "query"] if side == "queries" else [])]
        nina("embed", "--model", MODEL, "--out", folder / side, *options, before.parents[1] / "set" / f"{side}.jsonl")
    nina("eval", "--vectors", folder, "--data", before.parents[1] / "set", "--out", tmp_path / "out")
    lines = told(before, tmp_path / "out/metrics.json")
    most = json.loads(before.read_text())["max_tokens"]
    assert lines["differ"] == f"query max tokens: {most['query']} before, 8 after; passage max tokens: {most['passage']} before, 8 after"
    assert lines["unknown"] == "whether these differ: texts of queries, texts of passages"


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_hashes_that_cannot_be_read_leave_only_the_comparison_of_texts_unknown(tmp_path: Path, before: Path, damage: str) -> None:
    vectors = Path(shutil.copytree(before.parent, tmp_path / "vectors"))
    (path,) = (vectors / "corpus/hashes").iterdir()
    path.write_bytes(path.read_bytes()[:40]) if damage == "damaged" else path.unlink()
    said = nina("eval", "--vectors", vectors, "--data", before.parents[1] / "set", "--out", tmp_path / "out").stderr
    assert f"warning: metrics.json has no hash of the texts in {vectors}/corpus" in said and said.count("hashes/") == 1
    metrics, whole = (json.loads(file.read_text()) for file in (tmp_path / "out/metrics.json", before))
    assert metrics["metrics"] == whole["metrics"]
    assert metrics["hashes"] == whole["hashes"] | {"passages": None}
    assert told(before, tmp_path / "out/metrics.json")["unknown"] == "whether these differ: texts of passages"


def test_evaluation_reads_no_kept_fields(tmp_path: Path, before: Path) -> None:
    data, vectors = before.parents[1] / "set", tmp_path / "vectors"
    for side in "corpus", "queries":
        options = ["--id-field", "_id", "--widths", 8, "--keep-fields", "_id", *(["--prompt-name", "query"] if side == "queries" else [])]
        nina("embed", "--model", MODEL, "--out", vectors / side, *options, data / f"{side}.jsonl")
        shutil.rmtree(vectors / side / "fields")
    assert "warning" not in nina("eval", "--vectors", vectors, "--data", data, "--out", tmp_path / "out").stderr
    assert None not in json.loads((tmp_path / "out/metrics.json").read_text())["hashes"].values()


def test_what_an_older_evaluation_does_not_tell_is_said(tmp_path: Path, before: Path) -> None:
    metrics = json.loads(before.read_text())
    del metrics["max_tokens"], metrics["hashes"]
    (tmp_path / "old.json").write_text(json.dumps(metrics))
    for pair in (before, tmp_path / "old.json"), (tmp_path / "old.json", before):
        lines = told(*pair)
        assert lines["differ"] == "in nothing that the two files tell"
        assert lines["unknown"] == "whether these differ: judgements, texts of queries, texts of passages, max tokens"


def test_another_model_of_the_same_name_is_told_beside_another_prompt(tmp_path: Path, before: Path) -> None:
    metrics = json.loads(before.read_text())
    metrics["model"]["weights"] = "0" * 32
    metrics["prompts"]["query"] = "q: "
    (tmp_path / "new.json").write_text(json.dumps(metrics))
    said = told(before, tmp_path / "new.json")["differ"]
    assert "model.weights: " in said and 'query prompt: "consulta: " before, "q: " after' in said


def test_pooling_without_the_prompt_is_no_change_of_the_texts(tmp_path: Path, before: Path) -> None:
    """The seed of a row's hash tells such rows apart, though their token ids are the same."""
    found, data = [], before.parents[1] / "set"
    for name, include in ("with", True), ("without", False):
        model = Path(shutil.copytree(GOLDEN / "bert-mean-v6", tmp_path / name / "model"))
        set_json("1_Pooling/config.json", include_prompt=include)(model)
        nina("eval", "--model", model, "--data", data, "--out", tmp_path / name / "out", "--widths", 8)
        found.append(tmp_path / name / "out/metrics.json")
    lines = told(*found)
    assert lines["differ"] == "model.include_prompt: true before, false after"
    assert lines["unknown"] == "whether these differ: texts of queries"  # passages have no prompt


@pytest.mark.skipif("no sentencepiece" in nina("--version").stdout, reason="a build without the sentencepiece library")
def test_another_tokenizer_engine_is_told(tmp_path: Path, before: Path) -> None:
    folder = before.parents[1]
    shutil.copytree(MODEL, tmp_path / "other")
    same = evaluate(folder / "set", tmp_path / "one", "--tokenizer", "sentencepiece")
    assert 'model.tokenizer_engine: nothing before, "sentencepiece" after' in told(before, same)["differ"]
    nina("eval", "--model", tmp_path / "other", "--data", folder / "set", "--out", tmp_path / "two", "--widths", 8, "--tokenizer", "sentencepiece")
    said = told(before, tmp_path / "two/metrics.json")["differ"]
    assert 'model: "xlmr-cls-v3" before, "other" after' in said and 'tokenizer engine: nothing before, "sentencepiece" after' in said
