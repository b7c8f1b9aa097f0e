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
