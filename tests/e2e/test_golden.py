"""Rows and token ids equal those of sentence-transformers, as scripts/make-golden wrote them to tests/golden."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import copy_model, set_json
from output import Output, derive, same_bits
from program import GOLDEN, REJECTS, USAGE, embed, has_int8, tokenize
from shards import write_shard

MODELS = ["xlmr-cls-v3", "bert-mean-v6", "bert-uncased", "bert-cased", "roberta", "distilbert"]
HARD = MODELS[2:5]  # each has its own pieces, and hard strings
MODULES = ["max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken", "all-by-flags", "without-prompt", "dense"]
LEAST_COSINE = {"fp32": 0.999999, "bf16": 0.9999} | ({"int8": 0.998} if has_int8() else {})
WIDTHS = {"xlmr-cls-v3": (128, 64, 16), "bert-mean-v6": (64, 32, 8), "bert-uncased": (64, 16), "bert-cased": (64, 16), "roberta": (64, 16), "distilbert": (64, 16)}


def golden_lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (GOLDEN / path).read_text().splitlines()]


def embed_golden(out: Path, model: str, **options: Any) -> Output:
    options |= {"device": "cpu", "id_field": "id", "widths": ",".join(map(str, WIDTHS[model]))}
    embed(out, GOLDEN / model / "texts.jsonl", model=GOLDEN / model, **options)
    return Output(out)


def cosines(rows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    x, y = rows.astype(np.float64), reference.astype(np.float64)
    return (x * y).sum(axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)


@pytest.mark.parametrize(
    "model", [pytest.param("xlmr-cls-v3", marks=pytest.mark.sanitize), *MODELS[1:3], *(pytest.param(name, marks=pytest.mark.sanitize) for name in MODELS[3:])]
)
@pytest.mark.parametrize("precision", LEAST_COSINE)
def test_rows_are_those_of_sentence_transformers(tmp_path: Path, model: str, precision: str) -> None:
    output = embed_golden(tmp_path / "out", model, precision=precision)
    reference = np.load(GOLDEN / model / "rows.npy")
    for row, golden in zip(output.ids(), golden_lines(f"{model}/ids.jsonl"), strict=True):
        assert (row["id"], row["truncated"]) == (golden["id"], golden["truncated"])
        assert row["tokens"] == len(golden["tokens"])
    widest = output.vectors(WIDTHS[model][0])
    for width in WIDTHS[model]:
        rows = output.vectors(width)
        assert width == WIDTHS[model][0] or same_bits(rows, derive(widest, width))
        assert cosines(rows, reference[:, :width]).min() >= LEAST_COSINE[precision]
    assert output.manifest()["compute_class"]["precision"] == precision


@pytest.mark.parametrize("precision", LEAST_COSINE)
@pytest.mark.parametrize("name", MODULES)
def test_every_pooling_and_dense_module_gives_the_rows_of_sentence_transformers(
    tmp_path: Path, name: str, precision: str
) -> None:
    """Modules around one transformer; in without-prompt the pooling leaves the prompt out."""
    folder = GOLDEN / "modules" / name
    reference = np.load(folder / "rows.npy")
    widths = (reference.shape[1], reference.shape[1] // 2, 8)
    options: dict[str, Any] = {"prompt": "consulta: "} if name == "without-prompt" else {}
    options |= {"device": "cpu", "precision": precision, "widths": ",".join(map(str, widths))}
    embed(tmp_path / "out", folder / "texts.jsonl", model=folder, id_field="id", **options)
    output = Output(tmp_path / "out")
    for width in widths:
        assert cosines(output.vectors(width), reference[:, :width]).min() >= LEAST_COSINE[precision]


def test_a_pooling_that_includes_the_prompt_gives_other_rows(tmp_path: Path) -> None:
    """What the test above shows with without-prompt, it would not show if the prompt made no difference."""
    folder = copy_model(tmp_path, GOLDEN / "modules" / "without-prompt")
    set_json("1_Pooling/config.json", include_prompt=True)(folder)
    embed(tmp_path / "out", folder / "texts.jsonl", model=folder, device="cpu", precision="fp32", prompt="consulta: ")
    assert cosines(Output(tmp_path / "out").vectors(640), np.load(folder / "rows.npy")).min() < 0.95


def test_a_run_warns_where_lengths_are_lost(tmp_path: Path) -> None:
    """The model is trained for the dot product, and has no Normalize module."""
    folder = GOLDEN / "modules" / "dense"
    for name, model, warned in (("dot", folder, True), ("cosine", GOLDEN / "modules" / "max", False)):
        result = embed(tmp_path / name, folder / "texts.jsonl", model=model, device="cpu")
        assert ('nina: warning: the model compares vectors by "dot", lengths included' in result.stderr) == warned


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("precision", LEAST_COSINE)
def test_rows_do_not_depend_on_threads_and_order(tmp_path: Path, model: str, precision: str) -> None:
    one = embed_golden(
        tmp_path / "one", model, precision=precision, threads=1, batch_tokens=8192, block_lines=20
    )
    two = embed_golden(
        tmp_path / "two", model, precision=precision, threads=2, batch_tokens=8192, block_lines=20
    )
    assert one.files("*/*", "manifest.json") == two.files("*/*", "manifest.json")


@pytest.mark.parametrize("model", MODELS)
def test_ids_are_those_of_sentence_transformers(model: str) -> None:
    texts, expected = golden_lines(f"{model}/texts.jsonl"), golden_lines(f"{model}/ids.jsonl")
    assert tokenize([row["text"] for row in texts], GOLDEN / model) == [row["tokens"] for row in expected]


def cut(ids: list[int], longest: int) -> list[int]:
    return ids if len(ids) <= longest else ids[: longest - 1] + ids[-1:]


@pytest.mark.sanitize
def test_ids_of_hard_strings_are_those_of_hugging_face() -> None:
    texts = [row["text"] for row in golden_lines("tokenizer/strings.jsonl")]
    expected = golden_lines("tokenizer/ids.jsonl")
    found = tokenize(texts, GOLDEN / "bert-mean-v6")
    assert len(texts) == 500
    assert found == [cut(row["ids"], 8192) for row in expected]


@pytest.mark.sanitize
@pytest.mark.parametrize("model", HARD)
def test_ids_of_hard_strings_are_those_of_hugging_face_for_other_kinds(model: str) -> None:
    texts = [row["text"] for row in golden_lines("tokenizer/strings.jsonl")]
    expected = golden_lines(f"tokenizer/ids-{model}.jsonl")
    assert tokenize(texts, GOLDEN / model) == [cut(row["ids"], 128) for row in expected]


def test_both_forms_of_a_tokenizer_give_the_same_ids() -> None:
    """The tiny models share a piece list: one stores it as sentencepiece.bpe.model, the other as tokenizer.json."""
    texts = [row["text"] for row in golden_lines("tokenizer/strings.jsonl")]
    old, new = (tokenize(texts, GOLDEN / model, max_tokens=700) for model in MODELS[:2])
    assert old == new


def test_precision_is_part_of_the_run(tmp_path: Path) -> None:
    """Without --precision, a resume keeps the precision of the run; another precision is refused."""
    shard = write_shard(tmp_path / "a.jsonl", [{"text": "a"}, "no document"])
    options = {"device": "cpu", "widths": 16}
    embed(tmp_path / "out", shard, precision="fp32", status=REJECTS, **options)
    embed(tmp_path / "out", shard, status=REJECTS, **options).says("nothing to do")
    result = embed(tmp_path / "out", shard, precision="bf16", status=USAGE, **options)
    result.says('--precision: "fp32" in the manifest, "bf16" now')
    embed(tmp_path / "out", shard, device="null", widths=16, status=USAGE).says('--device: "cpu" in the manifest, "null" now')
