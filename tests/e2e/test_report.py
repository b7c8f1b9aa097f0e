"""OUT/report.json: what a run came to, true after any stop, and no part of what a run promises."""

import json
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from many import Ranks, embed_many, needs_mpirun
from output import Output
from program import ANY, DONE, FAILED, REJECTS, USAGE, embed, nina, start_embed, stop, wait_for_parts
from shards import lines_of, make_archive, make_documents, write_shard

OPTIONS: dict[str, Any] = {"widths": "16,8", "block_lines": 20, "threads": 2}


def report_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "report.json").read_text())


def lengths(report: dict[str, Any]) -> list[tuple[int, int, int]]:
    return [tuple(entry) for entry in report["lengths"]["rows"]]


def check_truth(output: Output) -> dict[str, Any]:
    """Everything in the report that is about OUT, from OUT's files alone."""
    report, manifest, records = report_of(output.path), output.manifest(), output.records()
    assert report["state"] == manifest["state"] and report["totals"] == manifest["totals"]
    assert [entry["width"] for entry in report["widths"]] == manifest["settings"]["widths"]
    for entry in report["widths"]:
        width, files = entry["width"], output.parts(f"w{entry['width']}")
        assert entry["file_bytes"] == sum(path.stat().st_size for path in files)
        assert entry["bytes"] == 2 * width * manifest["totals"]["rows"]
    for folder, size in report["folders"].items():
        assert size == sum(path.stat().st_size for path in output.parts(folder))
    tokens = [row["tokens"] for row in output.ids()]
    assert [count for *_, count in lengths(report)] == [
        sum(least <= number <= most for number in tokens) for least, most, _ in lengths(report)
    ]
    assert sum(count for *_, count in lengths(report)) == len(tokens)
    assert all(sum(record["lengths"]) == record["rows"] for record in records)
    reasons = {entry["reason"]: entry["lines"] for entry in report["rejects"]}
    rejects = output.rejects()
    assert sum(reasons.values()) == len(rejects)
    for entry in report["rejects"]:
        assert any(
            all(entry[key] == reject[key] for key in ("reason", "path", "line")) for reject in rejects
        )
    return report


@pytest.mark.sanitize
def test_report_is_what_the_files_say(tmp_path: Path) -> None:
    shards = make_archive(tmp_path / "in", (70, 0, 45))
    shards.append(write_shard(tmp_path / "in/z.jsonl", ["x", '{"text": 3}', "[]", *make_documents(3, 9), "y"]))
    embed(tmp_path / "out", *shards, status=REJECTS, store_text=True, **OPTIONS)
    report = check_truth(Output(tmp_path / "out"))
    (run,) = report["runs"]
    assert run["end"] == "complete" and run["documents"] == run["encoded"] == 118 and run["rejected"] == 4
    assert run["tokens"] == report["totals"]["tokens"] == run["encoded_tokens"] <= run["padded_tokens"]
    assert run["throughput"]["tokens"][-1] == run["tokens"] and run["throughput"]["rows"][-1] == 118
    assert [rank["tokens"] for rank in run["ranks"]] == [run["tokens"]]
    assert list(run["stages"]) == ["reader", "tokenizers", "encoder", "committers"]
    assert all(worked >= 0 and waited >= 0 for worked, waited in run["stages"].values())
    age = datetime.now(UTC) - datetime.fromisoformat(run["started"])
    assert 0 <= age.total_seconds() < 3600
    assert nina("verify", tmp_path / "out").status == DONE


def test_a_resume_an_append_and_a_killed_run_leave_no_gap(tmp_path: Path) -> None:
    shards = make_archive(tmp_path / "in", (400, 300))
    out = Output(tmp_path / "out")
    with start_embed(out.path, *shards, fault="write:60+:wait", **OPTIONS) as process:
        wait_for_parts(out.path, 3, process)
        stop(process, signal.SIGKILL, -9)
    assert not (out.path / "report.json").exists()
    release = tmp_path / "release"
    with start_embed(out.path, *shards, null_rate=4000, fault="write:100+:wait", release=release, **OPTIONS) as process:
        wait_for_parts(out.path, 9, process)
        stop(process, signal.SIGTERM, 143, release)
    first = check_truth(out)
    assert [run["end"] for run in first["runs"]] == ["stopped"]
    embed(out.path, *shards, **OPTIONS)
    shards.append(write_shard(tmp_path / "in/new.jsonl", make_documents(30, 7)))
    embed(out.path, *shards, append=True, **OPTIONS)
    last = check_truth(out)
    assert last["runs"][0] == first["runs"][0] and last["runs"][-1]["rows"] == 30
    assert sum(run["rows"] for run in last["runs"]) < last["totals"]["rows"] == 730


