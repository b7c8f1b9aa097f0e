"""`--append`: a growing archive's new shards are embedded once, however its paths are spelled."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from output import Output
from program import FAILED, USAGE, Result, embed, nina
from shards import compress, lines_of, make_documents, write_shard

OPTIONS: dict[str, Any] = {"widths": 8, "block_lines": 20}


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Output:
    """The output of two shards, given by a relative path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "arch").mkdir()
    for name, seed in ("a", 1), ("b", 2):
        write_shard(tmp_path / "arch" / f"{name}.jsonl", make_documents(30, seed))
    embed(tmp_path / "out", "arch", **OPTIONS)
    return Output(tmp_path / "out")


def append(out: Output, *inputs: str | Path, **options: Any) -> Result:
    return embed(out.path, *inputs, append=True, **OPTIONS, **options)


def listed(out: Output) -> list[str]:
    return [shard["path"] for shard in out.manifest()["shards"]]


AB = ["arch/a.jsonl", "arch/b.jsonl"]


@pytest.mark.sanitize
@pytest.mark.parametrize("spelling", ["./arch", "arch/.", "arch/../arch", "{here}/arch", "link", "arch/b.jsonl", "hard"])
def test_shard_in_another_spelling_is_not_embedded_again(out: Output, tmp_path: Path, spelling: str) -> None:
    (tmp_path / "link").symlink_to("arch")
    (tmp_path / "hard").mkdir()
    os.link("arch/b.jsonl", "hard/other-name.jsonl")
    given = spelling.format(here=tmp_path)
    append(out, given).says("already complete")
    assert listed(out) == AB
    write_shard(tmp_path / "arch" / "0-sorts-first.jsonl", make_documents(25, 3))
    write_shard(tmp_path / "hard" / "0-sorts-first.jsonl", make_documents(25, 3))
    append(out, given)
    assert len(listed(out)) == (2 if given == "arch/b.jsonl" else 3) and listed(out)[:2] == AB
    assert len(out.ids()) == (60 if given == "arch/b.jsonl" else 85)


def test_changed_shard_in_another_spelling_is_refused(out: Output, tmp_path: Path) -> None:
    write_shard(tmp_path / "arch" / "a.jsonl", make_documents(31, 5))
    error = append(out, "./arch", status=USAGE).error
    assert "shard 0 (./arch/a.jsonl) has changed since this run began, when it was arch/a.jsonl: size" in error


