"""`--reuse OLD`: tomorrow's archive costs its new texts, and has the bytes of a run from nothing."""

import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from many import Ranks, embed_many, needs_mpirun
from models import copy_model, set_number
from output import Output, frame_texts, seekable
from program import DONE, FAILED, GOLDEN, MODEL, USAGE, embed, nina, start_embed, stop, wait_for_parts
from shards import lines_of, make_texts, write_shard

ROWS = 2000
OPTIONS: dict[str, Any] = {"widths": "32,8", "block_lines": 100, "id_field": "id", "keep_fields": "n"}
Document = dict[str, Any]
KILLED = (137, -signal.SIGKILL)


def documents() -> list[Document]:
    return [{"id": i, "text": text, "n": i % 7} for i, text in enumerate(make_texts(ROWS, 1))]


def write(folder: Path, *shards: list[Document]) -> list[Path]:
    folder.mkdir()
    return [write_shard(folder / f"{i}.jsonl", shard) for i, shard in enumerate(shards)]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Yesterday's archive, by encoder."""
    folder = tmp_path_factory.mktemp("old")
    shards = write(folder / "in", documents()[:1100], documents()[1100:])
    for device in "null", "cpu":
        embed(folder / device, *shards, device=device, **OPTIONS)
    return {device: folder / device for device in ("null", "cpu")}


def everything(path: Path) -> dict[str, bytes]:
    """All but the report, which tells of a run's time."""
    files = Output(path).files("*", "*/*")
    assert files.pop("report.json", b"{")[:1] == b"{"
    return files


def end_of(said: str) -> dict[str, Any]:
    return json.loads(said.splitlines()[-1])


def unchanged(some: list[Document]) -> list[Document]:
    return some


def changed(some: list[Document]) -> list[Document]:
    return [document | {"text": "nou " + document["text"]} if i % 100 == 7 else document for i, document in enumerate(some)]


def removed(some: list[Document]) -> list[Document]:
    return [document for i, document in enumerate(some) if i % 100 != 7]