@pytest.mark.parametrize("site", ["write", "sync", "rename", "remove"])
def test_a_kill_at_any_call_leaves_a_report_that_is_true_or_none(tmp_path: Path, site: str) -> None:
    """Of a first run, and of one that begins anew in an output with other settings."""
    shard = write_shard(tmp_path / "a.jsonl", [*make_documents(5, 1), "no document"])
    for overwrite in False, True:
        for number in range(1, 80):
            out = Output(tmp_path / f"{site}-{overwrite}-{number}")
            if overwrite:
                embed(out.path, shard, status=REJECTS, **OPTIONS | {"widths": "8"})
            fault, ends = f"{site}:{number}:kill", (-signal.SIGKILL, REJECTS)
            result = embed(out.path, shard, fault=fault, overwrite=overwrite, status=ends, **OPTIONS)
            if (out.path / "report.json").exists():
                if (out.path / "manifest.json").exists() and out.manifest()["state"] == "complete":
                    check_truth(out)
                else:
                    assert overwrite and report_of(out.path)["widths"][0]["width"] == 8
            if result.status == REJECTS:
                break
            embed(out.path, shard, overwrite=overwrite, status=REJECTS, **OPTIONS)
            assert len(check_truth(out)["runs"]) <= 1
            nina("verify", out.path)
        assert result.status == REJECTS and (number > 1 or (site, overwrite) == ("remove", False))


def test_verify_holds_the_lengths_of_a_record_against_its_rows(tmp_path: Path) -> None:
    embed(tmp_path / "out", write_shard(tmp_path / "a.jsonl", make_documents(9, 1)), **OPTIONS)
    (record_path,) = (tmp_path / "out/parts").iterdir()
    record = json.loads(record_path.read_text())
    last = len(record["lengths"]) - 1
    wrong = record["lengths"][:last] + [0, record["lengths"][last]]
    record_path.write_text(json.dumps(record | {"lengths": wrong}))
    said = nina("verify", tmp_path / "out", status=FAILED)
    assert "rows in the class of lengths up to" in said.stdout and "its part's record says 0" in said.stdout
    del record["lengths"]  # an older version's
    record_path.write_text(json.dumps(record))
    nina("verify", tmp_path / "out")


@needs_mpirun
def test_ranks_add_up_to_the_run(tmp_path: Path) -> None:
    shards = make_archive(tmp_path / "in", (70, 0, 45, 80))
    embed_many(tmp_path / "out", *shards, ranks=3, **OPTIONS | {"threads": 1})
    (run,) = check_truth(Output(tmp_path / "out"))["runs"]
    assert [rank["rank"] for rank in run["ranks"]] == [0, 1, 2] and run["ranks_in_all"] == 3
    for key in "documents", "rows", "tokens", "encoded", "encoded_tokens":
        assert sum(rank[key] for rank in run["ranks"]) == run[key] > 0
    for stage, times in run["stages"].items():
        assert sum(rank["stages"][stage][0] for rank in run["ranks"]) == pytest.approx(times[0], abs=0.01)
    assert run["throughput"]["rows"][-1] == run["rows"] == 195
    assert run["tokens"] <= run["batches"] * run["batch_tokens"]


