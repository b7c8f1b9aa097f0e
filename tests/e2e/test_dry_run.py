"""`nina embed --dry-run`: its forecast of a run, compared with the real run."""

import json
import math
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from many import embed_many, needs_mpirun
from output import Output
from program import (
    DONE,
    FAILED,
    LONGEST_RUN,
    PROGRAM,
    REJECTS,
    USAGE,
    Argument,
    embed,
    embed_arguments,
    environment,
    stop,
)
from shards import make_archive, make_documents, write_shard


def dry_run(out: Path, *inputs: Argument, status: int = DONE, **options: Argument) -> dict[str, Any]:
    """The JSON that a dry run prints."""
    result = embed(out, *inputs, dry_run=True, progress="json", status=status, **options)
    (line,) = result.stdout.splitlines()
    found = json.loads(line)
    assert found["event"] == "dry_run"
    return found


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def quantile(lengths: list[int], share: float) -> int:
    return sorted(lengths)[max(math.ceil(share * len(lengths)), 1) - 1]


@pytest.mark.sanitize
@pytest.mark.threads
def test_dry_run_tells_what_the_run_then_comes_to(tmp_path: Path) -> None:
    shards, out = make_archive(tmp_path / "in", (700, 600, 500)), tmp_path / "out"
    write_shard(shards[0], [*make_documents(700, seed=0), "", "{}", {"text": 7}, "[]", "{}"])
    options = {"widths": "32,16,8", "max_tokens": 60, "block_lines": 100, "store_text": True, "zstd_level": 1}
    found = dry_run(out, *shards, status=REJECTS, **options)
    assert not out.exists()
    embed(out, *shards, status=REJECTS, **options)
    output = Output(out)
    totals, tokens = output.manifest()["totals"], [row["tokens"] for row in output.ids()]
    assert not found["sampled"] and found["text_bytes"] == found["text_bytes_read"]
    for name in ("tokens", "rejected", "blank", "truncated", "characters", "embedded"):
        assert found[name] == totals[name], name
    assert found["documents"] == totals["rows"] == 1800
    assert found["lengths"] == {name: quantile(tokens, float(name)) for name in ("0.5", "0.9", "0.99", "1")}
    assert found["rejects"] == [
        {"reason": 'no field "text"', "lines": 2, "path": str(shards[0]), "line": 702}
        | {"offset": output.rejects()[0]["offset"]},
        {"reason": 'field "text" is not a string', "lines": 1, "path": str(shards[0]), "line": 703}
        | {"offset": output.rejects()[1]["offset"]},
        {"reason": "not a JSON object", "lines": 1, "path": str(shards[0]), "line": 704}
        | {"offset": output.rejects()[2]["offset"]},
    ]
    texts = sum(path.stat().st_size for path in (out / "text").iterdir())
    assert 0.9 < found["store_text_bytes"] / texts <= 1
    assert 0.9 < found["out_bytes"] / totals["file_bytes"] < 1.1
    assert set(found["width_bytes"]) == {"32", "16", "8"}


@pytest.mark.sanitize
def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    """No new folder, no file in an existing run, no file of algorithms."""
    shards, out = make_archive(tmp_path / "in", (50, 40)), tmp_path / "out"
    tuning = tmp_path / "tuning.json"
    dry_run(out / "deeper", *shards, widths=8)
    assert not out.exists()
    embed(out, shards[0], widths=8)
    before = everything(tmp_path)
    for more in ({}, {"append": True}, {"overwrite": True}):
        result = embed(out, *shards, widths=8, dry_run=True, gemm_tuning=tuning, **more)
        assert "dry run: nothing was written" in result.stdout
        assert ("holds a run already" in result.stderr) == ("overwrite" not in more)
    assert everything(tmp_path) == before


def test_dry_run_says_what_a_run_would_be_refused_for(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(20, 1))
    embed(tmp_path / "out", shard, widths=8)
    for out, options in (("out", {"widths": 16}), ("out", {"device": "cpu"}), ("new", {"widths": 16, "reuse": tmp_path / "out"})):
        run = embed(tmp_path / out, shard, status=USAGE, **{"widths": 8} | options)
        dry = embed(tmp_path / out, shard, dry_run=True, **{"widths": 8} | options)
        assert f"nina: warning: a run would be refused: {run.error}\n" in dry.stderr and "dry run" in dry.stdout
    for out, options in (("out", {}), ("out", {"widths": 16, "overwrite": True}), ("new", {"reuse": tmp_path / "out"})):
        assert "refused" not in embed(tmp_path / out, shard, dry_run=True, **{"widths": 8} | options).stderr


