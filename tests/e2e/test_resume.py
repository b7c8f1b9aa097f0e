"""The same command continues a run, no matter what stopped it, and ends with the same bytes; another command is refused."""

import itertools
import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from models import copy_model, set_json
from output import Output, same_bits
from program import DONE, FAILED, FULL, GOLDEN, LONGEST_RUN, REJECTS, USAGE, embed, nina, start_embed, stop, wait_for_parts
from shards import compress, lines_of, make_archive, make_documents, write_shard

TERMINATED = 128 + signal.SIGTERM
OPTIONS: dict[str, Any] = {"widths": "32,8", "block_lines": 20, "store_text": True}
HELD = "write:100+:wait"  # some of the 200 blocks are committed


@pytest.fixture
def small(tmp_path: Path) -> tuple[Output, list[Path]]:
    """A small complete run with a rejected line, and its shards."""
    shards = make_archive(tmp_path / "in", (50, 30))
    with shards[0].open("ab") as file:
        file.write(b"no document\n")
    embed(tmp_path / "out", *shards, status=REJECTS, **OPTIONS)
    return Output(tmp_path / "out"), shards


def snapshot(output: Output) -> dict[str, tuple[int, bytes]]:
    """Content and time of every file."""
    files = output.files("*", "*/*")
    return {name: ((output.path / name).stat().st_mtime_ns, files[name]) for name in files}


@pytest.mark.sanitize
def test_same_command_again_changes_nothing(small: tuple[Output, list[Path]]) -> None:
    output, shards = small
    before = snapshot(output)
    result = embed(output.path, *shards, status=REJECTS, **OPTIONS)
    result.says(f"{output.path} is already complete: 80 documents in 5 parts; nothing to do")
    result.says("1 line could not be embedded")
    assert snapshot(output) == before


def test_resume_reuses_what_the_run_resolved(small: tuple[Output, list[Path]]) -> None:
    output, shards = small
    before = snapshot(output)
    embed(output.path, *shards, status=REJECTS, threads=3, quiet=True, **{**OPTIONS, "block_lines": None})
    assert snapshot(output) == before


def test_resume_goes_on_with_the_prompt_of_the_run(tmp_path: Path) -> None:
    """The model has a prompt of its own for documents, which this run did not take."""
    shards = make_archive(tmp_path / "in", (50,))
    model = copy_model(tmp_path / "model", GOLDEN / "xlmr-cls-v3")
    set_json("config_sentence_transformers.json", prompts={"document": "the model's: "})(model)
    output = Output(tmp_path / "out")
    embed(output.path, *shards, model=model, prompt="the run's: ", **OPTIONS)
    expected = output.embedding()
    output.parts("parts")[1].unlink()
    embed(output.path, *shards, model=model, **OPTIONS).says('"the run\'s: "')
    assert output.embedding() == expected


def test_moved_archive_is_still_the_same_input(small: tuple[Output, list[Path]]) -> None:
    output, shards = small
    before = output.embedding()
    moved = shards[0].parent.rename(shards[0].parent.with_name("moved"))
    embed(output.path, *(moved / path.name for path in shards), status=REJECTS, **OPTIONS)
    assert output.embedding() == before
    assert [Path(shard["path"]).parent for shard in output.manifest()["shards"]] == [moved] * len(shards)


CHANGES = [
    ("widths", "32,16", "--widths: [32, 8] in the manifest, [32, 16] now"),
    ("max_tokens", 100, "--max-tokens: 768 in the manifest, 100 now"),
    ("prompt", "p: ", '--prompt: "" in the manifest, "p: " now'),
    ("prompt_name", "query", '--prompt: "" in the manifest, "consulta: " now'),
    ("text_field", "body", '--text-field: "text" in the manifest, "body" now'),
    ("id_field", "id", '--id-field: null in the manifest, "id" now'),
    ("title_field", "t", '--title-field: null in the manifest, "t" now'),
    ("max_line", "1K", "--max-line: 134217728 in the manifest, 1024 now"),
    ("block_lines", 30, "--block-lines: 20 in the manifest, 30 now"),
    ("block_bytes", "1K", "--block-bytes: "),
    ("zstd_level", 3, "--zstd-level: 1 in the manifest, 3 now"),
    ("store_text", False, "--store-text: true in the manifest, false now"),
    ("keep_fields", "url", '--keep-fields: null in the manifest, "url" now'),
    ("batch_tokens", 4096, "--batch-tokens: "),
    ("model", GOLDEN / "bert-mean-v6", 'model.name: "xlmr-cls-v3" in the manifest, "bert-mean-v6" now'),
]


