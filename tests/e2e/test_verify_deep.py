"""nina verify --deep: rows that no hash can call wrong are found by embedding their documents again."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from many import LAUNCHER, finish, needs_mpirun, nina_many, start_command
from models import copy_model, set_number
from output import Output, frame_texts, seekable
from program import DONE, FAILED, GOLDEN, MODEL, PROGRAM, REJECTS, USAGE, Result, embed, nina
from shards import compress, line_of, make_documents, read_shard, write_shard

ALL = 1000  # more parts than any OUT here has
OPTIONS: dict[str, Any] = {"widths": "64,16", "block_lines": 10, "id_field": "id", "threads": 2, "store_text": True, "keep_fields": "n"}


def write_archive(folder: Path) -> list[Path]:
    """A plain, a gzip and a zstd shard of 25 lines each, with a blank line and one that is no document in each."""
    folder.mkdir()
    shards = []
    for number, ending in enumerate((".jsonl", ".jsonl.gz", ".jsonl.zst")):
        lines: list[Any] = [{"id": f"d{number}-{i}", "n": [i, number], **document} for i, document in enumerate(make_documents(23, number))]
        lines.insert(4, "")
        lines.insert(12, "no document")
        shards.append(write_shard(folder / f"shard-{number}{ending}", lines))
    return shards


@pytest.fixture(params=["null", "cpu"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Output:
    """A complete run of nine parts: bit for bit on a CPU, and with the null encoder."""
    embed(tmp_path / "out", *write_archive(tmp_path / "in"), device=request.param, status=REJECTS, **OPTIONS)
    return Output(tmp_path / "out")


@pytest.fixture
def cpu_run(tmp_path: Path) -> Output:
    embed(tmp_path / "out", *write_archive(tmp_path / "in"), device="cpu", precision="fp32", status=REJECTS, **OPTIONS)
    return Output(tmp_path / "out")


def deep(output: Output, parts: int = ALL, model: Path = MODEL, status: Any = FAILED, **options: Any) -> Result:
    more = [word for name, value in options.items() for word in (f"--{name}", value)]
    return nina("verify", "--deep", parts, "--model", model, *more, output.path, status=status)


def forge(output: Output, path: str, content: bytes) -> None:
    """Puts other content in the place of a part's file, with a record and a manifest that say so."""
    change = len(content) - (output.path / path).stat().st_size
    output.replace(output.path / path, content)
    manifest = output.manifest()
    manifest["totals"]["file_bytes"] += change
    if path.startswith("w"):
        manifest["totals"]["vector_file_bytes"] += change
    (output.path / "manifest.json").write_text(json.dumps(manifest))


def flip(output: Output, path: str, row: int, width: int) -> None:
    """Flips the last bit of a row's first number. Its length stays 1 to 0.001."""
    texts = [bytearray(text) for text in frame_texts((output.path / path).read_bytes())]
    texts[1][2 * width * row] ^= 1
    forge(output, path, seekable([bytes(text) for text in texts]))


