"""`nina diff OLD NEW` tells by document ids what was added, changed and removed."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from output import Output
from program import DONE, FAILED, GOLDEN, LONGEST_RUN, PROGRAM, REJECTS, USAGE, embed, environment, nina
from shards import make_texts, write_shard

OPTIONS: dict[str, Any] = {"widths": "8", "block_lines": 40, "id_field": "id", "keep_fields": "n"}
Document = dict[str, Any]


def documents(count: int, seed: int = 1) -> list[Document]:
    return [{"id": f"d{i}", "text": text, "n": i % 3} for i, text in enumerate(make_texts(count, seed))]


def snapshot(folder: Path, *shards: list[Document], **options: Any) -> Output:
    folder.mkdir()
    paths = [write_shard(folder / f"{i}.jsonl", shard) for i, shard in enumerate(shards)]
    embed(folder / "out", *paths, **(OPTIONS | options))
    return Output(folder / "out")


def diff(old: Output, new: Output) -> list[Document]:
    return [json.loads(line) for line in nina("diff", old.path, new.path).stdout.splitlines()]


def places(output: Output) -> dict[Any, tuple[str, int]]:
    """Part and row of each id, as diff names them."""
    found = {}
    for path, record in zip(output.parts("ids"), output.records(), strict=True):
        rows = [row for row in output.ids() if row["shard"] == record["shard"]]
        rows = [row for row in rows if record["first_line"] <= row["line"] < record["first_line"] + record["lines"]]
        found |= {row["id"]: (path.name.removesuffix(".jsonl.zst"), i) for i, row in enumerate(rows)}
    return found


@pytest.mark.sanitize
def test_each_change_is_told_once_with_its_place(tmp_path: Path) -> None:
    old = documents(200)
    today = list(old)
    today[5] = today[5] | {"text": "un altre text"}
    today[90] = today[90] | {"n": "nou"}
    del today[17], today[120]
    today[60:60] = [{"id": "à\"1", "text": "nova", "n": None}, {"id": 77, "text": "una altra"}]
    moved = today.pop(3)
    today.append(moved)
    one, two = snapshot(tmp_path / "old", old[:130], old[130:]), snapshot(tmp_path / "new", today[:50], today[50:])
    result = nina("diff", one.path, two.path)
    found = [json.loads(line) for line in result.stdout.splitlines()]
    ops = {"d5": "change", "d90": "change", 'à"1': "add", 77: "add", "d17": "remove", "d121": "remove"}
    assert {change["id"]: change["op"] for change in found} == ops and len(found) == 6
    assert all(list(change) == ["op", "id", "part", "row"] for change in found)
    for change in found:
        output = one if change["op"] == "remove" else two
        assert (change["part"], change["row"]) == places(output)[change["id"]]
    # New ones in the order of NEW, then those that are gone in the order of OLD.
    assert [change["id"] for change in found] == ["d5", 'à"1', 77, "d90", "d17", "d121"]
    result.says("2 added, 2 changed, 2 removed, 196 the same")


def test_the_same_archive_has_no_changes_however_it_lies(tmp_path: Path) -> None:
    old = documents(300)
    other = random.Random(1).sample(old, len(old))
    one = snapshot(tmp_path / "old", old)
    two = snapshot(tmp_path / "new", other[:111], other[111:], block_lines=17)
    result = nina("diff", one.path, two.path)
    assert result.stdout == ""
    result.says("0 added, 0 changed, 0 removed, 300 the same")
    assert nina("diff", "--quiet", one.path, two.path).stderr == ""


def test_an_archive_without_documents_is_one_end_of_a_diff(tmp_path: Path) -> None:
    full, empty = snapshot(tmp_path / "full", documents(3)), snapshot(tmp_path / "empty", [])
    assert [change["op"] for change in diff(empty, full)] == ["add"] * 3
    assert [change["op"] for change in diff(full, empty)] == ["remove"] * 3
    assert diff(empty, empty) == []


def test_changes_turn_the_old_archive_into_the_new_one(tmp_path: Path) -> None:
    rng = random.Random(2)
    old, more = documents(400), [document | {"id": f"m{i}"} for i, document in enumerate(documents(50, 2))]
    kept = [document if rng.random() < 0.9 else document | {"text": document["text"] + " més"} for document in old]
    today = rng.sample(kept, 350) + more
    rng.shuffle(today)
    one, two = snapshot(tmp_path / "old", old), snapshot(tmp_path / "new", today)
    stored = {document["id"]: document["text"] for document in old}
    new = {document["id"]: document["text"] for document in today}
    for change in diff(one, two):
        if change["op"] == "remove":
            del stored[change["id"]]
        else:
            assert (change["id"] in stored) == (change["op"] == "change")
            stored[change["id"]] = new[change["id"]]
    assert stored == new


def test_what_decides_rows_changes_every_document(tmp_path: Path) -> None:
    one = snapshot(tmp_path / "old", documents(30))
    two = snapshot(tmp_path / "new", documents(30), prompt="passage: ")
    assert {change["op"] for change in diff(one, two)} == {"change"} and len(diff(one, two)) == 30
    three = snapshot(tmp_path / "fields", documents(30), keep_fields=None)
    result = nina("diff", one.path, three.path)
    assert len(result.stdout.splitlines()) == 30
    result.says("other --keep-fields")
    few = [{key: value for key, value in document.items() if key != "n" or document["id"] == "d7"} for document in documents(30)]
    four, five = (snapshot(tmp_path / f"few-{kept}", few, keep_fields=kept) for kept in (None, "n"))
    assert [(change["op"], change["id"]) for change in diff(four, five)] == [("change", "d7")]


def test_texts_of_the_same_tokens_differ_if_texts_are_stored(tmp_path: Path) -> None:
    old = documents(30)
    today = list(old)
    today[7] = today[7] | {"text": today[7]["text"] + "  "}
    for name, options in ("without", {}), ("with", {"store_text": True}):
        one, two = (snapshot(tmp_path / f"{name}-{side}", rows, **options) for side, rows in (("old", old), ("new", today)))
        assert [(change["op"], change["id"]) for change in diff(one, two)] == ([("change", "d7")] if options else [])
    result = nina("diff", tmp_path / "without-old" / "out", two.path)
    assert len(result.stdout.splitlines()) == 30
    result.says("one of the two was made with --store-text")


def test_what_was_embedded_of_a_text_is_a_part_of_its_document(tmp_path: Path) -> None:
    """The tokens are the same, and the chunks after the first, or the cut, are at another place of the text."""
    text = "La plaça major.\n\n" + "el carrer de la festa del barri " * 20
    for name, options in ("cut", {"max_tokens": 16}), ("chunks", {"chunk_tokens": 16}):
        texts = text, text.replace(".\n\n", ".\n\n\n")
        one, two = (snapshot(tmp_path / f"{name}-{side}", [{"id": "d", "text": text}], **options) for side, text in enumerate(texts))
        assert [row.get("tokens") for row in one.ids()] == [row.get("tokens") for row in two.ids()]
        moved = [row.get("chunk", 0) for old, row in zip(one.ids(), two.ids(), strict=True) if old != row]
        assert moved and [change.get("chunk", 0) for change in diff(one, two)] == moved


def test_ids_that_stand_twice_are_named(tmp_path: Path) -> None:
    old = documents(60)
    repeated = [document | {"text": "un altre"} for document in old[20:35]]
    one, two = snapshot(tmp_path / "old", old), snapshot(tmp_path / "new", old, repeated)
    for pair in (one, two), (two, one):
        result = nina("diff", *(output.path for output in pair), status=FAILED)
        assert result.stdout == ""
        named = ", ".join(f'"d{i}"' for i in range(20, 30))
        assert f"{two.path}: ids must differ to tell what changed, but 15 rows have an id" in result.error
        assert result.error.endswith(f"{named}, …")
    three = snapshot(tmp_path / "once", old, repeated[:1])
    assert nina("diff", one.path, three.path, status=FAILED).error.endswith('but 1 row has an id that stands there before: "d20"')


def test_integers_and_strings_are_one_id(tmp_path: Path) -> None:
    one = snapshot(tmp_path / "old", [{"id": 7, "text": "a"}])
    two = snapshot(tmp_path / "new", [{"id": "7", "text": "b"}])
    assert diff(one, two) == [{"op": "change", "id": "7", "part": "part-00000-00000", "row": 0}]


def test_rejected_lines_and_ids_of_another_field_are_warned_of(tmp_path: Path) -> None:
    old = documents(50)
    one = snapshot(tmp_path / "old", old)
    shard = write_shard(tmp_path / "new.jsonl", [*old[:20], b"cut", *old[21:]])
    embed(tmp_path / "new", shard, status=REJECTS, **OPTIONS)
    result = nina("diff", one.path, tmp_path / "new")
    assert [change["op"] for change in map(json.loads, result.stdout.splitlines())] == ["remove"]
    result.says("warning: 1 line of ", "could not be embedded", "counts as removed")
    nina("diff", one.path, snapshot(tmp_path / "other", old, id_field=None).path).says("warning: ", "another --id-field")
    assert "warning" not in nina("diff", one.path, one.path).stderr
    error = nina("diff", "--quiet", one.path, tmp_path / "new").stderr
    assert "warning: 1 line of " in error and len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "phrase"),
    [({"model": GOLDEN / "bert-mean-v6"}, "were made with different models"), ({"widths": "16,8"}, "the widest vectors")],
    ids=["model", "width"],
)
def test_outputs_of_other_rows_are_refused(tmp_path: Path, options: dict[str, Any], phrase: str) -> None:
    one, two = snapshot(tmp_path / "old", documents(3)), snapshot(tmp_path / "new", documents(3), **options)
    assert phrase in nina("diff", one.path, two.path, status=USAGE).error


def test_output_that_lacks_something_is_refused(tmp_path: Path) -> None:
    one = snapshot(tmp_path / "old", documents(50))
    two = snapshot(tmp_path / "new", documents(50))
    manifest = two.manifest()
    (two.path / "manifest.json").write_text(json.dumps(manifest | {"state": "incomplete"}))
    assert "is not complete" in nina("diff", one.path, two.path, status=FAILED).error
    del manifest["settings"]["hashes"]
    (two.path / "manifest.json").write_text(json.dumps(manifest))
    assert "has no hashes" in nina("diff", one.path, two.path, status=FAILED).error
    one.parts("ids")[1].write_bytes(one.parts("ids")[0].read_bytes()[:60])
    error = nina("diff", one.path, one.path, status=FAILED).error
    assert "part-00000-00001" in error and "nina verify" in error


def test_nothing_stays_in_the_folder_for_sorting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = snapshot(tmp_path / "old", documents(50)), snapshot(tmp_path / "new", documents(60))
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    assert len(diff(one, two)) == 10
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_cannot_be_printed_is_a_failure(tmp_path: Path) -> None:
    one, two = snapshot(tmp_path / "old", documents(3)), snapshot(tmp_path / "new", documents(9))
    with open("/dev/full", "wb") as full:
        command = [PROGRAM, "diff", one.path, two.path]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=LONGEST_RUN)
    assert done.returncode == FAILED and b"not all could be written" in done.stderr


def test_diff_follows_a_reuse_run(tmp_path: Path) -> None:
    old = documents(100)
    one = snapshot(tmp_path / "old", old)
    two = snapshot(tmp_path / "new", old[:40] + old[41:] + [{"id": "z", "text": "nova"}], reuse=one.path)
    assert [(change["op"], change["id"]) for change in diff(one, two)] == [("add", "z"), ("remove", "d40")]
    assert nina("diff", one.path, two.path, status=DONE).stdout