@pytest.mark.parametrize(("option", "value", "difference"), CHANGES, ids=[change[0] for change in CHANGES])
def test_changed_setting_is_refused_by_name(
    small: tuple[Output, list[Path]], option: str, value: object, difference: str
) -> None:
    output, shards = small
    before = snapshot(output)
    error = embed(output.path, *shards, status=USAGE, **{**OPTIONS, option: value}).error
    assert f"{output.path} holds another run" in error and difference in error and "--overwrite" in error
    assert snapshot(output) == before


def test_changed_input_is_refused_by_name(small: tuple[Output, list[Path]]) -> None:
    output, shards = small
    before = snapshot(output)

    def refused(*inputs: Path) -> str:
        error = embed(output.path, *inputs, status=USAGE, **OPTIONS).error
        assert snapshot(output) == before
        return error

    more = write_shard(output.path.parent / "more.jsonl", [{"text": "a"}])
    assert "3 shards, but the run" in (error := refused(*shards, more)) and f"{more} is new; use --append" in error
    assert f"{more} is new" in refused(shards[0], more, shards[1])
    assert "1 shard, but the run" in (error := refused(shards[0])) and f"its shard 1, {shards[1]}, is missing" in error
    assert f"its shard 0, {shards[0]}, is missing" in refused(shards[1])
    order = f"stand in another order: shard 0 was {shards[0]}, and is {shards[1]} now; use --append"
    assert order in refused(*reversed(shards))
    assert f"{more} is new: shard 0 of the run" in (error := refused(more, shards[0])) and "use --append" in error
    content = shards[0].read_bytes()
    shards[0].write_bytes(content[:-2] + b"x\n")
    changed = f"shard 0 ({shards[0]}) has changed since this run began"
    assert changed in (error := refused(*shards)) and "fingerprint" in error
    assert f"; give another --out (nina embed --reuse {output.path} then encodes only what is new), or start anew with --overwrite" in error
    shards[0].write_bytes(content + b"\n")
    assert f"size {len(content)} → {len(content) + 1}" in refused(*shards)


def test_long_paths_are_named_whole(tmp_path: Path) -> None:
    """Paths of 1,900 bytes: a sentence with two of them still ends with what to do."""
    deep = Path(*(str(level) * 235 for level in range(1, 8)))
    folder, out = tmp_path / "in" / deep, tmp_path / "out" / deep
    folder.mkdir(parents=True)
    first, second, third = (write_shard(folder / f"{name}.jsonl", make_documents(5, name)) for name in range(3))
    embed(out, first, second, widths=8)
    embed(out, first, second, widths=8).says(f"{out} is already complete")
    (folder / "notes.txt").touch()
    embed(tmp_path / "folder", folder, widths=8).says(f"not read: {folder / 'notes.txt'}")

    def refused(*inputs: Path, **options: int) -> str:
        return embed(out, *inputs, status=USAGE, **{"widths": 8, **options}).error.strip()

    order = f"shard 0 was {first}, and is {second} now; use --append, which takes them in any order"
    assert refused(second, first).endswith(order)
    assert f"{third} is new: shard 1 of the run in {out} was {second}, and is {third} now" in refused(first, third)
    assert refused(first).endswith(f"(nina embed --reuse {out} then encodes only what is new)")
    assert f"{out} holds another run" in refused(first, second, widths=16)
    write_shard(second, make_documents(9, 4))
    changed = refused(first, second)
    assert f"shard 1 ({second}) has changed" in changed and changed.endswith("or start anew with --overwrite")


