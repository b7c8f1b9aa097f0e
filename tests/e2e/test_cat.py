"""`nina cat` gives an output's vectors as one plain .npy, bit for bit, or a sentence and no file."""

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from output import Output, derive, same_bits
from program import (
    DONE,
    FAILED,
    LONGEST_RUN,
    PROGRAM,
    USAGE,
    Result,
    checked,
    embed,
    environment,
    nina,
    run_on_terminal,
)
from shards import make_archive

OPTIONS: dict[str, Any] = {"widths": "128,16", "block_lines": 50}
ROWS = (230, 0, 120, 1)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Output:
    folder = tmp_path_factory.mktemp("cat")
    embed(folder / "out", *make_archive(folder / "in", ROWS), **OPTIONS)
    return Output(folder / "out")


def cat_bytes(*arguments: Any) -> bytes:
    command = [str(PROGRAM), "cat", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, env=environment(), timeout=LONGEST_RUN)
    checked(Result(done.returncode, "", done.stderr.decode()), DONE)
    assert done.stderr == b""
    return done.stdout


def cat(*arguments: Any) -> np.ndarray:
    return np.load(io.BytesIO(cat_bytes(*arguments)))


def saved(rows: np.ndarray) -> bytes:
    """The bytes that NumPy writes."""
    stream = io.BytesIO()
    np.save(stream, rows)
    return stream.getvalue()


@pytest.mark.sanitize
@pytest.mark.threads
def test_bytes_are_those_that_numpy_saves_whatever_the_threads(output: Output) -> None:
    for width in 128, 16:
        for threads in 1, 2, 5:
            assert cat_bytes("--width", width, "--threads", threads, output.path) == saved(output.vectors(width))
    assert same_bits(cat(output.path), output.vectors(128))


@pytest.mark.sanitize
def test_width_that_is_not_stored_is_derived_bit_for_bit(output: Output, tmp_path: Path) -> None:
    embed(tmp_path / "out", *make_archive(tmp_path / "in", ROWS), **(OPTIONS | {"widths": "128,37"}))
    assert same_bits(cat("--width", 37, output.path), Output(tmp_path / "out").vectors(37))
    assert same_bits(cat("--width", 5, output.path), derive(output.vectors(128), 5))


def test_an_output_without_documents_is_an_array_without_rows(tmp_path: Path) -> None:
    embed(tmp_path / "out", *make_archive(tmp_path / "in", (0,)), **OPTIONS)
    assert cat_bytes("--width", 16, tmp_path / "out") == saved(np.empty((0, 16), np.float16))
    for rows in "0:1", "5:":
        nina("cat", "--rows", rows, tmp_path / "out", status=USAGE).says("has the rows 0:0")


@pytest.mark.sanitize
def test_fp32_holds_the_very_numbers(output: Output) -> None:
    for width in 128, 16, 5:
        wide = cat("--width", width, "--dtype", "f4", output.path)
        assert wide.dtype == np.dtype("<f4")
        assert np.array_equal(wide, cat("--width", width, output.path).astype(np.float32))


@pytest.mark.sanitize
def test_any_range_of_rows_over_any_parts(output: Output) -> None:
    rows, count = output.vectors(16), sum(ROWS)
    for first, end in (0, 1), (0, count), (49, 51), (50, 100), (229, 231), (77, 350), (350, 351):
        for width in 16, 128:
            found = cat("--rows", f"{first}:{end}", "--width", width, output.path)
            assert same_bits(found, output.vectors(width)[first:end])
    assert same_bits(cat("--rows", ":7", "--width", 16, output.path), rows[:7])
    assert same_bits(cat("--rows", "340:", "--width", 16, output.path), rows[340:])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--width", "129"], "--width 129: the vectors in {out} have 128 numbers"),
        (["--rows", "3:352"], "--rows 3:352: {out} has the rows 0:351"),
        (["--rows", "351:"], "--rows 351:351: {out} has the rows 0:351"),
        *(
            (["--rows", rows], f'rows: "{rows}" is not A:B with A below B, as 0:1000, 1000: or :1000')
            for rows in ("", ":", "7", "7:7", "8:3", "-1:3", "a:b", "0:1:2", "0:99999999999999999999", ":0")
        ),
        (["--overwrite"], "--overwrite is for --out FILE"),
        (["--dtype", "f8"], 'dtype: "f8" is none of f2, f4'),
    ],
)
def test_what_is_not_there_is_refused(output: Output, arguments: list[str], sentence: str) -> None:
    result = nina("cat", *arguments, output.path, status=USAGE)
    assert result.error == sentence.format(out=output.path) and result.stdout == ""


