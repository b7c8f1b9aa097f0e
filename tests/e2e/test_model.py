"""What of a model's folder decides a run."""

import json
from pathlib import Path

from models import copy_model, set_json
from program import MODEL, embed, nina
from shards import write_shard


def test_rows_are_as_wide_as_the_model_says(tmp_path: Path) -> None:
    model, shard = copy_model(tmp_path, MODEL), write_shard(tmp_path / "a.jsonl", [{"text": "una casa"}, {"text": "el mar"}])
    set_json("config_sentence_transformers.json", truncate_dim=32)(model)
    embed(tmp_path / "own", shard, model=model)
    embed(tmp_path / "asked", shard, model=model, widths="64,8")
    assert json.loads((tmp_path / "own" / "manifest.json").read_text())["settings"]["widths"] == [32]
    assert json.loads((tmp_path / "asked" / "manifest.json").read_text())["settings"]["widths"] == [64, 8]


def test_longest_input_is_max_seq_length_not_the_tokenizers(tmp_path: Path) -> None:
    model = copy_model(tmp_path, MODEL)
    set_json("sentence_bert_config.json", max_seq_length=12)(model)
    set_json("tokenizer_config.json", model_max_length=5)(model)
    (ids,) = nina("tokenize", "--model", model, stdin=b"a b c d e f g h i j k l m n o p\n").stdout.splitlines()
    assert len(json.loads(ids)) == 12