def test_run_whose_parts_contradict_each_other_is_not_complete(tmp_path: Path) -> None:
    """A change in the middle of a large shard is not seen at the start; a block that is made again shows it."""
    shard, out, options = tmp_path / "a.jsonl", tmp_path / "out", {"widths": 8, "block_lines": 100}
    content = b"".join(b'{"text":"document %04d %s"}\n' % (number, b"word " * 30) for number in range(2500))
    shard.write_bytes(content)
    embed(out, shard, **options)
    end = content.index(b"\n", content.index(b"document 1210"))
    shard.write_bytes(content[:end] + b" " + content[end + 1 :])
    embed(out, shard, **options).says("nothing to do")  # the limit that README names
    (out / "parts" / "part-00000-00012.json").unlink()

    result = embed(out, shard, status=FAILED, **options)
    result.says(f"shard 0 ({shard}) was changed in its middle", "block 13 begins at line 1301", "start the same command again")
    assert "complete after" not in result.stderr and Output(out).manifest()["state"] == "incomplete"
    assert json.loads((out / "report.json").read_text())["runs"][-1]["end"] == "failed"

    embed(out, shard, status=REJECTS, **options)
    embed(tmp_path / "fresh", shard, status=REJECTS, **options)
    assert Output(out).files("*/*", "manifest.json") == Output(tmp_path / "fresh").files("*/*", "manifest.json")
    nina("verify", out)


def test_overwrite_starts_anew_and_leaves_strangers_alone(
    small: tuple[Output, list[Path]], tmp_path: Path
) -> None:
    output, shards = small
    (output.path / "notes.txt").write_text("mine")
    anew = {"widths": "16", "block_lines": 50}
    embed(output.path, *shards, status=REJECTS, overwrite=True, **anew)
    embed(tmp_path / "fresh", *shards, status=REJECTS, **anew)
    assert output.embedding() == Output(tmp_path / "fresh").embedding()
    assert (output.path / "notes.txt").read_text() == "mine" and not (output.path / "w32").exists()
    assert output.manifest() == Output(tmp_path / "fresh").manifest()
    error = embed(output.path, *shards, status=USAGE, overwrite=True, append=True, **anew).error
    assert "exclude each other" in error


@pytest.mark.sanitize
def test_append_adds_shards_at_the_end(small: tuple[Output, list[Path]]) -> None:
    output, shards = small
    before = output.embedding()
    more = [write_shard(output.path.parent / f"{name}.jsonl", make_documents(25, name)) for name in (7, 8)]
    embed(output.path, more[0], status=REJECTS, append=True, **OPTIONS)
    embed(output.path, shards[1], more[1], shards[0], status=REJECTS, append=True, **OPTIONS)
    listed = [Path(shard["path"]) for shard in output.manifest()["shards"]]
    assert listed == [*shards, *more]
    after = output.embedding()
    assert {name: after[name] for name in before} == before
    assert [row["id"] for row in output.ids()[-25:]] == [f"3:{line}" for line in range(1, 26)]
    embed(output.path, *shards, *more, status=REJECTS, **OPTIONS).says("nothing to do")
    assert output.embedding() == after
    assert output.manifest()["state"] == "complete" and output.manifest()["totals"]["rows"] == 130


def test_append_refuses_changed_shards_and_settings(small: tuple[Output, list[Path]]) -> None:
    output, shards = small
    assert "--widths: " in embed(output.path, shards[1], status=USAGE, append=True, widths=8).error
    write_shard(shards[1], make_documents(31, 5))
    assert "has changed" in embed(output.path, shards[1], status=USAGE, append=True, **OPTIONS).error


@pytest.mark.parametrize(
    ("name", "content", "phrase", "status"),
    [
        ("notes.txt", "mine", "holds notes.txt but no readable manifest.json", USAGE),
        ("w8/part-00000-00000.npy.zst", "", "holds w8/part-00000-00000.npy.zst but no readable manifest.json", USAGE),
        ("manifest.json", "{", "manifest.json is not a manifest that this program reads", FAILED),
        ("manifest.json", "[]", "manifest.json is not a manifest that this program reads", FAILED),
        ("manifest.json", '{"format": 99}', "a newer version of this program wrote it", FAILED),
    ],
)
def test_folder_of_something_else_is_left_alone(
    tmp_path: Path, name: str, content: str, phrase: str, status: int
) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [{"text": "a"}])
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert phrase in embed(tmp_path / "out", shard, status=status, **OPTIONS).error
    assert [found for found in (tmp_path / "out").rglob("*") if found.is_file()] == [path]