def test_dry_run_for_people_fits_80_columns(tmp_path: Path) -> None:
    documents = [*make_documents(200, seed=3), *[{"text": "plaça " * 50}] * 20, *["{}"] * 1234]
    shard = write_shard(tmp_path / "a.jsonl", documents)
    options: dict[str, Argument] = {"dry_run": True, "widths": "32,16", "max_tokens": 64, "device": "cpu"}
    shown = embed(tmp_path / "o", shard, status=REJECTS, **options).stdout
    lines = shown.replace(str(tmp_path), "out").splitlines()
    assert lines[0] == "dry run: nothing was written"
    assert lines[1].startswith("  input       ") and lines[1].endswith(" of text, all of it read")
    assert lines[2].startswith("  documents   220 documents, ")
    assert lines[3].startswith("  lengths     half up to ") and lines[3].endswith(", longest 64")
    assert lines[4].startswith("  cut         ") and lines[4].endswith(" % of the text would be cut")
    assert lines[5:7] == ["  rejected    1,234 lines", '              1,234 × no field "text" (first: out/a.jsonl:221)']
    assert lines[7].startswith("  vectors     width 32    ") and lines[8].startswith("              width 16    ")
    assert lines[9].startswith("  all files   ") and lines[9].endswith(" are free")
    assert lines[10].startswith("  time        ") and lines[11].startswith("  encoder     cpu, ")
    assert lines[12].endswith(f" tokens/s, measured on {lines[12].split()[-1]}")
    assert lines[13].startswith("  reading     ") and len(lines) == 14
    assert max(map(len, lines)) <= 80


@pytest.mark.sanitize
@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_sample_comes_near_the_whole(tmp_path: Path, ending: str) -> None:
    """Long texts among short ones: a sample that prefers either kind would be wrong."""
    documents = make_documents(12_000, seed=5)
    for i in range(0, len(documents), 40):
        documents[i] = {"text": "reglament del consell de barri " * 200}
    shards = [write_shard(tmp_path / f"{i}{ending}", documents[i::3]) for i in range(3)]
    options = {"widths": 8, "max_tokens": 768}
    whole = dry_run(tmp_path / "out", *shards, **options)
    found = dry_run(tmp_path / "out", *shards, sample="20%", **options)
    assert found["sampled"] and 0.1 < found["text_bytes_read"] / whole["text_bytes"] < 0.3
    assert 0.8 < found["text_bytes"] / whole["text_bytes"] < 1.25
    for name in ("documents", "tokens", "truncated", "characters", "out_bytes"):
        assert 0.7 < found[name] / whole[name] < 1.4, name
    assert abs(found["lengths"]["0.5"] - whole["lengths"]["0.5"]) <= 0.1 * whole["lengths"]["0.5"]


def test_sample_of_plain_shards_is_spread_and_that_of_compressed_ones_their_beginning(tmp_path: Path) -> None:
    """The second half of the lines is rejected. A sample of places sees this; a sample of the beginning does not. The
    sample says what it saw."""
    lines = [*make_documents(8000, seed=6, longest=20), *['{"title":"no text, but as long as the others"}'] * 18_000]
    for ending in ("", ".zst"):
        shard = write_shard(tmp_path / f"a.jsonl{ending}", lines)
        shown = embed(tmp_path / "out", shard, dry_run=True, sample="10%", widths=8, status=(DONE, REJECTS)).stdout
        assert "a sample: " in shown and "what follows is scaled to the whole" in shown
        assert ("at the beginning of compressed shards" in shown) == (ending == ".zst")
        assert ('no field "text" (first: ' in shown) == (ending == "")
        if not ending:
            place = int(shown.split(f"(first: {shard}, byte ")[1].split(" ")[0])
            assert shard.read_bytes()[place:].startswith(b'{"title"')