def test_archive_is_known_from_another_working_directory(
    out: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the paths of the list lead to other files there."""
    write_shard(tmp_path / "arch" / "c.jsonl", make_documents(25, 3))
    (tmp_path / "elsewhere" / "arch").mkdir(parents=True)
    write_shard(tmp_path / "elsewhere" / "arch" / "a.jsonl", make_documents(7, 9))
    monkeypatch.chdir(tmp_path / "elsewhere")
    append(out, "../arch").says(
        "2 shards are at another path than before, and are not embedded again: "
        "../arch/a.jsonl has the content of arch/a.jsonl, which is there no more, …"
    )
    assert listed(out) == [f"../arch/{name}.jsonl" for name in "abc"] and len(out.ids()) == 85
    assert "another path" not in append(out, tmp_path / "arch").stderr and len(out.ids()) == 85


def test_moved_shard_is_not_embedded_again(out: Output) -> None:
    os.rename("arch", "moved")
    append(out, "moved").says("are not embedded again: moved/a.jsonl has the content of arch/a.jsonl", "already complete")
    assert listed(out) == ["moved/a.jsonl", "moved/b.jsonl"] and len(out.ids()) == 60
    told = append(out, "moved")
    told.says("already complete")
    assert "another path" not in told.stderr and out.manifest()["state"] == "complete"


def test_copy_beside_a_shard_is_embedded_with_one_warning(out: Output) -> None:
    shutil.copy("arch/a.jsonl", "arch/copy.jsonl")
    copied = "1 new shard has the content of one that is embedded already, and will be embedded too: "
    append(out, "./arch").says(f"warning: {copied}./arch/copy.jsonl has the content of arch/a.jsonl")
    assert listed(out) == [*AB, "./arch/copy.jsonl"] and len(out.ids()) == 90
    assert "warning" not in append(out, "arch").stderr and len(out.ids()) == 90


def test_equal_shards_of_one_command_are_all_embedded(out: Output, tmp_path: Path) -> None:
    shutil.copy("arch/a.jsonl", "arch/copy.jsonl")
    twins = Output(tmp_path / "twins")
    embed(twins.path, "arch", **OPTIONS)
    for empty in "x", "y":
        Path(f"arch/{empty}.jsonl").touch()
    for given in "arch", "./arch", tmp_path / "arch":
        assert "warning" not in append(twins, given).stderr
        assert len(listed(twins)) == 5 and len(twins.ids()) == 90


def test_new_shard_that_sorts_first_stays_at_the_end_of_the_list(out: Output, tmp_path: Path) -> None:
    write_shard(tmp_path / "arch" / "0.jsonl", make_documents(25, 3))
    assert "arch/0.jsonl is new; use --append" in embed(out.path, "arch", status=USAGE, **OPTIONS).error
    append(out, "arch")
    error = embed(out.path, "arch", status=USAGE, **OPTIONS).error
    assert "stand in another order: shard 0 was arch/a.jsonl, and is arch/0.jsonl now; use --append" in error
    append(out, "arch").says("already complete")
    os.remove("arch/b.jsonl")
    write_shard(tmp_path / "arch" / "1.jsonl", make_documents(25, 4))
    assert "arch/1.jsonl is new: shard 0 of the run" in embed(out.path, "arch", status=USAGE, **OPTIONS).error
    append(out, "arch")
    assert listed(out) == [*AB, "arch/0.jsonl", "arch/1.jsonl"] and len(out.ids()) == 110


def test_link_that_leads_to_a_new_shard_is_no_change_of_the_old_one(out: Output, tmp_path: Path) -> None:
    for day in 1, 2:
        write_shard(tmp_path / f"day{day}.jsonl", make_documents(10, 6 + day))
    link = tmp_path / "latest.jsonl"
    link.symlink_to("day1.jsonl")
    append(out, link.name)
    append(out, "day1.jsonl").says("already complete")
    link.unlink()
    link.symlink_to("day2.jsonl")
    append(out, "day2.jsonl")
    assert listed(out) == [*AB, "latest.jsonl", "day2.jsonl"] and len(out.ids()) == 80
    assert "shard 2 (latest.jsonl) has changed since" in append(out, link.name, status=USAGE).error


@pytest.mark.parametrize("end", ["stopped before its first part", "stopped", "damaged in its first block"])
def test_standard_input_that_was_not_read_whole_comes_before_new_shards(out: Output, end: str) -> None:
    """Each job has a standard input of its own: the new shards' job must not take it for the rest of the old one."""
    stream, more = lines_of(make_documents(100, 3, longest=200)), write_shard(Path("more.jsonl"), make_documents(25, 4))
    if end == "damaged in its first block":
        append(out, "-", stdin=compress(stream, ".zst")[:400], status=FAILED)
    else:
        append(out, "-", stdin=stream, fault="rename:20:EIO" if end == "stopped" else "rename:2+:EIO", threads=1, status=FAILED)
    before, shards = out.embedding(), listed(out)
    assert shards == [*AB, "-"] and any(record["shard"] == 2 for record in out.records()) == (end != "stopped before its first part")
    assert "has not read its standard input (shard 2) to the end" in append(out, more, status=USAGE).error
    assert out.embedding() == before and listed(out) == shards
    append(out, "-", stdin=stream)
    append(out, more)
    assert listed(out) == [*AB, "-", "more.jsonl"] and len(out.ids()) == 60 + 100 + 25
    nina("verify", out.path)


def test_standard_input_that_was_read_whole_stays_as_it_is(out: Output) -> None:
    append(out, "-", stdin=lines_of(make_documents(50, 3)))
    write_shard(Path("more.jsonl"), make_documents(25, 4))
    append(out, "more.jsonl")
    assert listed(out) == [*AB, "-", "more.jsonl"] and len(out.ids()) == 60 + 50 + 25