def edit_manifest(output: Output, **settings: Any) -> None:
    manifest = output.manifest()
    manifest["settings"] |= settings
    (output.path / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.sanitize
@pytest.mark.threads
def test_run_that_is_right_is_found_the_same_bit_for_bit(run: Output) -> None:
    result = deep(run, status=0)
    assert re.search(r"deep +9 of 9 parts \(seed \d+\) embedded again, 69 rows, and compared bit for bit; 9 are the same", result.stdout)
    assert "all is as recorded" in result.stdout


@pytest.mark.parametrize(
    ("part", "row", "place"),
    [("00000-00000", 2, "shard-0.jsonl:3"), ("00001-00001", 4, "shard-1.jsonl.gz:16"), ("00002-00002", 0, "shard-2.jsonl.zst:21")],
)
def test_row_whose_hashes_were_forged_is_named(run: Output, part: str, row: int, place: str) -> None:
    flip(run, f"w64/part-{part}.npy.zst", row, 64)
    nina("verify", run.path)
    result = deep(run)
    assert f"different  w64/part-{part}.npy.zst: 1 of " in result.stdout
    document = json.loads(read_shard(run.path.parent / "in" / place.split(":")[0]).splitlines()[int(place.split(":")[1]) - 1])
    assert re.search(rf"rows are not what embedding gives; the first is row {row} \(\S*{place}, id \"{document['id']}\"\), at cosine [01]\.", result.stdout)
    assert "8 are the same" in result.stdout
    assert f"rm {run.path}/parts/part-{part}.json;" in result.stdout


@pytest.mark.parametrize("folder", ["ids", "text", "fields", "rejects"])
def test_line_whose_hashes_were_forged_is_named(run: Output, folder: str) -> None:
    (path,) = [path for path in run.parts(folder) if "00001-00001" in path.name]
    name = f"{folder}/{path.name}"
    content = path.read_bytes()
    if folder == "rejects":
        forge(run, name, content.replace(b'"reason":"', b'"reason":"not '))
    else:
        word, other = {"ids": (b"d1-", b"D1-"), "text": (b"1/", b"2/"), "fields": (b", 1]", b", 2]")}[folder]
        forge(run, name, seekable([text.replace(word, other, 1) for text in frame_texts(content)]))
    nina("verify", run.path)
    result = deep(run)
    assert f"different  {name}: " in result.stdout and "embedding gives {" in result.stdout
    assert "8 are the same" in result.stdout


def test_lengths_that_are_not_those_of_the_rows_are_named(run: Output) -> None:
    path = run.parts("parts")[3]
    record = json.loads(path.read_text())
    full = max(range(len(record["lengths"])), key=record["lengths"].__getitem__)
    record["lengths"][full] -= 1
    record["lengths"][full - 1] += 1
    path.write_text(json.dumps(record))
    assert f"different  parts/{path.name}: lengths are not those of the rows that embedding gives" in deep(run).stdout


def test_hash_of_other_token_ids_is_named(run: Output) -> None:
    texts = [bytearray(text) for text in frame_texts((run.path / "hashes/part-00002-00000.npy.zst").read_bytes())]
    texts[1][16 * 3] ^= 1
    forge(run, "hashes/part-00002-00000.npy.zst", seekable([bytes(text) for text in texts]))
    nina("verify", run.path)
    result = deep(run)
    assert re.search(r'different  hashes/part-00002-00000.npy.zst: row 3 \(\S*shard-2.jsonl.zst:4, id "d2-3"\): its token ids are others', result.stdout)


def test_changed_setting_in_the_manifest_is_found(run: Output) -> None:
    edit_manifest(run, prompt="passage: ")
    nina("verify", run.path)
    result = deep(run)
    assert "different  parts/part-00000-00000.json: tokens is " in result.stdout
    assert "different  manifest.json: every part that was embedded again differs" in result.stdout
    assert "--overwrite: it starts anew" in result.stdout
    assert "rm " not in result.stdout


def test_other_model_is_refused(tmp_path: Path, run: Output) -> None:
    error = deep(run, model=GOLDEN / "bert-mean-v6", status=USAGE).error
    assert 'was made by another model ("xlmr-cls-v3")' in error and "hidden: 128 in the manifest, 64 now" in error
    model = copy_model(tmp_path, MODEL)
    set_number("roberta.embeddings.LayerNorm.bias", 0, 0.5)(model)
    assert "weights: " in deep(run, model=model, status=USAGE).error


def test_model_is_asked_for_unless_a_folder_has_its_name(run: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    error = nina("verify", "--deep", 2, run.path, status=USAGE).error
    assert error.endswith('its manifest has only the name, "xlmr-cls-v3", and no such folder is here; name the folder with --model')
    monkeypatch.chdir(GOLDEN)
    nina("verify", "--deep", 2, run.path)


def test_file_that_is_not_there_is_no_reason_to_blame_the_settings(run: Output) -> None:
    for path in run.parts("w16"):
        path.unlink()
    result = deep(run)
    assert result.stdout.count("missing    w16/part-") == result.stdout.count("unjudged   w16/part-") == 9
    assert "different" not in result.stdout and "0 are the same" in result.stdout
    assert "repair     start the same nina embed command again" in result.stdout


@pytest.mark.parametrize("loss", ["missing", "longer", "middle"])
def test_part_whose_shard_is_not_what_it_was_cannot_be_judged(run: Output, loss: str) -> None:
    shard = run.path.parent / "in" / "shard-0.jsonl"
    content = shard.read_bytes()
    if loss == "missing":
        shard.unlink()
        why = f"cannot open {shard}: No such file"
    elif loss == "longer":
        shard.write_bytes(content + b"{}\n")
        why = f"shard 0 ({shard}) has changed since: its size was {len(content)}, and is {len(content) + 3}"
    else:
        shard.write_bytes(content.replace(b'"d0-5"', b'"d0-6"'))
        why = f"shard 0 ({shard}) has changed since: its beginning or its end differs"
    nina("verify", run.path, status=0 if loss != "longer" else (0, FAILED))
    result = deep(run)
    for block in range(3):
        assert f"unjudged   parts/part-00000-0000{block}.json: {why}" in result.stdout
    assert "6 of 9 parts" in result.stdout and "6 are the same" in result.stdout
    assert "repair     put the shards back as they were, or draw other parts with another --seed" in result.stdout


def test_change_in_the_middle_of_a_long_shard_is_seen_where_it_is(tmp_path: Path) -> None:
    """The manifest's fingerprint covers 64 KiB at either end; the block's hash covers all of it."""
    shard = write_shard(tmp_path / "long.jsonl", make_documents(3000, 1))
    output = Output(tmp_path / "out")
    embed(output.path, shard, block_lines=500, widths="16")
    lines = shard.read_bytes().splitlines(keepends=True)
    assert sum(map(len, lines[:1200])) > 1 << 16 < sum(map(len, lines[1200:]))
    lines[1200] = lines[1200].replace(b"/", b"_")
    shard.write_bytes(b"".join(lines))
    nina("verify", output.path)
    result = deep(output)
    assert result.stdout.count("unjudged") == 1
    assert "unjudged   parts/part-00000-00002.json: the block at byte" in result.stdout
    assert "5 of 6 parts" in result.stdout


def test_seed_draws_the_same_parts_again(run: Output) -> None:
    for shard in (run.path.parent / "in").iterdir():
        shard.unlink()

    def drawn(seed: int) -> list[str]:
        return re.findall(r"unjudged +(parts/\S+):", deep(run, parts=3, seed=seed).stdout)

    draws = {seed: drawn(seed) for seed in range(1, 9)}
    assert all(len(set(parts)) == 3 and parts == sorted(parts) for parts in draws.values())
    assert draws[5] == drawn(5)
    assert len(set(map(tuple, draws.values()))) > 3
    result = deep(run, parts=1)
    seed = re.search(r"\(seed (\d+)\)", result.stdout)
    assert seed and f"seed {seed[1]}" in result.stderr
    assert deep(run, parts=1, seed=seed[1]).stdout == result.stdout


def test_another_compute_class_is_compared_by_cosine(cpu_run: Output) -> None:
    manifest = cpu_run.manifest()
    manifest["compute_class"]["isa"] = "a processor from elsewhere"
    (cpu_run.path / "manifest.json").write_text(json.dumps(manifest))
    flip(cpu_run, "w64/part-00000-00001.npy.zst", 3, 64)
    result = deep(cpu_run, status=0)
    assert re.search(r"compared by cosine: the least is (1\.0000000|0\.999999\d), at least 0\.999999 passes; 9 are the same", result.stdout)
    path = "w16/part-00001-00000.npy.zst"
    texts = frame_texts((cpu_run.path / path).read_bytes())
    texts[1] = texts[1][32:64] + texts[1][32:]  # row 0 is row 1
    forge(cpu_run, path, seekable(texts))
    result = deep(cpu_run)
    assert f"different  {path}: 1 of 9 rows are not what embedding gives; the first is row 0 (" in result.stdout


def test_precision_of_another_kind_is_compared_by_cosine(cpu_run: Output) -> None:
    result = nina("verify", "--deep", ALL, "--model", MODEL, "--precision", "bf16", cpu_run.path, status=(0, FAILED))
    if "oneDNN has no bf16" not in result.stderr:
        assert "at least 0.9999 passes; 9 are the same" in result.stdout


def test_hashes_of_the_null_encoder_are_no_vectors(run: Output) -> None:
    null = run.manifest()["compute_class"]["encoder"] == "null"
    error = deep(run, device="cpu" if null else "null", status=USAGE).error
    assert ("are no model's, but hashes" if null else "--device null has only hashes to compare") in error


def test_empty_and_damaged_shards_are_judged_as_they_were(tmp_path: Path) -> None:
    empty = write_shard(tmp_path / "empty.jsonl", [])
    whole = line_of({"text": "una línia"}) + b"\n"
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(compress(whole * 3000, ".gz")[:-20])
    output = Output(tmp_path / "out")
    embed(output.path, empty, cut, block_lines=700, status=FAILED)
    result = deep(output)
    assert "incomplete parts/part-00001-" in result.stdout
    assert "different" not in result.stdout and "unjudged" not in result.stdout
    drawn = len(output.parts("parts"))
    assert f"{drawn} of {drawn} parts" in result.stdout and f"{drawn} are the same" in result.stdout


def test_standard_input_cannot_be_read_again(tmp_path: Path) -> None:
    output = Output(tmp_path / "out")
    embed(output.path, "-", stdin=b'{"text": "a"}\n')
    assert "its shard was standard input, which cannot be read a second time" in deep(output).stdout


def test_options_of_deep_alone_are_refused(run: Output) -> None:
    for option in (["--seed", 3], ["--model", MODEL], ["--device", "cpu"], ["--precision", "fp32"]):
        assert nina("verify", *option, run.path, status=USAGE).error == f"{option[0]} is for --deep N, which embeds N parts again"


@needs_mpirun
@pytest.mark.parametrize("command", ["verify --deep 1 --model m .", "cat .", "cat --out x.npy .", "diff . .", "tokenize --model m"])
def test_many_ranks_are_refused_by_commands_that_work_in_one_process(tmp_path: Path, command: str) -> None:
    """Several would print everything twice, or one's bytes between another's."""
    out, target = tmp_path / "out", tmp_path / "x.npy"
    embed(out, write_shard(tmp_path / "one.jsonl", make_documents(3, 1)))
    words = [{"m": MODEL, ".": out, "x.npy": target}.get(word, word) for word in command.split()]
    name = "verify --deep" if "--deep" in words else words[0]
    result = nina_many(*words, ranks=2, status=(FAILED, USAGE))
    assert result.stdout == "" and f"nina: nina {name} works in one process, and a launcher has started several" in result.stderr
    assert not target.exists()
    if command != "cat .":  # Open MPI's standard output is a terminal
        nina_many(*words, ranks=1)


@needs_mpirun
def test_a_rank_that_is_a_shell_starts_such_commands_one_after_another_and_in_pipes(tmp_path: Path) -> None:
    """A night's script under mpirun or srun. MPI lets each rank be initialised by one process alone."""
    out = tmp_path / "out"
    embed(out, write_shard(tmp_path / "one.jsonl", make_documents(3, 1)))
    script = 'set -e; "$0" diff "$1" "$1"; "$0" cat "$1" | wc -c; "$0" verify --deep 1 --model "$2" "$1" && "$0" cat "$1" | "$0" cat "$1" | wc -c'
    words = [*LAUNCHER, "-n", "1", "sh", "-c", script, str(PROGRAM), str(out), str(MODEL)]
    result = finish(start_command(words, subprocess.DEVNULL), DONE)
    assert "MPI" not in result.stderr
    counts = [line for line in result.stdout.splitlines() if line.isdigit()]
    assert len(counts) == 2 and counts[0] == counts[1] != "0"


@pytest.mark.parametrize("told", ["OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2", "PMI_RANK=1 PMI_SIZE=2", "PMIX_RANK=1 SLURM_STEP_NUM_TASKS=2", "PMIX_RANK=1"])
def test_each_of_several_processes_refuses_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    """A rank may be a shell that goes on after exit status 0. srun tells the size beside PMIx, and another launcher with PMIx the rank alone."""
    out = tmp_path / "out"
    embed(out, write_shard(tmp_path / "one.jsonl", make_documents(3, 1)))
    for word in told.split():
        monkeypatch.setenv(*word.split("="))
    refusal = "nina cat works in one process, and a launcher has started several: start it without mpirun"
    result = nina("cat", out, status=USAGE)
    assert result.stdout == "" and result.error == refusal
    monkeypatch.setenv(told.partition("=")[0], "0")
    if "2" in told:
        assert nina("cat", out, status=USAGE).error == refusal
