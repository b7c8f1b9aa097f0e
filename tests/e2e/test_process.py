"""What the system can do to a process: streams that cannot be written, a limit on a file's size, a mapped file that shrinks. Each case ends
with a sentence and exit status 1, never with a signal and never in silence."""

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from many import heeds
from output import Output
from program import DONE, FAILED, GOLDEN, LONGEST_RUN, MODEL, PROGRAM, ROOT, USAGE, Result, checked, embed, embed_arguments, environment, nina
from shards import make_texts, write_shard

MUNICIPAL = ROOT / "tests" / "data" / "municipal"


def start(*arguments: Any, **streams: Any) -> subprocess.CompletedProcess[bytes]:
    command = [str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, env=environment(), timeout=LONGEST_RUN, stderr=subprocess.PIPE, **streams)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    write_shard(folder / "a.jsonl", [{"text": text} for text in make_texts(30, 1)])
    embed(folder / "out", folder / "a.jsonl", store_text=True, device="cpu", precision="fp32")
    return folder / "out"


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eval")
    nina("eval", "--vectors", GOLDEN / "municipal", "--data", MUNICIPAL, "--out", folder)
    return folder / "metrics.json"


PRINTS: dict[str, list[Any]] = {
    "no command": ["--help"],
    "help": ["help"],
    "version": ["--version"],
    "embed help": ["embed", "--help"],
    "eval help": ["eval", "--help"],
    "completion": ["--generate", "complete-bash"],
    "manual": ["--generate", "man", "embed"],
    "tokenize": ["tokenize", "--model", MODEL],
    "model": ["info", MODEL],
    "model as JSON": ["info", "--json", MODEL],
    "devices": ["info", "--devices"],
    "output": ["info", "OUT"],
    "output as JSON": ["info", "--json", "OUT"],
    "verify": ["verify", "OUT"],
    "search": ["search", "--model", MODEL, "--vectors", "OUT", "plaça"],
    "search as JSON": ["search", "--json", "--model", MODEL, "--vectors", "OUT", "plaça"],
    "comparison": ["eval", "--compare", "METRICS", "METRICS"],
}


def closed_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("stream", ["full", "closed pipe", "none"])
@pytest.mark.parametrize("name", PRINTS)
def test_what_cannot_be_printed_is_a_failure(out: Path, metrics: Path, name: str, stream: str) -> None:
    arguments = [{"OUT": out, "METRICS": metrics}.get(str(argument), argument) for argument in PRINTS[name]]
    assert start(*arguments, input=b"una frase\n", stdout=subprocess.DEVNULL).returncode == DONE
    options: dict[str, Any] = {"input": b"una frase\n"}
    if stream == "none":
        done = start(*arguments, preexec_fn=lambda: os.close(1), **options)
    else:
        descriptor = closed_pipe() if stream == "closed pipe" else os.open("/dev/full", os.O_WRONLY)
        done = start(*arguments, stdout=descriptor, **options)
        os.close(descriptor)
    error = checked(Result(done.returncode, "", done.stderr.decode()), FAILED).error
    assert "standard output" in error, error


def test_tokenize_ends_when_nobody_reads_on() -> None:
    """The input never ends."""
    command = [PROGRAM, "tokenize", "--model", str(MODEL)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment())
    assert process.stdin and process.stdout and process.stderr
    process.stdout.close()
    with pytest.raises(BrokenPipeError):
        while True:
            process.stdin.write(b"una frase\n" * 1000)
    assert process.wait(LONGEST_RUN) == FAILED and b"standard output" in process.stderr.read()
    process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS])
def test_fault_that_a_process_sends_ends_the_program(number: signal.Signals) -> None:
    """The handlers for real faults must not swallow it."""
    with subprocess.Popen([PROGRAM, "tokenize", "--model", str(MODEL)], stdin=subprocess.PIPE, env=environment()) as process:
        end = time.monotonic() + LONGEST_RUN
        while not heeds(process.pid, number) and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(number)
        try:
            assert process.wait(LONGEST_RUN) == -number
        finally:
            process.kill()


def test_stream_that_is_closed_is_not_written_into_a_file(tmp_path: Path, out: Path) -> None:
    """Otherwise the first file that nina opens would get the stream's number."""
    def close_all() -> None:
        for descriptor in (0, 1, 2):
            os.close(descriptor)

    command = [str(PROGRAM), *embed_arguments(tmp_path / "out", out.parent / "a.jsonl", widths="16")]
    process = subprocess.Popen(command, env=environment(), preexec_fn=close_all)
    assert process.wait(LONGEST_RUN) == DONE
    nina("verify", tmp_path / "out")


