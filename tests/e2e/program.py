"""Runs nina. If a run crashes or a sanitizer reports something, the test fails, no matter what it tests."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("NINA", ROOT / "build" / "nina")).absolute()  # tests start it from other folders
GOLDEN = ROOT / "tests" / "golden"
MODEL = GOLDEN / "xlmr-cls-v3"
FULL = os.environ.get("NINA_FULL_TESTS", "") not in ("", "0")
LONGEST_RUN = int(os.environ.get("NINA_LONGEST_RUN", 300))  # seconds; a longer run counts as hanging. An emulated processor needs more

DONE, FAILED, USAGE, REJECTS = ANY = 0, 1, 2, 3
SANITIZER_WORDS = ("Sanitizer", "runtime error:")
# nina never has this exit status, so a report cannot pass for a failed run.
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "exitcode=99",
    "LSAN_OPTIONS": "exitcode=99",
    "TSAN_OPTIONS": "exitcode=99",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
}

# A file that never comes, for a thread that waits until its run is killed.
NEVER = Path("/nonexistent/release")

Argument = str | int | Path | bool | None
Status = int | tuple[int, ...]


@dataclass(frozen=True)
class Result:
    status: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """A failed run's sentence, which comes last."""
        sentence = self.stderr.rstrip("\n").split("\n")[-1]
        assert sentence.startswith("nina: "), self.stderr
        return sentence.removeprefix("nina: ")

    def says(self, *phrases: str) -> None:
        for phrase in phrases:
            assert phrase in self.stderr, f"{phrase!r} is not in:\n{self.stderr}"


def environment(fault: str | None = None, release: Path = NEVER) -> dict[str, str]:
    """A thread that the fault makes wait (io/fault.h) goes on when the file `release` is there."""
    variables = {name: value for name, value in os.environ.items() if name != "NINA_FAULT"}
    for name, options in SANITIZER_OPTIONS.items():
        variables[name] = f"{variables[name]}:{options}" if variables.get(name) else options
    return variables | ({"NINA_FAULT": fault, "NINA_FAULT_UNTIL": str(release)} if fault else {})


def checked(result: Result, status: Status) -> Result:
    output = f"{result.stdout[-2000:]}\n{result.stderr[-8000:]}"
    report = f"exit status {result.status}, expected {status}\n{output}"
    assert not any(word in result.stderr for word in SANITIZER_WORDS), report
    assert result.status in (status if isinstance(status, tuple) else (status,)), report
    return result


def nina(*arguments: Argument, stdin: bytes = b"", fault: str | None = None, status: Status = DONE) -> Result:
    """Runs nina to its end. The exit status must be `status`, or one of several."""
    command, variables = [str(PROGRAM), *map(str, arguments)], environment(fault)
    done = subprocess.run(command, input=stdin, capture_output=True, env=variables, timeout=LONGEST_RUN)
    return checked(Result(done.returncode, done.stdout.decode(), done.stderr.decode()), status)


def has_int8() -> bool:
    """False on a processor without VNNI."""
    return "int8" in nina("--version").stdout


def run_on_terminal(
    arguments: Sequence[Argument], columns: int = 80, stream: str = "stderr", status: int = DONE
) -> str:
    """Runs nina with a terminal as standard error or output, "stderr" or "stdout"; returns what nina wrote there."""
    return command_on_terminal([PROGRAM, *arguments], environment(), columns, stream, status)


def command_on_terminal(
    words: Sequence[Argument], variables: dict[str, str], columns: int = 80, stream: str = "stderr", status: int = DONE
) -> str:
    """The same for any program."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command, null = [str(word) for word in words], subprocess.DEVNULL
    streams = {"stdout": null, "stderr": None} | {stream: slave}  # None: the errors are shown with the test's
    end_of_output = b"\0the program has ended\0"
    content = b""
    with subprocess.Popen(command, stdin=null, env=variables, **streams) as process:

        def say_the_end() -> None:
            try:
                process.wait(LONGEST_RUN)
            finally:
                os.write(slave, end_of_output)

        # If the last writer closes a terminal before its reader comes, Linux may report the end without the last bytes.
        # So the test keeps the terminal open, and writes the end itself.
        waiter = threading.Thread(target=say_the_end)
        waiter.start()
        while not content.endswith(end_of_output):
            content += os.read(master, 65536)
        waiter.join()
        if process.returncode is None:
            process.kill()
    os.close(slave)
    os.close(master)
    assert process.returncode == status
    return content.removesuffix(end_of_output).decode()


def script_module(name: str) -> ModuleType:
    """A Python script of scripts/, to call its functions."""
    loader = SourceFileLoader(name.replace("-", "_"), str(ROOT / "scripts" / name))
    module = module_from_spec(spec_from_loader(loader.name, loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


def embed_arguments(
    out: Path, *inputs: Argument, model: Path = MODEL, device: str = "null", **options: Argument
) -> list[str]:
    """Arguments for `nina embed`: block_lines=20 is `--block-lines 20`, store_text=True is `--store-text`."""
    arguments = ["embed", "--model", str(model), "--out", str(out), "--device", device]
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            arguments.append(flag)
        elif value is not None and value is not False:
            arguments += [flag, str(value)]
    return arguments + [str(path) for path in inputs]


def embed(
    out: Path,
    *inputs: Argument,
    stdin: bytes = b"",
    fault: str | None = None,
    status: Status = DONE,
    **options: Argument,
) -> Result:
    """Runs `nina embed` on the tiny golden model, by default with the null encoder."""
    return nina(*embed_arguments(out, *inputs, **options), stdin=stdin, fault=fault, status=status)


def start_embed(
    out: Path,
    *inputs: Argument,
    stdin: int = subprocess.DEVNULL,
    fault: str | None = None,
    release: Path = NEVER,
    **options: Argument,
) -> subprocess.Popen[bytes]:
    """Starts such a run; the test must end it with `stop`. A run that must live until then is held by a fault that waits."""
    command = [str(PROGRAM), *embed_arguments(out, *inputs, **options)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=stdin, stdout=pipe, stderr=pipe, env=environment(fault, release))


def stop(process: subprocess.Popen[bytes], number: signal.Signals, status: Status, release: Path | None = None) -> Result:
    """Lets a held run go on as soon as the signal is sent."""
    process.send_signal(number)
    if release:
        release.touch()
    stdout, stderr = process.communicate(timeout=LONGEST_RUN)
    return checked(Result(process.returncode, stdout.decode(), stderr.decode()), status)


def wait_for_parts(out: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Waits until a run has committed `count` parts, or has ended."""
    end = time.monotonic() + LONGEST_RUN
    while process.poll() is None and sum(1 for _ in (out / "parts").glob("part-*")) < count:
        assert time.monotonic() < end, f"{count} parts never came"
        time.sleep(0.001)


def tokenize(
    texts: list[str], model: Path = MODEL, max_tokens: int | None = None, tokenizer: str = "auto"
) -> list[list[int]]:
    """Each text's token ids from `nina tokenize`."""
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    limit = ["--max-tokens", max_tokens] if max_tokens else []
    options = ["--model", model, "--tokenizer", tokenizer, *limit]
    printed = nina("tokenize", *options, stdin=lines.encode()).stdout
    return [json.loads(line) for line in printed.splitlines()]
