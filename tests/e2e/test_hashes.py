"""`OUT/hashes` tells equal rows; equal texts of a block are encoded once, and no byte shows it."""

import io
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash

from models import copy_model, set_json
from output import Output, same_bits, unzstd
from program import FAILED, GOLDEN, ROOT, embed, has_int8, nina, tokenize
from shards import make_archive, make_texts, write_shard

OPTIONS: dict[str, Any] = {"widths": "32,8", "block_lines": 40}


def hashes(output: Output) -> list[np.ndarray]:
    return [np.load(io.BytesIO(unzstd([path]))) for path in output.parts("hashes")]


@pytest.mark.sanitize
def test_hash_of_a_row_is_that_of_its_token_ids(tmp_path: Path) -> None:
    texts = make_texts(50, 1)
    shard = write_shard(tmp_path / "a.jsonl", [{"text": text} for text in texts])
    embed(tmp_path / "out", shard, **OPTIONS)
    output = Output(tmp_path / "out")
    assert [array.shape for array in hashes(output)] == [(40, 16), (10, 16)]
    assert all(array.dtype == np.dtype("|u1") for array in hashes(output))
    stored = np.concatenate(hashes(output))
    expected = [xxhash.xxh3_128_digest(np.array(ids, "<i4").tobytes(), seed=0) for ids in tokenize(texts)]
    assert [row.tobytes() for row in stored] == expected
    nina("verify", output.path)


@pytest.mark.parametrize("prompt", ["", "consulta: ", "un prefix molt "])
@pytest.mark.parametrize("include", [True, False])
def test_readme_gives_the_hash_of_a_row(tmp_path: Path, prompt: str, include: bool) -> None:
    """Its own Python, for prompts that the model pools over and that it leaves out, up to one that all but fills the limit."""
    (readme,) = re.findall(r"(?:^    .*\n)*.*xxh3_128_digest.*\n", (ROOT / "io/run/README.md").read_text(), re.MULTILINE)
    names: dict[str, Any] = {"np": np, "xxhash": xxhash}
    exec(textwrap.dedent(readme), names)
    model, texts = copy_model(tmp_path / "model", GOLDEN / "bert-mean-v6"), make_texts(30, 4)
    set_json("1_Pooling/config.json", include_prompt=include)(model)
    embed(tmp_path / "out", write_shard(tmp_path / "a.jsonl", [{"text": text} for text in texts]), model=model, prompt=prompt, max_tokens=12, **OPTIONS)
    output = Output(tmp_path / "out")
    (prompt_ids,), ids = tokenize([prompt], model, 12), tokenize([prompt + text for text in texts], model, 12)
    assert (len(prompt_ids) == 11) == (len(prompt) > 10)
    expected = [names["row_hash"](output.manifest(), row, prompt_ids) for row in ids]
    assert [row.tobytes() for row in np.concatenate(hashes(output))] == expected


def test_hash_sees_prompt_title_and_limit(tmp_path: Path) -> None:
    documents = [{"text": text, "t": f"títol {i}"} for i, text in enumerate(make_texts(30, 2))]
    shard = write_shard(tmp_path / "a.jsonl", documents)
    found = []
    for i, more in enumerate(({}, {"prompt": "passage: "}, {"title_field": "t"}, {"max_tokens": 4}, {"text_field": "t"})):
        embed(tmp_path / str(i), shard, **(OPTIONS | more))
        found.append({row.tobytes() for row in np.concatenate(hashes(Output(tmp_path / str(i))))})
    assert all(not a & b for i, a in enumerate(found) for b in found[:i])


def test_hash_sees_which_tokens_are_the_prompts(tmp_path: Path) -> None:
    """The same ids with and without a prompt are other rows if the model's pooling leaves its prompt out."""
    model = copy_model(tmp_path / "model", GOLDEN / "bert-mean-v6")
    texts = make_texts(30, 4)
    plain = write_shard(tmp_path / "plain.jsonl", [{"text": text} for text in texts])
    spelled = write_shard(tmp_path / "spelled.jsonl", [{"text": f"passage: {text}"} for text in texts])
    for include in True, False:
        set_json("1_Pooling/config.json", include_prompt=include)(model)
        prompted, whole = (tmp_path / f"{name}-{include}" for name in ("prompted", "whole"))
        embed(prompted, plain, model=model, prompt="passage: ", **OPTIONS)
        embed(whole, spelled, model=model, prompt="", **OPTIONS)
        found = [np.concatenate(hashes(Output(out))) for out in (prompted, whole)]
        assert (found[0] == found[1]).all(axis=1).tolist() == [include] * len(texts)