def test_damaged_shard_cannot_be_sampled_if_it_is_all_there_is(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(b"\x1f\x8b not a member")
    error = embed(tmp_path / "out", tmp_path / "a.jsonl.gz", dry_run=True, sample="1%", widths=8, status=FAILED).error
    assert "there is nothing to sample" in error


def test_sample_of_few_bytes_is_all_of_them(tmp_path: Path) -> None:
    shards = make_archive(tmp_path / "in", (20, 30, 10))
    found = dry_run(tmp_path / "out", *shards, sample="1%", widths=8)
    assert not found["sampled"] and found["documents"] == 60


def test_dry_run_reads_standard_input(tmp_path: Path) -> None:
    stdin = b'{"text":"a"}\n' * 300 + b"{}\n"
    found = dry_run(tmp_path / "out", "-", stdin=stdin, widths=8, status=REJECTS)
    assert (found["documents"], found["rejected"]) == (300, 1)
    assert found["rejects"][0]["path"] == "standard input" and found["rejects"][0]["line"] == 301
    error = embed(tmp_path / "out", "-", stdin=stdin, dry_run=True, sample="1%", widths=8, status=USAGE).error
    assert error.startswith("- (standard input) can only be read from beginning to end")


def test_dry_run_of_nothing(tmp_path: Path) -> None:
    for content in (b"", b"\n\n"):
        (tmp_path / "a.jsonl").write_bytes(content)
        found = dry_run(tmp_path / "out", tmp_path / "a.jsonl", widths=8)
        assert (found["documents"], found["seconds"], found["lengths"]["1"]) == (0, 0, 0)
        assert dry_run(tmp_path / "out", tmp_path / "a.jsonl", sample="1%", widths=8)["documents"] == 0


@needs_mpirun
def test_dry_run_is_for_one_process(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(30, seed=1))
    result = embed_many(tmp_path / "out", shard, ranks=2, dry_run=True, widths=8, status=USAGE)
    result.says("--dry-run reads the input in one process: start it without mpirun")


def test_dry_run_measures_the_encoder_that_would_be_used(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(300, seed=9))
    found = dry_run(tmp_path / "out", shard, device="cpu", precision="fp32", threads=2, widths=8)
    assert found["encoder"].startswith("cpu, fp32") and found["encoder_tokens_per_second"] > 0
    slower = dry_run(tmp_path / "out", shard, null_rate=10_000, threads=1, batch_tokens=500, widths=8)
    assert slower["encoder_tokens_per_second"] < 10_500
    assert slower["seconds"] >= slower["tokens"] / 10_500


def test_damaged_shard_fails_a_dry_run_as_it_would_the_run(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl.gz", make_documents(3000, seed=2))
    shard.write_bytes(shard.read_bytes()[:-2000])
    found = embed(tmp_path / "out", shard, dry_run=True, widths=8, status=FAILED)
    found.says("is damaged after line", "the file is truncated")
    assert "documents   " in found.stdout


def test_dry_run_begins_no_more_than_a_run_whose_first_lines_are_all_rejected(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", ["{}"] * 1500)
    embed(tmp_path / "out", shard, dry_run=True, widths=8, status=USAGE).says("are all rejected")
    found = dry_run(tmp_path / "out", shard, widths=8, allow_rejects=True, status=REJECTS)
    assert found["rejected"] == 1500 and found["documents"] == 0


def test_dry_run_says_if_out_will_not_fit(tmp_path: Path) -> None:
    """Most of the shard is a hole; a sample this small is one place at the beginning."""
    shard = write_shard(tmp_path / "a.jsonl", make_documents(2000, seed=1))
    try:
        os.truncate(shard, 1 << 42)
    except OSError:
        pytest.skip("this file system has no files of 4 TiB")
    options: dict[str, Argument] = {"dry_run": True, "sample": "0.0000001%", "widths": "32,16"}
    shown = embed(tmp_path / "out", shard, **options).stdout
    assert f" TiB: too much for {tmp_path}/out, where " in shown and ", at 1 place\n" in shown


@pytest.mark.parametrize("share", ["0%", "1", "101%", "-1%", "%", "1.%", "x%", "1%%", "0.000%"])
def test_share_is_a_percentage(tmp_path: Path, share: str) -> None:
    result = embed(tmp_path / "out", "x.jsonl", dry_run=True, status=USAGE, sample=share)
    assert result.error == f'sample: "{share}" is not a share above 0% and up to 100%, as 1% or 0.5%'


def test_sample_is_for_dry_runs(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(3, seed=1))
    assert embed(tmp_path / "out", shard, sample="1%", status=USAGE).error.startswith("--sample is for --dry-run")
    (tmp_path / "run.ini").write_text("dry-run = true\nsample = 100%\n")
    assert dry_run(tmp_path / "out", shard, config=tmp_path / "run.ini", widths=8)["documents"] == 3


def test_dry_run_is_stopped_by_a_signal(tmp_path: Path) -> None:
    arguments = embed_arguments(tmp_path / "out", "-", dry_run=True, widths=8, progress="json")
    pipe = subprocess.PIPE
    process = subprocess.Popen([str(PROGRAM), *arguments], stdin=pipe, stdout=pipe, stderr=pipe, env=environment())
    assert process.stdin and process.stderr
    process.stdin.write(b'{"text":"a"}\n' * 100)
    process.stdin.flush()
    end = time.monotonic() + LONGEST_RUN
    while b'"progress"' not in process.stderr.readline() and time.monotonic() < end:
        pass
    result = stop(process, signal.SIGINT, 128 + signal.SIGINT)
    assert result.error == "stopped; nothing was written" and result.stdout == ""