@pytest.mark.sanitize
def test_whatever_a_dead_job_left_unfinished_vanishes(tmp_path: Path, small: tuple[Output, list[Path]]) -> None:
    """Also a job on another machine: only its lock could show here that it is dead."""
    whole, shards = small
    output = Output(tmp_path / "killed")
    embed(output.path, *shards, fault="write:30:kill", status=-signal.SIGKILL, threads=1, **OPTIONS)
    assert len(output.temporaries()) == 2  # the job's folder, and the file in it
    elsewhere = output.path / ".job.elsewhere-1-1700000000123456789.tmp"
    elsewhere.mkdir()
    (elsewhere / ".part-00000-00001.npy.zst.elsewhere-1-1700000000123456790.tmp").write_bytes(b"half")
    report = nina("verify", output.path, status=FAILED).stdout
    assert "incomplete manifest.json" in report and ".tmp" not in report
    embed(output.path, *shards, status=REJECTS, **OPTIONS)
    assert output.temporaries() == [] and not (output.path / "job.lock").exists()
    assert output.embedding() == whole.embedding()


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Output, list[Path]]:
    """An uninterrupted run: 200 blocks over three shards."""
    folder = tmp_path_factory.mktemp("straight")
    shards = make_archive(folder / "in", (1300, 1300, 1400))
    embed(folder / "out", *shards, threads=1, **OPTIONS)
    return Output(folder / "out"), shards


@pytest.mark.threads
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_bytes_do_not_depend_on_threads(
    tmp_path: Path, straight: tuple[Output, list[Path]], threads: int
) -> None:
    whole, shards = straight
    embed(tmp_path / "out", *shards, threads=threads, **OPTIONS)
    assert Output(tmp_path / "out").files("*/*", "manifest.json") == whole.files("*/*", "manifest.json")


