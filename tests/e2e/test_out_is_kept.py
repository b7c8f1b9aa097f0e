"""A command that cannot do its work is refused before it changes OUT; and OUT is never its own run's input."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from output import Output
from program import USAGE, embed, nina
from shards import make_documents, write_shard
from test_eval import evaluate, small_set

Finished = tuple[Output, Path]


def everything(folder: Path) -> dict[str, bytes | str]:
    """Every entry in the folder; of a link, where it leads."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def finished(tmp_path: Path) -> Finished:
    """An output of two parts with texts and rejects, and the folder of its shards."""
    (tmp_path / "arch").mkdir()
    write_shard(tmp_path / "arch" / "a.jsonl", [*make_documents(30, 1), {"text": 7}])
    embed(tmp_path / "out", tmp_path / "arch", widths=8, block_lines=20, store_text=True, status=3)
    return Output(tmp_path / "out"), tmp_path / "arch"


def linked(folder: Path, name: str, target: Path) -> Path:
    (folder / name).symlink_to(target)
    return folder / name


INSIDE: dict[str, Callable[[Path, Path], Path]] = {
    "folder": lambda out, beside: out / "text",
    "file": lambda out, beside: out / "text" / "part-00000-00000.jsonl.zst",
    "rejects": lambda out, beside: out / "rejects" / "part-00000-00001.jsonl",
    "another spelling": lambda out, beside: beside / ".." / "out" / "." / "text",
    "link to the folder": lambda out, beside: linked(beside, "texts", out / "text"),
    "link to a file": lambda out, beside: linked(beside, "b.jsonl.zst", out / "text" / "part-00000-00001.jsonl.zst"),
    "folder with such a link": lambda out, beside: linked(beside, "b.jsonl.zst", out / "text/part-00000-00000.jsonl.zst").parent,
    "stranger's file": lambda out, beside: write_shard(out / "mine.jsonl", make_documents(3, 2)),
    "OUT": lambda out, beside: write_shard(out / "mine.jsonl", make_documents(3, 2)).parent,
}


@pytest.mark.sanitize
@pytest.mark.parametrize("case", INSIDE)
def test_input_that_lies_in_out_is_refused_and_out_stays_whole(finished: Finished, case: str) -> None:
    out, archive = finished
    given = INSIDE[case](out.path, archive)
    before = everything(out.path)
    for mode in ({"overwrite": True}, {"append": True}, {}, {"dry_run": True}):
        error = embed(out.path, given, widths=8, block_lines=20, status=USAGE, **mode).error
        assert f"lies in {out.path}, where the run writes" in error
        assert everything(out.path) == before


def test_out_given_by_a_link_is_the_same_out(finished: Finished) -> None:
    out, archive = finished
    before = everything(out.path)
    link = linked(archive.parent, "link", out.path)
    assert f"lies in {link}" in embed(link, out.path / "text", overwrite=True, status=USAGE).error
    assert everything(out.path) == before


def test_out_in_a_folder_of_inputs_is_passed_over(finished: Finished) -> None:
    _, archive = finished
    out = archive / "out.jsonl"
    embed(out, archive, widths=8, store_text=True, status=3)
    again = embed(out, archive, widths=8, store_text=True, status=3)
    again.says(f"1 other file or subfolder of the INPUTs is not read: {out}/", "already complete")
    assert len(Output(out).manifest()["shards"]) == 1


def test_reuse_of_a_folder_in_out_is_refused(finished: Finished) -> None:
    out, archive = finished
    embed(out.path / "w8" / "old", archive, widths=8, store_text=True, status=3)
    before = everything(out.path)
    refused = embed(out.path, archive, widths=8, overwrite=True, reuse=out.path / "w8" / "old", status=USAGE)
    assert f"--reuse {out.path}/w8/old lies in --out {out.path}" in refused.error
    assert everything(out.path) == before


@pytest.mark.parametrize("side", ["corpus", "queries"])
def test_evaluation_whose_set_lies_in_its_output_is_refused(tmp_path: Path, side: str) -> None:
    data = small_set(tmp_path / "set")
    evaluate(data, tmp_path / "out")
    stored = tmp_path / "out" / "queries" / "text" / "part-00000-00000.jsonl.zst"
    (data / f"{side}.jsonl").unlink()
    (data / f"{side}.jsonl.zst").symlink_to(stored)
    before = everything(tmp_path / "out")
    assert f"lies in {tmp_path}/out/queries" in evaluate(data, tmp_path / "out", "--overwrite", status=USAGE).error
    assert everything(tmp_path / "out") == before