@pytest.mark.parametrize("device", ["null", "cpu"])
def test_equal_texts_are_encoded_once_a_block_and_have_the_same_rows(tmp_path: Path, device: str) -> None:
    texts = make_texts(30, 3)
    order = [i * 7 % 30 for i in range(80)]
    embed(tmp_path / "once", write_shard(tmp_path / "once.jsonl", [{"text": text} for text in texts]), device=device, **OPTIONS)
    shard = write_shard(tmp_path / "often.jsonl", [{"text": texts[i]} for i in order])
    said = embed(tmp_path / "often", shard, device=device, progress="json", **OPTIONS).stderr
    end = json.loads(said.splitlines()[-1])
    assert (end["documents"], end["encoded"]) == (80, 60)
    for width in 32, 8:
        once, often = (Output(tmp_path / name).vectors(width) for name in ("once", "often"))
        assert same_bits(often, once[order])


def test_summary_says_how_many_rows_were_copied(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [{"text": "una"}, {"text": "dues"}, {"text": "una"}])
    embed(tmp_path / "out", shard).says("2 encoded, 1 equal to another of its block")
    shard = write_shard(tmp_path / "b.jsonl", [{"text": "una"}, {"text": "dues"}])
    assert "equal to" not in embed(tmp_path / "other", shard).stderr


def without_hashes(output: Output) -> None:
    """Makes of a run one that an older nina has begun: no hashes, neither in its settings nor in its records."""
    manifest = output.manifest()
    del manifest["settings"]["hashes"]
    (output.path / "manifest.json").write_text(json.dumps(manifest | {"state": "running"}))
    for path in output.parts("parts"):
        record = json.loads(path.read_text())
        record["files"] = [file for file in record["files"] if not file["path"].startswith("hashes/")]
        path.write_text(json.dumps(record))
    for path in output.parts("hashes"):
        path.unlink()
    (output.path / "hashes").rmdir()


def test_run_of_an_older_nina_goes_on_without_hashes(tmp_path: Path) -> None:
    shards = make_archive(tmp_path / "in", (90, 70))
    embed(tmp_path / "out", *shards, **OPTIONS)
    output = Output(tmp_path / "out")
    wanted = output.files("w*/*", "ids/*")
    without_hashes(output)
    output.parts("parts")[1].unlink()
    embed(output.path, *shards, **OPTIONS)
    assert output.files("w*/*", "ids/*") == wanted
    assert output.files("hashes/*") == {} and not output.manifest()["settings"]["hashes"]
    nina("verify", output.path)
    embed(output.path, *shards, overwrite=True, **OPTIONS)
    assert len(output.files("hashes/*")) == len(output.parts("parts"))


def test_verify_reads_the_hashes(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [{"text": text} for text in make_texts(60, 4)])
    embed(tmp_path / "out", shard, **OPTIONS)
    output = Output(tmp_path / "out")
    first, second = output.parts("hashes")
    content = first.read_bytes()
    first.write_bytes(content[:-40] + bytes([content[-40] ^ 1]) + content[-39:])
    assert "damaged    hashes/part-00000-00000.npy.zst" in nina("verify", output.path, status=FAILED).stdout
    # A whole file of other rows, with a record that says so.
    output.replace(first, second.read_bytes())
    said = nina("verify", output.path, status=FAILED).stdout
    assert "it holds 20 hashes of 16 bytes; its part's record says 40" in said


@pytest.mark.parametrize("precision", ["fp32", "bf16", *(["int8"] if has_int8() else [])])
@pytest.mark.parametrize("options", [{"batch_tokens": 64}, {"batch_tokens": 4096}, {"block_lines": 7}, {"threads": 3}, {"reverse": True}])
def test_row_does_not_depend_on_its_batch(tmp_path: Path, options: dict[str, Any], precision: str) -> None:
    texts = make_texts(300, 5, longest=40)
    model = GOLDEN / "bert-mean-v6"
    rows = {}
    for name, more in ("one", {}), ("other", options):
        order = texts[::-1] if more.get("reverse") else texts
        shard = write_shard(tmp_path / f"{name}.jsonl", [{"text": text} for text in order])
        more = {key: value for key, value in more.items() if key != "reverse"}
        embed(tmp_path / name, shard, model=model, device="cpu", precision=precision, **({"block_lines": 100, "threads": 1} | more))
        width = Output(tmp_path / name).manifest()["settings"]["widths"][0]
        rows[name] = dict(zip(order, (row.tobytes() for row in Output(tmp_path / name).vectors(width)), strict=True))
    assert rows["one"] == rows["other"]