@pytest.mark.threads
@pytest.mark.sanitize
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_killed_run_ends_in_the_bytes_of_a_straight_one(
    tmp_path: Path, straight: tuple[Output, list[Path]], threads: int
) -> None:
    """SIGKILL at random moments: at once, or some parts and some milliseconds later than the last time."""
    whole, shards = straight
    output, rng = Output(tmp_path / "out"), random.Random(threads)
    left = 100 if FULL else 20
    while left > 0:
        process = start_embed(output.path, *shards, threads=threads, null_rate=60_000 // threads, **OPTIONS)
        wait_for_parts(output.path, len(output.parts("parts")) + rng.randint(0, 3), process)
        time.sleep(rng.random() * 0.02)
        if stop(process, signal.SIGKILL, (-signal.SIGKILL, DONE)).status == DONE:
            assert output.embedding() == whole.embedding()
            shutil.rmtree(output.path)
        else:
            left -= 1
    embed(output.path, *shards, threads=threads, **OPTIONS)
    assert output.embedding() == whole.embedding()
    assert output.manifest() == whole.manifest() and output.temporaries() == []
    nina("verify", output.path)


@pytest.mark.threads
@pytest.mark.sanitize
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_signal_stops_in_order_and_the_same_command_goes_on(
    tmp_path: Path, straight: tuple[Output, list[Path]], number: signal.Signals
) -> None:
    whole, shards = straight
    output, release = Output(tmp_path / "out"), tmp_path / "release"
    process = start_embed(output.path, *shards, threads=2, null_rate=8_000, fault=HELD, release=release, **OPTIONS)
    wait_for_parts(output.path, 5, process)
    status = FAILED if number == signal.SIGUSR1 else 128 + number
    stop(process, number, status, release).says("nina: stopped; start the same command again to go on")
    assert output.manifest()["state"] == "incomplete" and output.temporaries() == []
    done = len(output.records())
    assert 5 <= done < len(whole.records())
    report = nina("verify", output.path, status=FAILED).stdout
    assert "incomplete manifest.json" in report and "foreign" not in report and "damaged" not in report
    embed(output.path, *shards, **OPTIONS).says(f"documents in {done} parts are already there")
    assert output.files("*/*", "manifest.json") == whole.files("*/*", "manifest.json")


@pytest.mark.parametrize("how", ["option", "file"])
def test_stopped_job_that_began_anew_goes_on_without_overwrite(tmp_path: Path, straight: tuple[Output, list[Path]], how: str) -> None:
    whole, shards = straight
    output, file = Output(tmp_path / "out"), tmp_path / "nina.ini"
    file.write_text("[embed]\noverwrite = true\n")
    anew: dict[str, Any] = {"overwrite": True} if how == "option" else {"config": file}
    release = tmp_path / "release"
    process = start_embed(output.path, *shards, threads=2, null_rate=8_000, fault=HELD, release=release, **anew, **OPTIONS)
    wait_for_parts(output.path, 5, process)
    stop(process, signal.SIGTERM, TERMINATED, release).says("nina: stopped; start the same command again without --overwrite to go on\n")
    done = len(output.records())
    embed(output.path, *shards, **OPTIONS).says(f"documents in {done} parts are already there")
    assert output.files("*/*", "manifest.json") == whole.files("*/*", "manifest.json")


def committed_lines(output: Output) -> set[tuple[int, int]]:
    return {(record["shard"], record["block"]) for record in output.records()}


@pytest.mark.threads
def test_first_interrupt_finishes_what_was_begun_and_the_second_drops_it(tmp_path: Path) -> None:
    """The encoder takes long for a block: it has begun one block, and the next blocks wait for it."""
    documents = make_documents(3000, 1)
    shard = write_shard(tmp_path / "a.jsonl", documents)
    output = Output(tmp_path / "first")  # a block takes about a second, all blocks more than a minute
    process = start_embed(output.path, shard, widths=8, block_lines=20, threads=1, null_rate=1000)
    wait_for_parts(output.path, 1, process)
    before = len(output.records())
    result = stop(process, signal.SIGINT, 128 + signal.SIGINT)
    result.says("stopping: the blocks that the encoder has begun are finished and committed, for at most 30 s")
    assert before < len(output.records()) < 150 and output.temporaries() == []

    one, many = write_shard(tmp_path / "one.jsonl", documents[:1]), write_shard(tmp_path / "many.jsonl", documents)
    output = Output(tmp_path / "second")  # the second block takes many minutes, a batch less than a second
    options = {"widths": 8, "threads": 1, "null_rate": 50, "max_tokens": 32, "batch_tokens": 32}
    process = start_embed(output.path, one, many, progress="json", **options)
    assert process.stderr
    events = map(json.loads, process.stderr)
    next(event for event in events if event.get("tokens", 0) > 32)  # the encoder has begun the second block
    process.send_signal(signal.SIGINT)
    next(event for event in events if event.get("sentence", "").startswith("stopping"))
    stop(process, signal.SIGINT, 128 + signal.SIGINT)
    assert len(output.records()) == 1 and output.temporaries() == []


def test_signal_before_the_first_row_of_a_block_loses_none(tmp_path: Path) -> None:
    """If a block is stopped before it has rows, it must not be committed as a block without rows."""
    shard = tmp_path / "a.jsonl"
    slow_line = b'{"x":[' + b"0," * 10_000_000 + b"0]}\n"
    shard.write_bytes(slow_line + b'{"text":"a"}\n')
    for i in range(8):
        output = Output(tmp_path / f"out{i}")
        process = start_embed(output.path, shard, threads=1, widths=8, block_bytes="1G")
        while process.poll() is None and not (output.path / "ids").exists():
            time.sleep(0.001)
        time.sleep(i * 0.01)
        stop(process, signal.SIGTERM, (TERMINATED, REJECTS))
        for record in output.records():
            assert (record["lines"], record["rejected"], record["rows"]) == (2, 1, 1)


@pytest.mark.threads
def test_signal_ends_a_run_that_waits_for_standard_input(tmp_path: Path) -> None:
    lines = lines_of(make_documents(100, 1))
    output = Output(tmp_path / "out")
    process = start_embed(output.path, "-", stdin=subprocess.PIPE, **OPTIONS)
    try:
        process.stdin.write(lines)
        process.stdin.flush()
        wait_for_parts(output.path, 3, process)
        process.send_signal(signal.SIGTERM)
        process.wait(LONGEST_RUN)  # while the pipe is still open
    finally:
        process.kill()
        process.stdin.close()
    assert process.returncode == TERMINATED and b"stopped" in process.stderr.read()
    embed(output.path, "-", stdin=lines, **OPTIONS).says("are already there")
    assert len(output.ids()) == 100


def test_standard_input_resumes_by_passing_over_what_is_done(tmp_path: Path) -> None:
    content = lines_of(make_documents(300, 1))
    embed(tmp_path / "straight", "-", stdin=content, **OPTIONS)
    embed(tmp_path / "out", "-", stdin=content, fault="rename:30:EIO", status=FAILED, threads=1, **OPTIONS)
    output = Output(tmp_path / "out")
    assert 0 < len(output.records()) < 15
    other = embed(tmp_path / "out", "-", stdin=b"{}\n" + content, status=USAGE, **OPTIONS)
    other.says("shard 0 (-)", "lines 1 to 20 have changed")
    embed(tmp_path / "out", "-", stdin=compress(content, ".gz"), **OPTIONS)
    assert output.embedding() == Output(tmp_path / "straight").embedding()


@pytest.mark.sanitize
@pytest.mark.parametrize("append", [False, True])
def test_other_standard_input_is_refused_by_a_finished_run(tmp_path: Path, append: bool) -> None:
    lines = lines_of(make_documents(100, 1)).splitlines(keepends=True)
    output = Output(tmp_path / "out")
    embed(output.path, "-", stdin=b"".join(lines), **OPTIONS)
    before = output.embedding()
    others = {"it has more lines": lines + lines[:30], "lines 21 to 39 have changed": lines[:39], "it has fewer lines": lines[:40], "lines 1 to 20 have changed": lines[1:], "it is empty": []}
    for what, other in others.items():
        refused = embed(output.path, "-", stdin=b"".join(other), append=append, status=USAGE, **OPTIONS)
        refused.says("shard 0 (-)", what)
        assert "nothing to do" not in refused.stderr
    packed = compress(b"".join(lines), ".gz")
    for what, other in {"it is damaged after line 100": packed[:-4], "it is damaged after line 0": packed[:5]}.items():
        refused = embed(output.path, "-", stdin=other, append=append, status=USAGE, **OPTIONS)
        refused.says("shard 0 (-)", what)
    embed(output.path, "-", stdin=b"".join(lines), append=append, **OPTIONS).says("already complete")
    assert output.embedding() == before


def test_shorter_standard_input_is_refused_by_an_unfinished_run(tmp_path: Path) -> None:
    """If it ends with a block that is done, and if it ends inside one that is not, before others that are."""
    lines = lines_of(make_documents(200, 1)).splitlines(keepends=True)
    output = Output(tmp_path / "out")
    embed(output.path, "-", stdin=b"".join(lines), **OPTIONS)
    straight = output.embedding()
    for block in 5, 9:
        (output.path / "parts" / f"part-00000-{block:05}.json").unlink()
    for count, what in {60: "it has fewer lines", 110: "it has fewer lines", 0: "it is empty"}.items():
        refused = embed(output.path, "-", stdin=b"".join(lines[:count]), status=USAGE, **OPTIONS)
        refused.says("shard 0 (-)", what)
    embed(output.path, "-", stdin=b"".join(lines), **OPTIONS)
    assert output.embedding() == straight


def test_signal_ends_the_comparison_of_standard_input_inside_an_endless_line(tmp_path: Path) -> None:
    """No block is left to do; but a job that has not seen the end of its input has not compared it."""
    limits: dict[str, Any] = {**OPTIONS, "max_line": 1000, "block_bytes": 100_000}
    lines, output = lines_of(make_documents(30, 1)), Output(tmp_path / "out")
    embed(output.path, "-", stdin=lines + b"x" * 300_000, status=REJECTS, **limits)
    before, sent = output.embedding(), False
    process = start_embed(output.path, "-", stdin=subprocess.PIPE, **limits)
    assert process.stdin and process.stderr
    end = time.monotonic() + LONGEST_RUN
    try:
        process.stdin.write(lines)
        for piece in itertools.count():
            process.stdin.write(b"x" * 100_000)
            if piece == 100:
                process.send_signal(signal.SIGTERM)
            assert time.monotonic() < end, "the job reads on"
    except BrokenPipeError:
        process.wait(LONGEST_RUN)
    finally:
        process.kill()
    said = process.stderr.read().decode()
    assert process.returncode == TERMINATED and "stopped; start the same command again" in said and "already complete" not in said
    embed(output.path, "-", stdin=lines + b"x" * 300_000, status=REJECTS, **limits).says("already complete")
    assert output.embedding() == before


def test_row_of_a_text_does_not_depend_on_its_place(
    tmp_path: Path, straight: tuple[Output, list[Path]]
) -> None:
    whole, shards = straight
    embed(tmp_path / "out", *reversed(shards), **OPTIONS)
    there, back = Output(tmp_path / "out"), {row["text"]: i for i, row in enumerate(whole.texts())}
    numbers = [back[row["text"]] for row in there.texts()]
    assert same_bits(there.vectors(32), whole.vectors(32)[numbers])