def test_evaluation_may_stand_beside_its_set(tmp_path: Path) -> None:
    data = small_set(tmp_path / "set")
    evaluate(data, data)
    evaluate(data, data, "--overwrite")
    assert nina("verify", data / "corpus").status == 0


def test_evaluation_puts_no_file_among_stored_vectors(tmp_path: Path) -> None:
    data, out = small_set(tmp_path / "set"), tmp_path / "out"
    evaluate(data, out)
    before = everything(out)
    for place in "corpus", "queries/", "corpus/text", "corpus/new/deeper", "./queries/parts":
        refused = nina("eval", "--vectors", out, "--data", data, "--out", f"{out}/{place}", status=USAGE).error
        assert f"the results cannot stand in {out}/{place}, among the vectors" in refused
    assert "the results cannot stand in" in evaluate(data, out / "corpus", status=USAGE).error
    assert everything(out) == before
    for elsewhere in out, out / "results", tmp_path / "new" / "deeper/":
        nina("eval", "--vectors", out, "--data", data, "--out", elsewhere)
    for side in "corpus", "queries":
        nina("verify", out / side)


def test_path_that_is_not_utf8_is_refused_before_out_changes(finished: Finished) -> None:
    out, archive = finished
    before = everything(out.path)
    os.link(os.fsencode(archive / "a.jsonl"), os.fsencode(archive) + b"/b\xff.jsonl")
    for folder in out.path, out.path.parent / "fresh":
        for mode in ({"overwrite": True}, {"append": True}, {}, {"dry_run": True}):
            error = embed(folder, archive, widths=8, status=USAGE, **mode).error
            assert f"shard 1 ({archive}/b\\xff.jsonl): its path is not valid UTF-8: rename it" in error
    assert everything(out.path) == before and not (out.path.parent / "fresh").exists()


@pytest.mark.sanitize
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
@pytest.mark.parametrize("name", ["manifest.json", "report.json", "parts/part-00000-00001.json", "text/part-00000-00001.jsonl.zst"])
def test_overwrite_removes_nothing_if_it_cannot_replace_a_name(
    finished: Finished, name: str, make: Callable[[Path], None]
) -> None:
    out, archive = finished
    (out.path / name).unlink()
    make(out.path / name)
    before = everything(out.path)
    error = embed(out.path, archive, widths=16, overwrite=True, status=USAGE).error
    assert f"{out.path}/{name} is a" in error and "where a run has a file: move it away" in error
    assert everything(out.path) == before


@pytest.mark.parametrize("name", ["job.lock", "job.lock.seen"])
@pytest.mark.parametrize("target", ["nowhere", "arch/a.jsonl"])
def test_lock_that_is_a_link_is_refused_as_what_it_is(finished: Finished, name: str, target: str) -> None:
    out, archive = finished
    linked(out.path, name, archive.parent / target)
    content = (archive / "a.jsonl").read_bytes()
    for mode in ({"overwrite": True}, {}):
        error = embed(out.path, archive, widths=8, block_lines=20, store_text=True, status=USAGE, **mode).error
        assert f"{out.path}/{name} is a link" in error and "remove the link" in error
    assert (archive / "a.jsonl").read_bytes() == content and len(out.ids()) == 30


def test_out_that_is_a_link_to_nowhere_is_named(finished: Finished) -> None:
    _, archive = finished
    link = linked(archive.parent, "disk", archive.parent / "unmounted")
    for out in link, link / "deeper":
        error = embed(out, archive, status=USAGE).error
        assert f"{link} is a link to {archive.parent}/unmounted, which is not there: is its disk not mounted?" in error
    assert f"{link} is a link to" in evaluate(small_set(archive.parent / "set"), link, status=USAGE).error
    (archive.parent / "unmounted").mkdir()
    embed(link, archive, widths=8, status=3)


@pytest.mark.parametrize("name", ["manifest.json", "new.npy", "text/part-00000-00000.jsonl.zst", "text/new.npy"])
def test_cat_writes_no_file_into_the_output_that_it_reads(finished: Finished, name: str) -> None:
    out, archive = finished
    before = everything(out.path)
    for folder in out.path, archive / ".." / "out", linked(archive, "link", out.path):
        error = nina("cat", "--overwrite", "--out", folder / name, out.path, status=USAGE).error
        assert f"--out {folder}/{name} lies in {out.path}, where runs write and remove files" in error
    assert everything(out.path) == before
    nina("cat", "--out", archive / "vectors.npy", out.path)
