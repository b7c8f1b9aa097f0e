"""`--tokenizer sentencepiece`: the sentencepiece library segments the whole text, and is part of the model's identity."""

import json
from pathlib import Path

import pytest
import sentencepiece

import hard_texts
from models import copy_model, replace
from output import Output
from program import FAILED, GOLDEN, MODEL, USAGE, embed, nina, tokenize
from shards import write_shard

LIBRARY = "sentencepiece"
HAS_LIBRARY = "no sentencepiece" not in nina("--version").stdout
pytestmark = pytest.mark.skipif(not HAS_LIBRARY, reason="nina was built without the sentencepiece library")

# A special token that a text spells is the token; to the library it is text.
OTHER = "el carrer </s> la casa"


def golden_texts() -> list[str]:
    return [json.loads(line)["text"] for line in (GOLDEN / "tokenizer" / "strings.jsonl").read_text().splitlines()]


@pytest.mark.sanitize
@pytest.mark.parametrize("model", ["xlmr-cls-v3", "bert-mean-v6"])
def test_ids_are_the_library_s(model: str) -> None:
    """From the file and from tokenizer.json, of which a model is made in memory."""
    library = sentencepiece.SentencePieceProcessor(model_file=str(GOLDEN / "xlmr-cls-v3" / "sentencepiece.bpe.model"))
    texts = golden_texts() + hard_texts.mutated_texts()[:500]
    expected = []
    for text in texts:
        ids = [3 if index == 0 else index + 1 for index in library.encode(text)]
        expected.append([0, *ids[:698], 2])
    assert tokenize(texts, GOLDEN / model, max_tokens=700, tokenizer=LIBRARY) == expected


def test_compare_prints_the_texts_whose_ids_differ(tmp_path: Path) -> None:
    lines = "carrer\n" + json.dumps(OTHER) + "\nla casa\n"
    result = nina("tokenize", "--model", MODEL, "--compare", LIBRARY, stdin=lines.encode(), status=FAILED)
    result.says("1 of 3 lines have other ids")
    (difference,) = map(json.loads, result.stdout.splitlines())
    assert difference == {
        "line": 2,
        "text": OTHER,
        "auto": tokenize([OTHER])[0],
        LIBRARY: tokenize([OTHER], tokenizer=LIBRARY)[0],
    }
    assert difference["auto"] != difference[LIBRARY]
    same = nina("tokenize", "--model", MODEL, "--compare", LIBRARY, stdin=b"carrer\n")
    same.says("0 of 1 lines have other ids")
    assert same.stdout == ""
    nina("tokenize", "--model", MODEL, "--compare", "auto", status=USAGE).says("--compare auto: that is the tokenizer itself")


def test_engine_belongs_to_the_model_of_a_run(tmp_path: Path) -> None:
    """A resume, a search and --deep take the run's own engine; another one is refused."""
    shard = write_shard(tmp_path / "a.jsonl", [{"text": OTHER}, {"text": "la casa"}])
    options = {"device": "cpu", "widths": 16, "store_text": True}
    embed(tmp_path / "auto", shard, **options)
    embed(tmp_path / "out", shard, tokenizer=LIBRARY, **options)
    assert Output(tmp_path / "out").manifest()["model"]["tokenizer_engine"] == LIBRARY
    assert "tokenizer_engine" not in Output(tmp_path / "auto").manifest()["model"]
    assert Output(tmp_path / "out").vectors(16).tobytes() != Output(tmp_path / "auto").vectors(16).tobytes()
    embed(tmp_path / "out", shard, **options).says("nothing to do")
    more = write_shard(tmp_path / "b.jsonl", [{"text": "el carrer"}])
    embed(tmp_path / "out", shard, more, append=True, **options)
    refused = embed(tmp_path / "auto", shard, tokenizer=LIBRARY, status=USAGE, **options)
    refused.says('model.tokenizer_engine: nothing in the manifest, "sentencepiece" now')
    question = ("search", "--model", MODEL, "--top-k", "1", "--json", "--prompt", "", OTHER)
    for out in ("auto", "out"):
        found = json.loads(nina(*question, "--vectors", tmp_path / out).stdout)
        assert found["answers"][0]["cosine"] > 0.999
    nina(*question, "--vectors", tmp_path / "auto", "--tokenizer", LIBRARY, status=USAGE).says("tokenizer_engine")
    nina("verify", "--deep", "2", "--model", MODEL, tmp_path / "out").says("2 parts")


def test_info_names_the_engine(tmp_path: Path) -> None:
    own, library = (nina("info", "--tokenizer", name, MODEL).stdout for name in ("auto", LIBRARY))
    assert "segmented by the sentencepiece library" in library and "segmented" not in own
    assert own.splitlines()[-1] != library.splitlines()[-1]  # the identity
    shard = write_shard(tmp_path / "a.jsonl", [{"text": "a"}])
    embed(tmp_path / "out", shard, device="null", widths=16)
    nina("info", "--tokenizer", LIBRARY, tmp_path / "out", status=USAGE).says("--tokenizer is for models")


def test_eval_embeds_with_the_engine(tmp_path: Path) -> None:
    data = GOLDEN.parent / "data" / "municipal"
    nina("eval", "--model", MODEL, "--data", data, "--out", tmp_path / "out", "--device", "null", "--tokenizer", LIBRARY)
    for part in ("corpus", "queries"):
        assert Output(tmp_path / "out" / part).manifest()["model"]["tokenizer_engine"] == LIBRARY


@pytest.mark.sanitize
def test_damaged_models_never_reach_the_library(tmp_path: Path) -> None:
    """Our own parser reads the file first: its sentence is the one that is printed, and nothing aborts."""
    model = copy_model(tmp_path, MODEL)
    file = model / "sentencepiece.bpe.model"
    whole = file.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        replace(file, whole[:size])
        error = nina("tokenize", "--model", model, "--tokenizer", LIBRARY, status=FAILED).error
        assert str(file) in error or "normaliser map" in error
