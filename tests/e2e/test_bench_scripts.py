"""scripts/bench-…: what is measured is what they say."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from program import PROGRAM, embed, script_module
from shards import write_shard


def test_the_blocks_that_bench_ranks_measures_are_as_long_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = script_module("bench-ranks")
    monkeypatch.setattr(bench, "NINA", PROGRAM)
    corpus = bench.write_shards(tmp_path / "in", 2, 5)
    embed(tmp_path / "out", corpus, model=bench.MODEL, widths="64", block_lines=bench.BLOCK_LINES)
    run = json.loads((tmp_path / "out" / "report.json").read_text())["runs"][0]
    assert (run["encoded"], run["encoded_tokens"]) == (5 * bench.BLOCK_LINES, 5 * bench.block_tokens())


def test_bench_peers_tells_the_ratio_to_the_reference_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = script_module("bench-peers")

    def rows(texts: list[str]) -> Any:
        return np.ones((len(texts), 2), np.float32)

    class Rivals:
        longest = 8

        def __init__(self, *arguments: Any) -> None:
            pass

        def sentence_transformers(self, dtype: Any) -> Any:
            return rows

        def tokenizer(self, texts: list[str], **options: Any) -> dict[str, list[list[int]]]:
            return {"input_ids": [[1, 2]] * len(texts)}

    torch = SimpleNamespace(float32=None, bfloat16=None)
    for name, stand_in in ("Rivals", Rivals), ("nina", lambda model, texts, *more: rows(texts)), ("np", np), ("torch", torch):
        monkeypatch.setattr(bench, name, stand_in, raising=False)
    texts = write_shard(tmp_path / "texts.jsonl", [{"text": f"casa {i}"} for i in range(70)])
    only = "nina int8,sentence-transformers bf16,sentence-transformers fp32,nina bf16"
    monkeypatch.setattr("sys.argv", ["bench-peers", "--texts", str(texts), "--only", only])
    bench.main()
    table = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[-4:]]
    ratios = [row[2] for row in table]
    assert ratios[:3] == ["–", "–", "1.00"] and re.fullmatch(r"\d+\.\d\d", ratios[3])