def test_limit_on_the_size_of_a_file_is_like_a_full_disk(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.jsonl", [{"text": text} for text in make_texts(3000, 3)])
    output = Output(tmp_path / "out")
    arguments = embed_arguments(output.path, shard)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = start(*arguments, stdout=subprocess.PIPE, preexec_fn=limit)
    result = checked(Result(done.returncode, done.stdout.decode(), done.stderr.decode()), FAILED)
    assert result.error.startswith(f"cannot write {output.path}/w") and result.error.endswith(": File too large")
    assert output.temporaries() == []
    nina(*arguments)
    nina("verify", output.path)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST_RUN
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_weights_that_are_shortened_while_they_are_used_are_named(tmp_path: Path) -> None:
    """nina reads the word table from the file as long as texts come."""
    model = tmp_path / "model\x1b"
    shutil.copytree(MODEL, model)
    weights = model / "model.safetensors"
    held = environment("sync:1:wait") | {"NINA_FAULT_UNTIL": str(tmp_path / "release")}
    shard = write_shard(tmp_path / "a.jsonl", [{"text": text} for text in make_texts(30, 3)])
    command = [str(PROGRAM), *embed_arguments(tmp_path / "out", shard, model=model, device="cpu")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=held)
    wait_until(lambda: "model.safetensors" in Path(f"/proc/{process.pid}/maps").read_text())
    os.truncate(weights, 0)
    (tmp_path / "release").touch()
    stdout, stderr = process.communicate(timeout=LONGEST_RUN)
    result = checked(Result(process.returncode, stdout.decode(), stderr.decode()), FAILED)
    name = str(weights).replace("\x1b", "?")
    assert result.error == f"{name} can no longer be read: it was shortened while it was in use, or its disk failed"


def embed_while(tmp_path: Path, change: Callable[[Path], object]) -> tuple[Result, Output, Output]:
    """Embeds, and changes the weights when the first of many blocks is committed. Returns the result, the output, and a straight run's."""
    model, out = tmp_path / "model", tmp_path / "out"
    shutil.copytree(MODEL, model)
    shard = write_shard(tmp_path / "a.jsonl", [{"text": text} for text in make_texts(200, 3)])
    options: dict[str, Any] = {"model": model, "device": "cpu", "block_lines": 2, "threads": 1}
    embed(tmp_path / "straight", shard, **options)
    held = environment("sync:20:wait") | {"NINA_FAULT_UNTIL": str(tmp_path / "release")}
    command = [str(PROGRAM), *embed_arguments(out, shard, **options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=held)
    wait_until(lambda: (out / "parts").is_dir() and any((out / "parts").iterdir()))
    change(model / "model.safetensors")
    (tmp_path / "release").touch()
    _, stderr = process.communicate(timeout=LONGEST_RUN)
    result = checked(Result(process.returncode, "", stderr.decode()), (DONE, FAILED))
    if result.status == FAILED:
        assert "holds another run" in embed(out, shard, status=USAGE, **options).error
    return result, Output(out), Output(tmp_path / "straight")


@pytest.mark.sanitize
def test_weights_that_are_written_to_while_they_are_used_give_no_rows(tmp_path: Path) -> None:
    """As by a script that saves the model of its next epoch into the same folder. Rows of both models would look alike."""

    def change(weights: Path) -> None:
        content = bytearray(weights.read_bytes())
        content[len(content) // 2] ^= 1
        with open(weights, "r+b") as file:
            file.write(content)

    result, out, straight = embed_while(tmp_path, change)
    assert result.status == FAILED
    result.says("model.safetensors was written to while it was in use; rows from now on would be of two models")
    written, right = out.files("w*/*"), straight.files("w*/*")
    assert 0 < len(written) < len(right)
    assert {name: right[name] for name in written} == written


def test_weights_that_are_replaced_while_they_are_used_stay_as_they_were(tmp_path: Path) -> None:
    def change(weights: Path) -> None:
        (tmp_path / "next").write_bytes(b"another model")
        (tmp_path / "next").rename(weights)

    result, out, straight = embed_while(tmp_path, change)
    assert result.status == DONE
    assert out.files("w*/*", "ids/*") == straight.files("w*/*", "ids/*")


def refusal(kind: str) -> str:
    return f"is {'a folder' if kind == 'folder' else 'a pipe or a device'}: expected a regular file"


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.parametrize("name", ["config.json", "modules.json", "tokenizer_config.json", "model.safetensors"])
def test_file_of_a_model_is_a_regular_file(tmp_path: Path, name: str, kind: str) -> None:
    shutil.copytree(MODEL, tmp_path / "model")
    put_other(tmp_path / "model" / name, kind)
    assert f"model/{name} {refusal(kind)}" in nina("info", tmp_path / "model", status=FAILED).error


def put_other(path: Path, kind: str) -> None:
    """Replaces a file by something that is not a regular file: a pipe without a writer, or an endless device."""
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_every_other_file_that_is_read_is_a_regular_one(tmp_path: Path, out: Path, metrics: Path, kind: str) -> None:
    other = tmp_path / "other"
    put_other(other, kind)
    says = refusal(kind)
    assert f"{other} {says}" in nina("eval", "--compare", other, metrics, status=FAILED).error
    assert f"{other} {says}" in nina("embed", "--config", other, status=USAGE).error

    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    put_other(copy / "manifest.json", kind)
    assert f"manifest.json {says}" in nina("info", copy, status=FAILED).error
    shutil.copy(out / "manifest.json", copy / "whole.json")
    os.replace(copy / "whole.json", copy / "manifest.json")
    for folder in ("parts", "ids"):
        file = next((copy / folder).iterdir())
        put_other(file, kind)
        assert f"{folder}/{file.name}" in nina("verify", copy, status=FAILED).stdout
        shutil.rmtree(copy)
        shutil.copytree(out, copy)

    data = tmp_path / "set"
    (data / "qrels").mkdir(parents=True)
    write_shard(data / "corpus.jsonl", [{"_id": "d", "text": "plaça"}])
    write_shard(data / "queries.jsonl", [{"_id": "q", "text": "plaça"}])
    put_other(data / "qrels" / "test.tsv", kind)
    arguments = ["eval", "--model", MODEL, "--data", data, "--out", tmp_path / "eval"]
    assert f"test.tsv {says}" in nina(*arguments, status=FAILED).error


def test_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """A hole of a terabyte takes no disk space, but would take all memory."""
    shutil.copytree(MODEL, tmp_path / "model")
    os.truncate(tmp_path / "model" / "config.json", 1 << 40)
    assert "config.json is larger than the" in nina("info", tmp_path / "model", status=FAILED).error


STEP = 256 << 10
NEW_MODEL = GOLDEN / "bert-mean-v6"  # its tokenizer is a large JSON file
IN_LITTLE_MEMORY: dict[str, list[Any]] = {
    "tokenize": ["tokenize", "--model", NEW_MODEL],
    "model": ["info", NEW_MODEL],
    "model as JSON": ["info", "--json", NEW_MODEL],
    "output as JSON": ["info", "--json", "OUT"],
    "comparison": ["eval", "--compare", "METRICS", "METRICS"],
    "search": ["search", "--model", MODEL, "--vectors", "OUT", "--threads", 1, "plaça"],  # with oneDNN
}


def start_within(limit: int, arguments: list[Any]) -> subprocess.CompletedProcess[bytes]:
    def take_limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    return start(*arguments, input=b"una frase\n", stdout=subprocess.PIPE, preexec_fn=take_limit)


@pytest.fixture(scope="module")
def least_memory() -> int:
    """What the libraries need before nina begins."""
    limit = 16 << 20
    while start_within(limit, ["--help"]).returncode != DONE:
        limit += 1 << 20
    return limit


@pytest.mark.parametrize("name", IN_LITTLE_MEMORY)
def test_short_memory_is_a_sentence_or_the_right_result(least_memory: int, out: Path, metrics: Path, name: str) -> None:
    arguments = [{"OUT": out, "METRICS": metrics}.get(str(argument), argument) for argument in IN_LITTLE_MEMORY[name]]
    expected, right, limit = start(*arguments, input=b"una frase\n", stdout=subprocess.PIPE).stdout, 0, least_memory
    while right < 4:
        done = start_within(limit, arguments)
        result = checked(Result(done.returncode, done.stdout.decode(), done.stderr.decode()), (DONE, FAILED))
        if done.returncode == DONE:
            assert done.stdout == expected
            right += 1
        else:
            assert "emory" in result.error, result.error
        limit += 4 * STEP if name == "search" else STEP
