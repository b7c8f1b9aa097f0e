"""What a run writes: layout, vectors, ids, texts, records, manifest; and `nina verify`, which finds any harm to them."""

import io
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from output import Output, derive, frame_texts, hash128, same_bits, seek_table, unzstd
from program import DONE, FAILED, MODEL, USAGE, embed, nina, tokenize
from shards import make_archive, make_documents, read_shard, write_shard

WIDTHS = (128, 64, 33, 16, 7)
WIDTH_FOLDERS = [f"w{width}" for width in WIDTHS]
ROWS = (1300, 700, 0, 90)
BLOCK_LINES = 600


@dataclass(frozen=True)
class Run:
    shards: list[Path]
    output: Output


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Four shards, one of them empty, at several widths, with their texts."""
    folder = tmp_path_factory.mktemp("archive")
    shards = make_archive(folder / "in", ROWS)
    widths = ",".join(map(str, WIDTHS))
    embed(folder / "out", *shards, widths=widths, store_text=True, block_lines=BLOCK_LINES)
    return Run(shards, Output(folder / "out"))


@pytest.mark.sanitize
def test_every_part_has_its_files_under_one_name(run: Run) -> None:
    blocks = [max(1, -(-rows // BLOCK_LINES)) for rows in ROWS]
    names = [f"part-{shard:05d}-{block:05d}" for shard, count in enumerate(blocks) for block in range(count)]
    suffixes = {"ids": ".jsonl.zst", "hashes": ".npy.zst", "text": ".jsonl.zst", "parts": ".json"}
    suffixes |= {folder: ".npy.zst" for folder in WIDTH_FOLDERS}
    for folder, suffix in suffixes.items():
        assert [path.name for path in run.output.parts(folder)] == [name + suffix for name in names]
    entries = {path.name for path in run.output.path.iterdir()}
    assert entries == {*suffixes, "rejects", "manifest.json", "report.json"}
    assert run.output.parts("rejects") == [] and run.output.temporaries() == []


def test_vector_file_is_plain_npy_after_zstd(run: Run) -> None:
    rows = [record["rows"] for record in run.output.records()]
    for width in WIDTHS:
        for path, count in zip(run.output.parts(f"w{width}"), rows, strict=True):
            content = unzstd([path])
            assert np.lib.format.read_magic(io.BytesIO(content)) == (1, 0)
            vectors = np.load(io.BytesIO(content))
            assert vectors.dtype == np.dtype("<f2") and vectors.flags.c_contiguous
            assert vectors.shape == (count, width)
            assert len(content) == 128 + count * width * 2


def test_empty_shard_has_one_part_of_no_rows(run: Run) -> None:
    record = next(record for record in run.output.records() if record["shard"] == ROWS.index(0))
    assert (record["block"], record["lines"], record["rows"], record["end_of_shard"]) == (0, 0, 0, True)


def test_narrower_widths_derive_from_the_widest_bit_for_bit(run: Run) -> None:
    widest = run.output.vectors(WIDTHS[0])
    for width in WIDTHS[1:]:
        assert same_bits(run.output.vectors(width), derive(widest, width))


def test_rows_have_norm_one(run: Run) -> None:
    for width in WIDTHS:
        norms = np.linalg.norm(run.output.vectors(width).astype(np.float64), axis=1)
        assert np.abs(norms - 1).max() < 1e-3


def test_row_of_ids_points_at_its_document(run: Run) -> None:
    contents = [read_shard(path) for path in run.shards]
    expected = iter([(shard, line) for shard, rows in enumerate(ROWS) for line in range(1, rows + 1)])
    for row, stored in zip(run.output.ids(), run.output.texts(), strict=True):
        assert list(row) == ["id", "shard", "line", "offset", "tokens", "truncated"]
        shard, line = next(expected)
        assert (row["shard"], row["line"], row["id"]) == (shard, line, f"{shard}:{line}")
        content = contents[shard]
        assert content.count(b"\n", 0, row["offset"]) == line - 1
        assert json.loads(content[row["offset"] : content.index(b"\n", row["offset"])]) == stored
    assert next(expected, None) is None


def test_tokens_counts_what_was_embedded(run: Run) -> None:
    ids = tokenize([stored["text"] for stored in run.output.texts()])
    assert [row["tokens"] for row in run.output.ids()] == [len(tokens) for tokens in ids]
    assert sum(record["tokens"] for record in run.output.records()) == sum(map(len, ids))


@pytest.mark.parametrize(("folder", "rows_of_a_frame"), [("ids", 512), ("text", 64)])
def test_frames_of_lines_hold_whole_rows(run: Run, folder: str, rows_of_a_frame: int) -> None:
    for path, record in zip(run.output.parts(folder), run.output.records(), strict=True):
        rows = [text.count(b"\n") for text in frame_texts(path.read_bytes())]
        full, rest = divmod(record["rows"], rows_of_a_frame)
        assert rows == [rows_of_a_frame] * full + ([rest] if rest else [])


def test_frames_of_vectors_hold_whole_rows(run: Run) -> None:
    for width in WIDTHS:
        for path in run.output.parts(f"w{width}"):
            header, *frames = seek_table(path.read_bytes())
            assert header[1] == 128
            assert all(decompressed % (2 * width) == 0 for _, decompressed in frames)


def test_record_tells_the_block_and_hashes_every_file(run: Run) -> None:
    contents = [read_shard(path) for path in run.shards]
    follow = {shard: (1, 0) for shard in range(len(ROWS))}
    for record in run.output.records():
        shard = record["shard"]
        block = contents[shard][record["first_offset"] : record["next_offset"]]
        assert (record["first_line"], record["first_offset"]) == follow[shard]
        assert record["hash"] == hash128(block) and record["lines"] == block.count(b"\n")
        assert record["end_of_shard"] == (record["next_offset"] == len(contents[shard]))
        assert not record["incomplete"]
        assert (record["rejected"], record["blank"], record["truncated"]) == (0, 0, 0)
        assert record["vector_bytes"] == record["rows"] * 2 * sum(WIDTHS)
        assert [file["path"].split("/")[0] for file in record["files"]] == [*WIDTH_FOLDERS, "ids", "hashes", "text"]
        for file in record["files"]:
            content = (run.output.path / file["path"]).read_bytes()
            assert (file["size"], file["hash"]) == (len(content), hash128(content))
        follow[shard] = (record["first_line"] + record["lines"], record["next_offset"])


def test_manifest_tells_the_run_and_its_totals(run: Run) -> None:
    manifest, records = run.output.manifest(), run.output.records()
    assert manifest["state"] == "complete" and manifest["format"] == 1
    assert manifest["model"]["name"] == MODEL.name and manifest["settings"]["widths"] == list(WIDTHS)
    assert manifest["compute_class"]["encoder"] == "null"
    for shard, path in zip(manifest["shards"], run.shards, strict=True):
        content = path.read_bytes()
        ends = content if len(content) <= 2 * 65536 else content[:65536] + content[-65536:]
        assert shard == {"path": str(path), "size": len(content), "fingerprint": hash128(ends)}
    totals = manifest["totals"]
    for key in ("lines", "rows", "tokens", "rejected", "truncated", "blank", "vector_bytes"):
        assert totals[key] == sum(record[key] for record in records)
    assert totals["parts"] == len(records) and totals["incomplete"] == 0
    sizes = {file["path"]: file["size"] for record in records for file in record["files"]}
    assert totals["file_bytes"] == sum(sizes.values())
    assert totals["vector_file_bytes"] == sum(size for path, size in sizes.items() if path.startswith("w"))
    parts = [[f"{record['shard']:05d}-{record['block']:05d}", record["rows"]] for record in records]
    assert manifest["parts"] == parts


def test_long_shard_is_known_by_its_two_ends(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(2500, 1))
    content = shard.read_bytes()
    assert len(content) > 2 * 65536
    embed(tmp_path / "out", shard, widths=8)
    entry = Output(tmp_path / "out").manifest()["shards"][0]
    assert entry["fingerprint"] == hash128(content[:65536] + content[-65536:])


def test_ids_are_kept_as_they_are(tmp_path: Path) -> None:
    ids = ["a", "", "l·l “é” 😀", 'quote " and \\', "line\nbreak\u0001\u007f", "a", 0, -5, 10**50 + 7]
    shard = write_shard(tmp_path / "a.jsonl", [{"doc": value, "text": "text"} for value in ids])
    embed(tmp_path / "out", shard, widths=8, id_field="doc")
    assert [row["id"] for row in Output(tmp_path / "out").ids()] == ids


@pytest.mark.parametrize("block_bytes", [1, 1000, 5000])
def test_block_ends_before_the_line_that_is_too_much(tmp_path: Path, block_bytes: int) -> None:
    shard = write_shard(tmp_path / "a.jsonl.gz", make_documents(60, 3))
    embed(tmp_path / "out", shard, widths=8, block_lines=17, block_bytes=block_bytes)
    expected, used = [0], 0
    for line in read_shard(shard).splitlines(keepends=True):
        if expected[-1] == 17 or (expected[-1] > 0 and used + len(line) > block_bytes):
            expected.append(0)
            used = 0
        expected[-1] += 1
        used += len(line)
    assert [record["lines"] for record in Output(tmp_path / "out").records()] == expected


def test_largest_blocks_that_may_be_asked_for_are_embedded(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", make_documents(30, 1))
    embed(tmp_path / "out", shard, widths=8, block_bytes="64G", block_lines="64G")
    assert len(Output(tmp_path / "out").ids()) == 30
    embed(tmp_path / "chunks", shard, widths=8, block_bytes="64G", block_lines="64G", chunk_tokens=16)


@pytest.fixture
def small(tmp_path: Path) -> Output:
    """A small complete run, which a test may harm."""
    embed(tmp_path / "out", *make_archive(tmp_path / "in", (50, 50)), widths="16,8", block_lines=20)
    return Output(tmp_path / "out")


@pytest.mark.sanitize
def test_verify_finds_nothing_in_a_whole_run(run: Run) -> None:
    report = nina("verify", run.output.path, status=DONE).stdout.splitlines()
    files = len(run.output.parts("parts")) * (3 + len(WIDTHS))
    assert len(report) == 1 and "2,090 documents" in report[0] and f"{files} files" in report[0]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


# A harm to a file, verify's word for it, and whether the same command repairs it: a resume trusts sizes.
HARM = [
    (Path.unlink, "missing", "w8/part-00000-00001.npy.zst", True),
    (flip, "damaged", "w16/part-00001-00000.npy.zst", False),
    (empty, "damaged", "ids/part-00000-00000.jsonl.zst", True),
    (empty, "damaged", "parts/part-00001-00001.json", True),
    (Path.unlink, "missing", "parts/part-00000-00001.json", True),
    (Path.unlink, "missing", "parts/part-00001-00002.json", True),
    (Path.touch, "foreign", "notes.txt", False),
    (Path.touch, "foreign", "w8/part-00000-00009.npy.zst", False),
]


@pytest.mark.parametrize(("harm", "finding", "name", "mended"), HARM)
def test_verify_names_what_is_wrong(
    small: Output, harm: Callable[[Path], None], finding: str, name: str, mended: bool
) -> None:
    harm(small.path / name)
    report = nina("verify", small.path, status=FAILED).stdout.splitlines()
    assert [line for line in report if line.startswith(f"{finding:10} {name}:")], report
    embed(small.path, *sorted((small.path.parent / "in").iterdir()), widths="16,8", block_lines=20)
    nina("verify", small.path, status=DONE if mended else FAILED)


@pytest.mark.parametrize(("harm", "finding", "name", "mended"), HARM)
def test_verify_names_the_command_that_repairs(
    small: Output, harm: Callable[[Path], None], finding: str, name: str, mended: bool
) -> None:
    harm(small.path / name)
    report = nina("verify", small.path, status=FAILED).stdout.splitlines()
    advice = [line.removeprefix("repair").strip() for line in report if line.startswith("repair ")]
    if finding == "foreign":
        assert advice == ["foreign files are no part of the run: remove them, or leave them"]
        (small.path / name).unlink()
    elif mended:
        assert advice[0] == "start the same nina embed command again"
    else:
        removal, rest = advice[0].split("; then ")
        assert rest == "start the same nina embed command again"
        subprocess.run(removal, shell=True, check=True)
    embed(small.path, *sorted((small.path.parent / "in").iterdir()), widths="16,8", block_lines=20)
    nina("verify", small.path)


def test_command_that_repairs_is_right_for_any_path(small: Output) -> None:
    """Blanks, quotes and everything else that a shell treats specially."""
    out = small.path.parent / "l'arxiu de $HOME; \"tot\"\nnou*"
    small.path.rename(out)
    for path in (out / "w8").iterdir():
        flip(path)
    report = nina("verify", out, status=FAILED).stdout.splitlines()
    (advice,) = [line.removeprefix("repair").strip() for line in report if line.startswith("repair ")]
    subprocess.run(["bash", "-c", advice.split("; then start")[0]], check=True)
    assert not list((out / "parts").iterdir())
    embed(out, *archive_of(small), widths="16,8", block_lines=20)
    nina("verify", out)


def archive_of(out: Output) -> list[Path]:
    return sorted((out.path.parent / "in").iterdir())


def test_torn_or_lost_manifest_is_recovered_by_overwrite(small: Output) -> None:
    manifest, wanted = small.path / "manifest.json", small.embedding()
    text = manifest.read_text()
    for torn in text[: len(text) // 2], "", None:
        if torn is None:
            manifest.unlink()
        else:
            manifest.write_text(torn)
        for sentence in nina("verify", small.path, status=FAILED).error, embed(
            small.path, *archive_of(small), widths="16,8", block_lines=20, status=(FAILED, USAGE)
        ).error:
            assert "--overwrite starts anew" in sentence
        embed(small.path, *archive_of(small), widths="16,8", block_lines=20, overwrite=True)
        assert small.embedding() == wanted
        nina("verify", small.path)


@pytest.mark.parametrize("torn", ["{", None])
def test_overwrite_leaves_a_folder_alone_that_is_not_a_runs(small: Output, torn: str | None) -> None:
    """A manifest.json may belong to another program, and so may a folder without one."""
    (small.path / "notes.txt").write_text("mine")
    (small.path / "manifest.json").unlink()
    if torn:
        (small.path / "manifest.json").write_text(torn)
    before = small.files("*", "*/*")
    refused = embed(small.path, *archive_of(small), widths="16,8", block_lines=20, overwrite=True, status=USAGE).error
    assert f"{small.path} holds notes.txt but no readable manifest.json" in refused
    assert small.files("*", "*/*") == before


@pytest.mark.parametrize("name", ["w8", "parts", "manifest.json"])
def test_link_inside_out_is_refused(small: Output, name: str) -> None:
    elsewhere = small.path.parent / "elsewhere"
    (small.path / name).rename(elsewhere)
    (small.path / name).symlink_to(elsewhere)
    before = small.files("*", "*/*") | Output(elsewhere).files("*")
    for overwrite in False, True:
        refused = embed(small.path, *archive_of(small), widths="16,8", block_lines=20, overwrite=overwrite, status=USAGE)
        assert f"{small.path}/{name} is a link" in refused.error
    assert f"{small.path}/{name} is a link" in nina("verify", small.path, status=USAGE).error
    assert small.files("*", "*/*") | Output(elsewhere).files("*") == before
    (small.path / name).unlink()
    elsewhere.rename(small.path / name)
    nina("verify", small.path)


def test_part_that_is_a_link_is_done_again(small: Output) -> None:
    file, elsewhere = small.path / "w8/part-00000-00001.npy.zst", small.path.parent / "elsewhere"
    content = file.read_bytes()
    file.rename(elsewhere)
    folder = f"{elsewhere.parent}/"
    file.symlink_to(folder.ljust(len(content) - len(elsewhere.name), "/") + elsewhere.name)
    assert file.lstat().st_size == len(content) and file.read_bytes() == content
    assert "w8/part-00000-00001.npy.zst: it is a link" in nina("verify", small.path, status=FAILED).stdout
    embed(small.path, *archive_of(small), widths="16,8", block_lines=20)
    assert not file.is_symlink() and file.read_bytes() == content == elsewhere.read_bytes()
    nina("verify", small.path)


def test_out_itself_may_be_a_link(small: Output) -> None:
    link = small.path.parent / "link"
    link.symlink_to(small.path)
    nina("verify", link)
    embed(link, *archive_of(small), widths="16,8", block_lines=20).says("nothing to do")


def test_verify_calls_an_unfinished_run_incomplete(small: Output) -> None:
    manifest = small.path / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text[: text.index(',\n "totals"')].replace('"complete"', '"running"') + "\n}\n")
    (small.path / "parts/part-00001-00002.json").unlink()
    report = nina("verify", small.path, status=FAILED).stdout
    left = f"blocks of shard 1 ({small.path.parent}/in/shard-1.jsonl.gz) are yet to be done, the first is 2"
    assert f'incomplete manifest.json: the run is not finished (its state is "running"): {left}; ' in report
    assert "start the same command again" in report and "missing" not in report


@pytest.mark.threads
@pytest.mark.sanitize
def test_report_does_not_depend_on_threads(small: Output) -> None:
    for harm, _, name, _ in HARM[1:4] + HARM[5:]:
        harm(small.path / name)
    one, four = (nina("verify", small.path, "--threads", n, status=FAILED).stdout for n in (1, 4))
    assert one == four and one.count("\n") > len(HARM) - 2