def added(some: list[Document]) -> list[Document]:
    new = [{"id": 10_000 + i, "text": text, "n": 0} for i, text in enumerate(make_texts(ROWS // 100, 2))]
    return some[:300] + new[:7] + some[300:] + new[7:]


def moved(some: list[Document]) -> list[Document]:
    gone = [i for i in range(len(some)) if i % 100 == 7]
    return [some[i] for i in gone] + [document for i, document in enumerate(some) if i % 100 != 7]


def shuffled(some: list[Document]) -> list[Document]:
    return random.Random(1).sample(some, len(some))


@pytest.mark.parametrize("device", ["null", "cpu"])
@pytest.mark.parametrize("change", [unchanged, changed, removed, added, moved, shuffled])
def test_bytes_are_those_of_a_run_from_nothing(
    tmp_path: Path, old: dict[str, Path], device: str, change: Callable[[list[Document]], list[Document]]
) -> None:
    today = change(documents())
    shards = write(tmp_path / "in", today[:700], today[700:])
    embed(tmp_path / "whole", *shards, device=device, **OPTIONS)
    result = embed(tmp_path / "new", *shards, device=device, reuse=old[device], progress="json", **OPTIONS)
    assert everything(tmp_path / "new") == everything(tmp_path / "whole")
    end = end_of(result.stderr)
    new = {document["text"] for document in today} - {document["text"] for document in documents()}
    assert (end["encoded"], end["reused"]) == (len(new), len(today) - len(new))
    assert end["encoded"] <= 0.012 * len(today)
    nina("verify", tmp_path / "new")


@pytest.mark.sanitize
@pytest.mark.threads
def test_summary_says_what_was_reused(tmp_path: Path, old: dict[str, Path]) -> None:
    shards = write(tmp_path / "in", changed(documents()))
    result = embed(tmp_path / "new", *shards, reuse=old["null"], threads=3, **OPTIONS)
    result.says("--reuse: 2000 different rows in 20 parts can be copied; indexed in ")
    result.says("20 encoded, 1,980 reused (about ")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(
        ["w32", "w8", "ids", "hashes", "fields", "rejects", "parts", "manifest.json", "report.json"]
    )


def test_rows_come_from_several_runs(tmp_path: Path, old: dict[str, Path]) -> None:
    more = added(documents())
    parts = write(tmp_path / "more", more[300:307], more[-13:])
    embed(tmp_path / "second", *parts, **OPTIONS)
    shards = write(tmp_path / "in", more)
    embed(tmp_path / "whole", *shards, **OPTIONS)
    arguments = ["--reuse", old["null"], "--reuse", tmp_path / "second"]
    options = ["--widths", "32,8", "--block-lines", 100, "--id-field", "id", "--keep-fields", "n", "--device", "null"]
    result = nina("embed", "--model", GOLDEN / "xlmr-cls-v3", "--out", tmp_path / "new", *options, *arguments, *shards)
    assert everything(tmp_path / "new") == everything(tmp_path / "whole")
    result.says("0 encoded, 2,020 reused")


def test_narrower_widths_and_batches_may_differ(tmp_path: Path, old: dict[str, Path]) -> None:
    shards = write(tmp_path / "in", documents())
    options = OPTIONS | {"widths": "32,24,16,4", "batch_tokens": 96, "block_lines": 64, "device": "cpu"}
    embed(tmp_path / "whole", *shards, **options)
    embed(tmp_path / "new", *shards, reuse=old["cpu"], **options).says("0 encoded, 2,000 reused")
    assert everything(tmp_path / "new") == everything(tmp_path / "whole")


@pytest.mark.parametrize(
    ("options", "phrases"),
    [
        ({"widths": "16,8"}, ["widest vectors have 32 numbers, and this run's 16", "--widths"]),
        ({"widths": "64"}, ["widest vectors have 32 numbers, and this run's 64"]),
        ({"device": "null"}, ["computed in another way", 'compute_class.encoder: "cpu" there, "null" now']),
        ({"model": GOLDEN / "bert-mean-v6"}, ["of another model", "xlmr-cls-v3", 'type: "xlm-roberta" there, "bert" now']),
    ],
    ids=["narrower", "wider", "class", "model"],
)
def test_rows_that_would_differ_are_refused_by_name(
    tmp_path: Path, old: dict[str, Path], options: dict[str, Any], phrases: list[str]
) -> None:
    shards = write(tmp_path / "in", documents()[:10])
    embed(tmp_path / "new", *shards, **OPTIONS)
    before = everything(tmp_path / "new")
    error = embed(
        tmp_path / "new", *shards, reuse=old["cpu"], overwrite=True, status=USAGE, **({"device": "cpu"} | OPTIONS | options)
    ).error
    assert error.startswith(f"--reuse {old['cpu']}: ")
    assert all(phrase in error for phrase in phrases), error
    assert everything(tmp_path / "new") == before


def test_out_itself_is_refused_before_anything_is_removed(tmp_path: Path) -> None:
    shards = write(tmp_path / "in", documents()[:10])
    embed(tmp_path / "out", *shards, **OPTIONS)
    (tmp_path / "link").symlink_to("out")
    before = everything(tmp_path / "out")
    for other in tmp_path / "out", tmp_path / "link", tmp_path / "in" / ".." / "out":
        for more in {}, {"overwrite": True}:
            error = embed(tmp_path / "out", *shards, reuse=other, status=USAGE, **OPTIONS, **more).error
            assert "is --out itself" in error
    assert everything(tmp_path / "out") == before


def test_what_is_no_run_or_has_no_hashes_gets_a_sentence(tmp_path: Path, old: dict[str, Path]) -> None:
    shards = write(tmp_path / "in", documents()[:10])
    assert "there is no folder" in embed(tmp_path / "new", *shards, reuse=tmp_path / "none", status=USAGE, **OPTIONS).error
    assert "not the output of a run" in embed(tmp_path / "new", *shards, reuse=tmp_path / "in", status=FAILED, **OPTIONS).error
    shutil.copytree(old["null"], tmp_path / "older")
    manifest = Output(tmp_path / "older").manifest()
    del manifest["settings"]["hashes"]
    (tmp_path / "older" / "manifest.json").write_text(json.dumps(manifest))
    error = embed(tmp_path / "new", *shards, reuse=tmp_path / "older", status=FAILED, **OPTIONS).error
    assert "has no hashes of its rows" in error
    assert not (tmp_path / "new").exists()


def test_run_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    shards = write(tmp_path / "in", documents())
    job = start_embed(tmp_path / "old", *shards, threads=1, fault="write:40+:wait", **OPTIONS)
    wait_for_parts(tmp_path / "old", 1, job)
    error = embed(tmp_path / "new", *shards, reuse=tmp_path / "old", status=USAGE, **OPTIONS).error
    assert f"process {job.pid} on this host, is writing to {tmp_path / 'old'}: wait until it ends" in error
    # Killed: what it committed serves.
    stop(job, signal.SIGKILL, KILLED)
    done = sum(record["rows"] for record in Output(tmp_path / "old").records())
    embed(tmp_path / "whole", *shards, **OPTIONS)
    result = embed(tmp_path / "new", *shards, reuse=tmp_path / "old", progress="json", **OPTIONS)
    assert everything(tmp_path / "new") == everything(tmp_path / "whole")
    assert 0 < done < ROWS and end_of(result.stderr)["reused"] == done


def reuse_while(change: Callable[[], None], folder: Path, lines: bytes, **options: Any) -> str:
    """Embeds `lines` into folder/new with the rows of folder/old. `change` is called when half of the lines are given and a part is
    committed. Returns what the job said."""
    job = start_embed(folder / "new", "-", reuse=folder / "old", stdin=subprocess.PIPE, **options)
    assert job.stdin and job.stderr
    first = lines.index(b"\n", len(lines) // 2) + 1
    job.stdin.write(lines[:first])
    job.stdin.flush()
    wait_for_parts(folder / "new", 1, job)
    change()
    job.stdin.write(lines[first:])
    said = job.communicate()[1].decode()
    assert job.returncode == DONE, said
    return said


@pytest.mark.sanitize
def test_rows_of_another_model_that_takes_the_place_of_the_old_run_are_not_copied(tmp_path: Path) -> None:
    texts = documents()[:200]
    lines = lines_of(texts)
    shard = write(tmp_path / "in", texts)[0]
    options = OPTIONS | {"block_lines": 20, "device": "cpu"}
    other = copy_model(tmp_path / "model", MODEL)
    set_number("roberta.embeddings.LayerNorm.weight", 0, 2.0)(other)
    embed(tmp_path / "whole", "-", stdin=lines, **options)
    embed(tmp_path / "old", shard, **options)
    embed(tmp_path / "other", shard, model=other, **options)

    def exchange() -> None:
        (tmp_path / "old").rename(tmp_path / "gone")
        (tmp_path / "other").rename(tmp_path / "old")

    said = reuse_while(exchange, tmp_path, lines, **options)
    assert f"{tmp_path / 'old'}/w32/part-00000-000" in said and "has changed since this run began" in said
    assert everything(tmp_path / "new") == everything(tmp_path / "whole")


def test_rows_whose_hashes_are_others_now_are_not_copied(tmp_path: Path) -> None:
    """Each row's hash is read again beside its vector: the index may be older than the files."""
    texts = documents()[:200]
    lines = lines_of(texts)
    options = OPTIONS | {"block_lines": 20}
    shard = write(tmp_path / "in", texts)[0]
    embed(tmp_path / "whole", "-", stdin=lines, **options)
    embed(tmp_path / "old", shard, **options)

    def exchange() -> None:
        paths = Output(tmp_path / "old").parts("hashes")
        contents = [path.read_bytes() for path in paths]
        for path, content in zip(paths, contents[1:] + contents[:1], strict=True):
            path.write_bytes(content)

    said = reuse_while(exchange, tmp_path, lines, **options)
    assert f"{tmp_path / 'old'} has changed since this run began" in said, said
    assert everything(tmp_path / "new") == everything(tmp_path / "whole")


def harm_nothing(out: Path) -> None:
    pass


def lose_vectors(out: Path) -> None:
    Output(out).parts("w32")[3].unlink()


def cut_vectors(out: Path) -> None:
    path = Output(out).parts("w32")[3]
    path.write_bytes(path.read_bytes()[:-9])


def damage_vectors(out: Path) -> None:
    path = Output(out).parts("w32")[3]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def damage_hashes(out: Path) -> None:
    path = Output(out).parts("hashes")[3]
    path.write_bytes(bytes(path.stat().st_size))


def tear_record(out: Path) -> None:
    Output(out).parts("parts")[3].write_text("{")


def spoil_rows(out: Path) -> None:
    """Whole files with a row that is not finite, and a record that agrees."""
    path = Output(out).parts("w32")[3]
    header, *frames = frame_texts(path.read_bytes())
    frames[0] = frames[0][: 50 * 64] + b"\xff\x7f" + frames[0][50 * 64 + 2 :]
    Output(out).replace(path, seekable([header, *frames]))


@pytest.mark.parametrize("harm", [harm_nothing, lose_vectors, cut_vectors, damage_vectors, damage_hashes, spoil_rows, tear_record])
def test_rows_that_cannot_be_copied_are_encoded(tmp_path: Path, old: dict[str, Path], harm: Callable[[Path], None]) -> None:
    shutil.copytree(old["null"], tmp_path / "old")
    harm(tmp_path / "old")
    shards = write(tmp_path / "in", documents())
    embed(tmp_path / "whole", *shards, **OPTIONS)
    result = embed(tmp_path / "new", *shards, reuse=tmp_path / "old", **OPTIONS)
    assert everything(tmp_path / "new") == everything(tmp_path / "whole")
    harmed = harm is not harm_nothing
    encoded = {harm_nothing: 0, spoil_rows: 50}.get(harm, 100)
    result.says(f"{encoded} encoded, {ROWS - encoded:,} reused")
    said = "some rows could not be copied" in result.stderr or "(1 part cannot be read" in result.stderr
    assert said == harmed


@pytest.mark.parametrize("place", ["write:1", "rename:1", "write:3", "write:40", "rename:30", "sync:25", "remove:1"])
def test_killed_run_goes_on(tmp_path: Path, old: dict[str, Path], place: str) -> None:
    shards = write(tmp_path / "in", changed(documents()))
    embed(tmp_path / "whole", *shards, **OPTIONS)
    embed(tmp_path / "new", *shards, reuse=old["null"], fault=f"{place}:kill", status=KILLED, **OPTIONS)
    embed(tmp_path / "new", *shards, reuse=old["null"], **OPTIONS)
    assert everything(tmp_path / "new") == everything(tmp_path / "whole")
    assert [path for path in (tmp_path / "new").iterdir() if path.name.startswith(".")] == []


def test_run_may_go_on_without_reuse_and_is_whole_without_the_old_one(tmp_path: Path, old: dict[str, Path]) -> None:
    shutil.copytree(old["null"], tmp_path / "old")
    shards = write(tmp_path / "in", documents())
    embed(tmp_path / "whole", *shards, **OPTIONS)
    embed(tmp_path / "new", *shards, reuse=tmp_path / "old", fault="rename:40:kill", status=KILLED, **OPTIONS)
    shutil.rmtree(tmp_path / "old")
    embed(tmp_path / "new", *shards, **OPTIONS)
    assert everything(tmp_path / "new") == everything(tmp_path / "whole")
    nina("verify", tmp_path / "new")


@needs_mpirun
@pytest.mark.parametrize("ranks", [2, 3])
def test_many_ranks_share_one_index(tmp_path: Path, old: dict[str, Path], ranks: int) -> None:
    shards = write(tmp_path / "in", changed(documents())[:900], changed(documents())[900:])
    options = OPTIONS | {"threads": 1}
    embed(tmp_path / "whole", *shards, **options)
    result = embed_many(tmp_path / "new", *shards, ranks=ranks, reuse=old["null"], progress="json", **options)
    assert everything(tmp_path / "new") == everything(tmp_path / "whole")
    end = end_of(result.stderr)
    assert (end["encoded"], end["reused"]) == (20, 1980)
    assert result.stderr.count("different rows") == 1


@needs_mpirun
def test_what_is_refused_is_refused_by_all_ranks(tmp_path: Path, old: dict[str, Path]) -> None:
    shards = write(tmp_path / "in", documents()[:10])
    options = OPTIONS | {"widths": "16"}
    result = embed_many(tmp_path / "new", *shards, ranks=2, reuse=old["null"], status=USAGE, **options)
    result.says("widest vectors have 32 numbers")
    assert not (tmp_path / "new").exists()
    # The index is rank 0's: where the option is given to another rank alone, nothing is reused.
    groups = [Ranks(1), Ranks(1, options={"reuse": old["null"]})]
    embed_many(tmp_path / "new", *shards, ranks=groups, **OPTIONS)


def test_file_of_options_names_runs_and_the_command_line_replaces_them(tmp_path: Path, old: dict[str, Path]) -> None:
    shards = write(tmp_path / "in", documents())
    (tmp_path / "run.ini").write_text(f"reuse = {tmp_path / 'none'}\nreuse = {old['null']}\n")
    error = embed(tmp_path / "new", *shards, config=tmp_path / "run.ini", status=USAGE, **OPTIONS).error
    assert str(tmp_path / "none") in error
    result = embed(tmp_path / "new", *shards, config=tmp_path / "run.ini", reuse=old["null"], **OPTIONS)
    result.says("0 encoded, 2,000 reused")


def test_full_disk_while_indexing_fails_with_a_sentence(tmp_path: Path, old: dict[str, Path]) -> None:
    shards = write(tmp_path / "in", documents())
    error = embed(tmp_path / "new", *shards, reuse=old["null"], fault="write:2:ENOSPC", status=FAILED, **OPTIONS).error
    assert "No space left" in error
    embed(tmp_path / "new", *shards, reuse=old["null"], **OPTIONS)


def test_unreadable_old_run_is_an_error(tmp_path: Path, old: dict[str, Path]) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    shutil.copytree(old["null"], tmp_path / "old")
    (tmp_path / "old" / "parts").chmod(0)
    embed(tmp_path / "new", *write(tmp_path / "in", documents()), reuse=tmp_path / "old", status=FAILED, **OPTIONS)