@needs_mpirun
def test_a_rank_that_failed_is_told(tmp_path: Path) -> None:
    shards = make_archive(tmp_path / "in", (60, 60))
    groups = [Ranks(1), Ranks(1, fault="write:1+:ENOSPC")]
    embed_many(tmp_path / "out", *shards, ranks=groups, status=ANY, **OPTIONS | {"threads": 1})
    report = check_truth(Output(tmp_path / "out"))
    (run,) = report["runs"]
    assert run["end"] == ("complete" if report["state"] == "complete" else "failed")
    assert len(run["ranks"]) == run["ranks_in_all"] == 2


def test_a_run_that_meets_another_input_is_told(tmp_path: Path) -> None:
    """It may have committed blocks of other shards before, and OUT is still its own."""
    lines, output = lines_of(make_documents(100, 1)), Output(tmp_path / "out")
    embed(output.path, "-", stdin=lines, fault="rename:12:EIO", status=FAILED, **OPTIONS)
    refused = embed(output.path, "-", stdin=lines[:500], status=USAGE, **OPTIONS)
    runs = check_truth(output)["runs"]
    assert [run["end"] for run in runs] == ["failed", "failed"] and runs[1]["error"] == refused.error


def test_runs_that_change_nothing_leave_the_report_alone(tmp_path: Path) -> None:
    (shard,) = make_archive(tmp_path / "in", (50,))
    embed(tmp_path / "out", shard, **OPTIONS)
    before = (tmp_path / "out/report.json").read_bytes()
    embed(tmp_path / "out", shard, **OPTIONS)
    assert (tmp_path / "out/report.json").read_bytes() == before
    (tmp_path / "out/report.json").write_text("{")
    assert nina("verify", tmp_path / "out").status == DONE
    embed(tmp_path / "out", shard, **OPTIONS)
    assert check_truth(Output(tmp_path / "out"))["runs"] == []
    embed(tmp_path / "out", shard, overwrite=True, **OPTIONS)
    assert len(check_truth(Output(tmp_path / "out"))["runs"]) == 1


def test_only_the_latest_runs_are_kept(tmp_path: Path) -> None:
    shards = make_archive(tmp_path / "in", (5,))
    embed(tmp_path / "out", *shards, **OPTIONS)
    path = tmp_path / "out/report.json"
    report = report_of(tmp_path / "out")
    path.write_text(json.dumps(report | {"runs": [report["runs"][0] | {"rank": i} for i in range(70)]}))
    shards.append(write_shard(tmp_path / "in/new.jsonl", make_documents(3, 7)))
    embed(tmp_path / "out", *shards, append=True, **OPTIONS)
    runs = report_of(tmp_path / "out")["runs"]
    assert [run.get("rank") for run in runs] == [*range(21, 70), None]


def test_reused_rows_are_counted(tmp_path: Path) -> None:
    shards = make_archive(tmp_path / "in", (90,))
    embed(tmp_path / "old", *shards, **OPTIONS)
    embed(tmp_path / "new", *shards, reuse=tmp_path / "old", **OPTIONS)
    (run,) = check_truth(Output(tmp_path / "new"))["runs"]
    assert run["reused"] == 90 and run["encoded"] == run["batches"] == run["padded_tokens"] == 0


def test_report_that_cannot_be_written_fails_no_run(tmp_path: Path) -> None:
    (shard,) = make_archive(tmp_path / "in", (3,))
    straight = tmp_path / "straight"
    embed(straight, shard, **OPTIONS)
    told = 0
    for number in range(1, 60):
        out = tmp_path / f"out{number}"
        result = embed(out, shard, fault=f"write:{number}:ENOSPC", status=ANY, **OPTIONS)
        if result.status != DONE:
            assert result.status == FAILED
            continue
        assert Output(out).embedding() == Output(straight).embedding()
        if (out / "report.json").exists():
            break
        result.says("warning: no report of this run: cannot write ", "report.json: No space left on device")
        told += 1
    assert told == 1


def test_other_programs_reports_are_not_removed(tmp_path: Path) -> None:
    (shard,) = make_archive(tmp_path / "in", (3,))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/report.json").write_text('{"results": []}')
    for overwrite in False, True:
        error = embed(tmp_path / "out", shard, overwrite=overwrite, status=2, **OPTIONS).error
        assert "holds report.json" in error
    assert (tmp_path / "out/report.json").read_text() == '{"results": []}'
