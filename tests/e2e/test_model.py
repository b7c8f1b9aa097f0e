"""What in a model's folder changes a run, and which model a run used."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from models import Change, copy_model, set_json, set_number
from program import MODEL, USAGE, embed, nina
from shards import write_shard

SAID_BY_THE_FOLDER = "config_sentence_transformers.json"
QUERY = "roberta.encoder.layer.0.attention.self.query.weight"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return copy_model(tmp_path, MODEL)


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    return write_shard(tmp_path / "a.jsonl", [{"text": "una casa"}, {"text": "el mar"}])


def manifest_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "manifest.json").read_text())


def test_rows_are_as_wide_as_the_model_says(tmp_path: Path, model: Path, shard: Path) -> None:
    set_json(SAID_BY_THE_FOLDER, truncate_dim=32)(model)
    embed(tmp_path / "own", shard, model=model)
    embed(tmp_path / "asked", shard, model=model, widths="64,8")
    assert manifest_of(tmp_path / "own")["settings"]["widths"] == [32]
    assert manifest_of(tmp_path / "asked")["settings"]["widths"] == [64, 8]


def test_longest_input_is_max_seq_length_not_the_tokenizers(model: Path) -> None:
    set_json("sentence_bert_config.json", max_seq_length=12)(model)
    set_json("tokenizer_config.json", model_max_length=5)(model)
    (ids,) = nina("tokenize", "--model", model, stdin=b"a b c d e f g h i j k l m n o p\n").stdout.splitlines()
    assert len(json.loads(ids)) == 12


# Edits in the folder after a run, each with the words that nina then says.
EDITS: dict[str, tuple[Change, str]] = {
    "pooling": (
        set_json("1_Pooling/config.json", pooling_mode_cls_token=False, pooling_mode_mean_tokens=True),
        'pooling: "cls" {then}, "mean" {now}',
    ),
    "eps": (set_json("config.json", layer_norm_eps=1e-12), 'layer_norm_eps: "1e-05" {then}, "1e-12" {now}'),
    "heads": (set_json("config.json", num_attention_heads=4), "heads: 2 {then}, 4 {now}"),
    "layers": (set_json("config.json", num_hidden_layers=1), "layers: 2 {then}, 1 {now}"),
    "positions": (set_json("config.json", pad_token_id=0), "first_position: 2 {then}, 1 {now}"),
    "weights": (set_number(QUERY, 5, 0.5), 'weights: "'),
}


@pytest.mark.parametrize("what", EDITS)
def test_edited_model_is_refused_with_what_differs(tmp_path: Path, model: Path, shard: Path, what: str) -> None:
    change, sentence = EDITS[what]
    out = tmp_path / "out"
    more = write_shard(tmp_path / "b.jsonl", [{"text": "la plaça"}])
    embed(out, shard, model=model, device="cpu", max_tokens=64)
    before = (out / "manifest.json").read_bytes()
    change(model)
    refused = sentence.format(then="in the manifest", now="now")
    for inputs, append in ([shard], False), ([shard, more], True):
        error = embed(out, *inputs, model=model, device="cpu", max_tokens=64, append=append, status=USAGE).error
        assert f"model.{refused}" in error
    assert (out / "manifest.json").read_bytes() == before
    error = nina("search", "--model", model, "--vectors", out, "casa", status=USAGE).error
    assert sentence.format(then="in the manifest", now="now") in error


@pytest.mark.parametrize("what", ["pooling", "heads"])
def test_evaluation_with_an_edited_model_is_refused(tmp_path: Path, model: Path, what: str) -> None:
    change, sentence = EDITS[what]
    data, out, other = tmp_path / "set", tmp_path / "out", tmp_path / "other"
    (data / "qrels").mkdir(parents=True)
    write_shard(data / "corpus.jsonl", [{"_id": f"p{i}", "text": f"la casa {i}"} for i in range(3)])
    write_shard(data / "queries.jsonl", [{"_id": "q0", "text": "la casa 0"}])
    (data / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq0\tp0\t1\n")
    command = ["eval", "--data", data, "--device", "cpu", "--max-tokens", 64, "--model", model]
    nina(*command, "--out", out)
    change(model)
    refused = sentence.format(then="in the manifest", now="now")
    assert refused in nina(*command, "--out", out, status=USAGE).error
    nina(*command, "--out", other)
    shutil.copytree(out / "corpus", tmp_path / "mixed" / "corpus")
    shutil.copytree(other / "queries", tmp_path / "mixed" / "queries")
    error = nina("eval", "--data", data, "--vectors", tmp_path / "mixed", status=USAGE).error
    assert sentence.format(then="in the first", now="in the second") in error


def test_renamed_model_goes_on(tmp_path: Path, model: Path, shard: Path) -> None:
    out = tmp_path / "out"
    more = write_shard(tmp_path / "b.jsonl", [{"text": "la plaça"}])
    embed(out, shard, model=model, device="cpu", max_tokens=64)
    identity = manifest_of(out)["model"]["identity"]
    renamed = model.rename(tmp_path / "another-name")
    embed(out, shard, more, model=renamed, device="cpu", max_tokens=64, append=True)
    assert len(manifest_of(out)["shards"]) == 2 and manifest_of(out)["model"]["identity"] == identity
    nina("search", "--model", renamed, "--vectors", out, "casa")


def test_older_run_is_compared_by_weights_and_tokenizer(tmp_path: Path, model: Path, shard: Path) -> None:
    """As earlier versions wrote it, which knew less about a model."""
    out = tmp_path / "out"
    embed(out, shard, model=model)
    manifest = manifest_of(out)
    manifest["model"] = {key: manifest["model"][key] for key in ("name", "weights", "tokenizer")}
    (out / "manifest.json").write_text(json.dumps(manifest))
    set_json("1_Pooling/config.json", pooling_mode_cls_token=False, pooling_mode_mean_tokens=True)(model)
    embed(out, shard, model=model)
    set_number(QUERY, 5, 0.5)(model)
    assert "model.weights: " in embed(out, shard, model=model, status=USAGE).error