def test_file_is_there_when_it_is_whole_and_replaced_only_if_asked(output: Output, tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    nina("cat", "--out", file, output.path).says("351 rows of width 128 in ", "a.npy (87.9 KiB)")
    assert same_bits(np.load(file, mmap_mode="r"), output.vectors(128))
    file.write_bytes(b"mine")
    assert "is there already" in nina("cat", "--out", file, output.path, status=USAGE).error
    assert file.read_bytes() == b"mine"
    nina("cat", "--overwrite", "--width", 16, "--out", file, output.path)
    assert same_bits(np.load(file), output.vectors(16))
    for other in (tmp_path, Path("/dev/null")):
        error = nina("cat", "--overwrite", "--out", other, output.path, status=USAGE).error
        assert "is there and not a plain file" in error


@pytest.mark.parametrize("fault", ["write:2:ENOSPC", "write:1:ENOSPC", "sync:1:EIO", "rename:1:EACCES"])
def test_full_disk_leaves_no_file_and_keeps_the_old_one(output: Output, tmp_path: Path, fault: str) -> None:
    file = tmp_path / "a.npy"
    error = nina("cat", "--out", file, output.path, fault=fault, status=FAILED).error
    assert str(file) in error and ".tmp" not in error and list(tmp_path.iterdir()) == []
    file.write_bytes(b"mine")
    nina("cat", "--overwrite", "--out", file, output.path, fault=fault, status=FAILED)
    assert file.read_bytes() == b"mine" and list(tmp_path.iterdir()) == [file]


@pytest.mark.sanitize
def test_reader_that_leaves_and_a_full_device_are_told(output: Output) -> None:
    command = [PROGRAM, "cat", "--threads", "3", output.path]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=LONGEST_RUN)
    assert done.returncode == FAILED and b"cannot write to standard output: No space left" in done.stderr
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        process.stdout.close()
        told = process.stderr.read()
    assert process.returncode == FAILED and told == b"nina: cannot write to standard output: Broken pipe\n"


def test_vectors_do_not_go_to_a_terminal(output: Output) -> None:
    shown = run_on_terminal(["cat", output.path], stream="stdout", status=USAGE)
    assert shown == ""


def test_incomplete_output_gives_what_it_has_with_a_warning(output: Output, tmp_path: Path) -> None:
    manifest = output.manifest()
    subprocess.run(["cp", "-r", output.path, tmp_path / "out"], check=True)
    path = tmp_path / "out" / "manifest.json"
    path.write_text(json.dumps(manifest | {"state": "incomplete"}))
    file = tmp_path / "a.npy"
    nina("cat", "--out", file, tmp_path / "out").says("warning: ", "is not embedded to its end yet")
    assert same_bits(np.load(file), output.vectors(128))
    path.write_text(json.dumps({key: manifest[key] for key in manifest if key not in ("totals", "parts")} | {"state": "running"}))
    assert "is being written, or was cut off" in nina("cat", tmp_path / "out", status=FAILED).error


def test_damaged_part_is_named_with_the_command_that_tells_more(output: Output, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", output.path, tmp_path / "out"], check=True)
    part = Output(tmp_path / "out").parts("w128")[2]
    part.write_bytes(part.read_bytes()[:-1])
    error = nina("cat", "--out", tmp_path / "a.npy", tmp_path / "out", status=FAILED).error
    assert part.name in error and "nina verify" in error and not (tmp_path / "a.npy").exists()
    part.unlink()
    assert part.name in nina("cat", "--threads", 3, "--out", tmp_path / "a.npy", tmp_path / "out", status=FAILED).error
    assert list(tmp_path.glob("*.npy")) == list(tmp_path.glob(".*.tmp")) == []
