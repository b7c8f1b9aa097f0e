"""`--precision int8`: the same bytes for any threads, ranks and restarts; refused where its sums would be wrong."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from many import embed_many, needs_mpirun
from output import Output
from program import DONE, FAILED, GOLDEN, MODEL, PROGRAM, ROOT, USAGE, embed, has_int8, nina, start_embed, stop, wait_for_parts
from shards import make_texts, write_shard

OPTIONS: dict[str, Any] = {"device": "cpu", "precision": "int8", "widths": "128,16", "block_lines": 50}
needs_int8 = pytest.mark.skipif(not has_int8(), reason="this processor has no VNNI")


def write_archive(folder: Path) -> list[Path]:
    folder.mkdir()
    return [write_shard(folder / f"{i}.jsonl", [{"text": text} for text in make_texts(300, i)]) for i in range(2)]


def everything(path: Path) -> dict[str, bytes]:
    return Output(path).files("*/*", "manifest.json")


@needs_int8
@pytest.mark.sanitize
@pytest.mark.threads
def test_bytes_are_the_same_for_any_threads_and_after_a_kill(tmp_path: Path) -> None:
    shards = write_archive(tmp_path / "in")
    one = embed(tmp_path / "one", *shards, threads=1, **OPTIONS)
    embed(tmp_path / "three", *shards, threads=3, **OPTIONS)
    run = start_embed(tmp_path / "killed", *shards, threads=2, fault="write:50+:wait", **OPTIONS)
    wait_for_parts(tmp_path / "killed", 2, run)
    stop(run, signal.SIGKILL, -signal.SIGKILL)
    embed(tmp_path / "killed", *shards, threads=2, **OPTIONS)
    assert everything(tmp_path / "one") == everything(tmp_path / "three") == everything(tmp_path / "killed")
    one.says("int8: the widest channel before a product is")


@needs_int8
@needs_mpirun
def test_bytes_are_the_same_for_any_ranks(tmp_path: Path) -> None:
    shards = write_archive(tmp_path / "in")
    embed(tmp_path / "one", *shards, **OPTIONS)
    embed_many(tmp_path / "three", *shards, ranks=3, **OPTIONS)
    assert everything(tmp_path / "one") == everything(tmp_path / "three")


@needs_int8
def test_int8_is_part_of_the_run(tmp_path: Path) -> None:
    """Without --precision, a resume computes in int8; another precision is refused, by --append and --reuse too."""
    shards = write_archive(tmp_path / "in")
    embed(tmp_path / "out", shards[0], **OPTIONS)
    manifest = Output(tmp_path / "out").manifest()["compute_class"]
    assert manifest["precision"] == "int8" and len(manifest["int8_plan"]) == 16
    plain = OPTIONS | {"precision": None}
    embed(tmp_path / "out", shards[0], **plain).says("nothing to do")
    embed(tmp_path / "out", *shards, append=True, **plain)
    for options in {}, {"append": True}:
        refused = embed(tmp_path / "out", *shards, status=USAGE, **(OPTIONS | {"precision": "fp32"} | options))
        refused.says('--precision: "int8" in the manifest, "fp32" now')
    refused = embed(tmp_path / "new", *shards, reuse=tmp_path / "out", status=USAGE, **(OPTIONS | {"precision": "fp32"}))
    refused.says('compute_class.precision: "int8"')
    embed(tmp_path / "new", *shards, reuse=tmp_path / "out", **OPTIONS).says("0 encoded, 600 reused")


@needs_int8
def test_deep_verification_compares_bits_with_int8_and_cosines_with_fp32(tmp_path: Path) -> None:
    embed(tmp_path / "out", write_archive(tmp_path / "in")[0], **OPTIONS)
    same = nina("verify", "--deep", 12, "--model", MODEL, tmp_path / "out").stdout
    other = nina("verify", "--deep", 12, "--model", MODEL, "--precision", "fp32", tmp_path / "out").stdout
    assert "compared bit for bit; 6 are the same" in same
    assert re.search(r"compared by cosine: the least is 0\.999\d+, at least 0\.998 passes; 6 are the same", other)


@needs_int8
def test_questions_find_the_same_documents_in_int8(tmp_path: Path) -> None:
    texts = make_texts(300, 0)
    embed(tmp_path / "out", write_archive(tmp_path / "in")[0], **OPTIONS)
    for precision in "int8", "fp32":
        found = nina("search", "--model", MODEL, "--vectors", tmp_path / "out", "--prompt", "", "--precision", precision, "--top-k", 1, "--json", texts[17]).stdout
        assert json.loads(found)["answers"][0]["line"] == 18


@needs_int8
def test_auto_is_never_int8(tmp_path: Path) -> None:
    embed(tmp_path / "out", write_archive(tmp_path / "in")[0], **(OPTIONS | {"precision": "auto"}))
    assert Output(tmp_path / "out").manifest()["compute_class"]["precision"] in ("fp32", "bf16")


@needs_int8
@pytest.mark.parametrize("factor, least", [(4, 0.9995), (12, 0.9986)])
def test_wide_channels_cost_little(factor: int, least: float) -> None:
    """Channels so many times as wide, in a model that is the same function: the script changes it so, and compares with the unchanged one's fp32."""
    model = GOLDEN / "xlmr-cls-v3"
    options = ["--nina", PROGRAM, "--model", model, "--widths", "128,16", "--amplify", str(factor), "--least-mean", str(least)]
    done = subprocess.run([sys.executable, ROOT / "scripts" / "check-precision", *options, model / "texts.jsonl"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("isa", ["AVX512_CORE", "AVX2"])
def test_int8_needs_vnni(tmp_path: Path, isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """oneDNN uses at most the instructions that its environment variable names."""
    monkeypatch.setenv("DNNL_MAX_CPU_ISA", isa)
    assert "int8" not in nina("--version").stdout
    refused = embed(tmp_path / "out", write_archive(tmp_path / "in")[0], status=FAILED, **OPTIONS)
    refused.says("int8 needs a processor with VNNI, and this one has none (oneDNN uses ")
    assert not (tmp_path / "out").exists()


@needs_int8
@pytest.mark.parametrize("model", ["xlmr-cls-v3", "roberta"])
def test_avx2_computes_nearly_the_same(tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products are exact with AVX-VNNI as with AVX-512; only the plan's fp32 sums can differ in their last bits."""
    texts = GOLDEN / model / "texts.jsonl"
    options = {"device": "cpu", "precision": "int8", "model": GOLDEN / model}
    embed(tmp_path / "own", texts, **options)
    monkeypatch.setenv("DNNL_MAX_CPU_ISA", "AVX2_VNNI")
    if "int8" not in nina("--version").stdout:
        pytest.skip("this processor has no AVX-VNNI")
    embed(tmp_path / "avx2", texts, **options)
    own, other = (Output(tmp_path / name).vectors(Output(tmp_path / name).manifest()["settings"]["widths"][0]) for name in ("own", "avx2"))
    x, y = own.astype(np.float64), other.astype(np.float64)
    assert ((x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)).min() > 0.9995


def test_a_card_refuses_int8(tmp_path: Path) -> None:
    if "built without CUDA" in nina("--version").stdout:
        pytest.skip("without CUDA there is no encoder that could refuse")
    refused = embed(tmp_path / "out", write_archive(tmp_path / "in")[0], status=USAGE, **(OPTIONS | {"device": "cuda"}))
    refused.says("the cuda encoder computes in fp16, not int8: pass auto or fp16")
