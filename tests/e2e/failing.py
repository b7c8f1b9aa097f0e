"""Runs a command with tests/preload's library in front, which fails one call (call_sites.h), and judges how the command ends."""

import hashlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from many import LAUNCHER, LAUNCHER_VARIABLES
from output import Output
from program import DONE, FAILED, GOLDEN, LONGEST_RUN, MODEL, PROGRAM, REJECTS, SANITIZER_WORDS, USAGE, Result, embed, environment, nina
from shards import write_shard

PRELOAD = PROGRAM.parent / "tests" / "preload"
LIBRARY = PRELOAD / "libfail_call.so"
DISK = ("open", "close", "read", "write", "sync", "rename", "link", "remove", "folder", "truncate", "look", "list")
MEMORY = ("heap", "map", "thread")
LEAKS = Path(__file__).resolve().parents[1] / "preload" / "leaks.supp"
MEANING = {"EIO": "Input/output error", "ENOSPC": "No space left on device", "EMFILE": "Too many open files", "EACCES": "Permission denied"}
SAID = {site: tuple(MEANING.values()) for site in DISK} | {"flush": ("standard output",)}
SAID |= {site: ("emory", "thread", "standard output") for site in MEMORY}


@dataclass(frozen=True)
class Command:
    """A command of nina. Words in capitals stand for paths: NEW is what the command writes, the others are `given`."""

    words: list[Any]
    before: str = ""  # what lies at NEW when the command starts: a name in `given`
    writes: bool = True  # NEW is compared
    times: bool = False  # it prints how long it took, so what it prints is not compared
    stdin: str = ""  # what comes on standard input: a name in `given`
    ranks: int = 0
    variables: dict[str, str] = field(default_factory=dict)


TINY = ["embed", "--out", "NEW", "--id-field", "id", "--store-text", "--allow-rejects", "--widths", "32,8"]
ONE = [*TINY, "--threads", 1, "--model", MODEL, "--device", "cpu"]
NULL = [*TINY, "--threads", 2, "--model", MODEL, "--device", "null", "--block-lines", 2]
STREAM = ["embed", "--out", "NEW", "--threads", 1, "--model", MODEL, "--device", "null", "--widths", 8]  # its first lines are checked
COMMANDS: dict[str, Command] = {
    "embed": Command([*ONE, "SHARD"]),
    "embed without a model": Command([*TINY, "--threads", 1, "--model", MODEL, "--device", "null", "SHARD"]),
    "embed with two threads": Command([*NULL, "SHARD", "MORE"]),
    "embed with a tokenizer.json": Command([*TINY, "--threads", 1, "--model", GOLDEN / "bert-mean-v6", "--device", "cpu", "SHARD"]),
    "embed of packed shards": Command([*NULL, "PACKED.gz", "PACKED.zst"]),
    "embed of standard input": Command([*STREAM, "-"], stdin="packed.jsonl.zst"),
    "resume": Command([*NULL, "SHARD", "MORE"], "begun"),
    "resume of a job that died": Command([*ONE, "SHARD"], "locked"),
    "repair": Command([*NULL, "REPAIRED"], "damaged"),
    "append": Command([*NULL, "--append", "SHARD", "MORE"], "short"),
    "overwrite": Command([*NULL, "--overwrite", "SHARD", "MORE"], "out"),
    "chunk": Command([*NULL, "--chunk-tokens", 16, "--chunk-overlap", 4, "--keep-fields", "id", "SHARD", "MORE"]),
    "reuse": Command([*ONE, "--reuse", "OUT", "SHARD"]),
    "embed on two ranks": Command([*NULL, "SHARD", "MORE"], ranks=2),
    "dry run": Command([*NULL, "--dry-run", "SHARD"], writes=False, times=True),
    "diff": Command(["diff", "OUT", "LATER"], writes=False),
    "verify": Command(["verify", "--threads", 2, "OUT"], writes=False),
    "deep verify": Command(["verify", "--threads", 1, "--deep", 1, "--seed", 1, "--model", MODEL, "OUT"], writes=False),
    "devices": Command(["info", "--devices", "--json"], writes=False),
    "model": Command(["info", "--json", MODEL], writes=False),
    "tokenize": Command(["tokenize", "--model", MODEL], writes=False),
    "tokenize with WordPiece": Command(["tokenize", "--model", GOLDEN / "bert-uncased"], writes=False),
    "tokenize with a tokenizer.json": Command(["tokenize", "--model", GOLDEN / "bert-mean-v6"], writes=False),
    "tokenize with the library": Command(["tokenize", "--model", MODEL, "--tokenizer", "sentencepiece"], writes=False),
    "search": Command(["search", "--model", MODEL, "--vectors", "OUT", "--json", "plaça"], writes=False),
    "search of what matches": Command(["search", "--model", MODEL, "--vectors", "KEPT", "--where", "id=a", "--width", 8, "--rescore", 32, "riu"], writes=False),
    "eval": Command(["eval", "--model", MODEL, "--data", "SET", "--out", "NEW", "--device", "cpu", "--threads", 1]),
    "eval of vectors": Command(["eval", "--vectors", "EVAL", "--data", "SET", "--out", "NEW", "--threads", 1, "--compare", "EVAL/metrics.json"]),
}


def preloaded(library: Path = LIBRARY) -> dict[str, str]:
    """The variables of a program with the library in front, of a sanitizer's too."""
    variables = environment()
    variables["ASAN_OPTIONS"] += ":verify_asan_link_order=0:allocator_may_return_null=1"
    return variables | {"LD_PRELOAD": str(library)}


def dead_lock() -> str:
    """The lock of a process of this host that is no more."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    numbers = {"pid": 4_000_000, "start": 5, "parent": 4_000_001, "counter": 3}
    return json.dumps({"host": socket.gethostname(), "boot": boot, "namespace": os.readlink("/proc/self/ns/pid"), **numbers}) + "\n"


def make_given(folder: Path) -> Path:
    """Shards, a finished run of them and three that are not, one of them of a damaged shard, an evaluation set, its evaluation."""
    shard = write_shard(folder / "shard.jsonl", [{"id": "a", "text": "la plaça"}, {"id": "b", "text": "el carrer major"}, "no", ""])
    more = write_shard(folder / "more.jsonl", [{"id": "d", "text": "la festa major del barri"}, {"id": "e", "text": ""}, {"id": "f", "text": "taxa"}])
    for ending in ".gz", ".zst":
        write_shard(folder / f"packed.jsonl{ending}", [{"id": f"x{ending}", "text": "beca menjador"}, {"id": f"y{ending}", "text": "padró"}])
    options: dict[str, Any] = {"device": "cpu", "threads": 1, "id_field": "id", "store_text": True, "widths": "32,8"}
    embed(folder / "out", shard, allow_rejects=True, status=REJECTS, **options)
    null: dict[str, Any] = {"threads": 2, "id_field": "id", "store_text": True, "widths": "32,8", "block_lines": 2, "allow_rejects": True}
    embed(folder / "short", shard, status=REJECTS, **null)
    embed(folder / "begun", shard, more, fault="rename:9:kill", status=-9, **null)
    cut = write_shard(folder / "cut.jsonl.gz", [{"id": f"n{number}", "text": f"la plaça {number}"} for number in range(8)])
    cut.write_bytes(cut.read_bytes()[:-6])
    embed(folder / "damaged", cut, status=FAILED, **null)
    write_shard(folder / "repaired.jsonl.gz", [{"id": f"n{number}", "text": f"la plaça {number % 3}"} for number in range(4)])
    (folder / "locked").mkdir()
    (folder / "locked" / "job.lock").write_text(dead_lock())
    later = write_shard(folder / "later.jsonl", [{"id": "a", "text": "la plaça"}, {"id": "c", "text": "el riu"}])
    embed(folder / "later", later, **options)
    embed(folder / "kept", later, keep_fields="id", **options)
    (folder / "set" / "qrels").mkdir(parents=True)
    write_shard(folder / "set" / "corpus.jsonl", [{"_id": "p", "text": "plaça"}, {"_id": "r", "text": "riu"}])
    write_shard(folder / "set" / "queries.jsonl", [{"_id": "q", "text": "la plaça"}])
    (folder / "set" / "qrels" / "test.tsv").write_text("q\tp\t1\n")
    nina("eval", "--model", MODEL, "--data", folder / "set", "--out", folder / "eval", "--device", "cpu", "--threads", 1)
    return folder


# AddressSanitizer asks libc for a new thread's stack, for which libc takes memory; if this fails, the sanitizer itself ends the
# program. A program without the sanitizer does not make this call.
SANITIZER_WITHOUT_MEMORY = "__sanitizer::GetThreadStackTopAndBottom"


class Trial:
    """One command, of which one call fails."""

    def __init__(self, name: str, given: Path, scratch: Path) -> None:
        self.name, self.command, self.given, self.scratch = name, COMMANDS[name], given, scratch
        self.straight, self.files = self.run(self.prepared("straight"), {"NINA_CALL_COUNT": str(scratch / "count")})
        assert self.straight.status in (DONE, REJECTS), self.straight
        counts = (line.split() for line in (scratch / "count").read_text().splitlines())
        self.calls = {site: int(count) for site, count in counts}
        self.went_on_from: set[tuple[bytes, bytes]] = set()

    def prepared(self, name: str) -> Path:
        new = self.scratch / name
        if self.command.before:
            shutil.copytree(self.given / self.command.before, new)
        return new

    def words(self, new: Path) -> list[str]:
        names = {"NEW": new, "EVAL/metrics.json": self.given / "eval" / "metrics.json"}
        names |= {name.upper(): self.given / name for name in ("out", "set", "later", "kept", "eval")}
        names |= {"SHARD": self.given / "shard.jsonl", "MORE": self.given / "more.jsonl"}
        names |= {"REPAIRED": self.given / "repaired.jsonl.gz"}
        names |= {f"PACKED{ending}": self.given / f"packed.jsonl{ending}" for ending in (".gz", ".zst")}
        return [str(PROGRAM), *(str(names.get(str(word), word)) for word in self.command.words)]

    def run(self, new: Path, variables: dict[str, str]) -> tuple[Result, dict[str, bytes]]:
        words, given = self.words(new), preloaded()
        if variables.get("NINA_CALL", "").startswith("heap"):
            given["LSAN_OPTIONS"] += f":suppressions={LEAKS}:print_suppressions=0"
        if self.command.ranks:  # the first rank alone meets the failure
            chosen = "".join(f"export {name}={shlex.quote(value)}; " for name, value in variables.items())
            script = f'[ "$OMPI_COMM_WORLD_RANK" -ne 0 ] || {{ {chosen}:; }}; export LD_PRELOAD={LIBRARY}; exec "$@"'
            words = [*LAUNCHER, "-n", str(self.command.ranks), "sh", "-c", script, "sh", *words]
            given = {name: value for name, value in given.items() if name != "LD_PRELOAD"} | LAUNCHER_VARIABLES
            variables = {}
        lines = (self.given / self.command.stdin).read_bytes() if self.command.stdin else b'"la pla\xc3\xa7a"\n'
        done = subprocess.run(words, input=lines, capture_output=True, env=given | variables, timeout=LONGEST_RUN)
        said = done.stdout.decode().replace(str(new), "NEW")
        files = Output(new).files("*", "*/*", "*/*/*") if self.command.writes else {}
        # The next start removes the folder of a job that could not remove it. A report tells of its run's time, and a run goes on without one.
        kept = {name: content for name, content in files.items() if not name.startswith(".job.") and not name.endswith("report.json")}
        return Result(done.returncode, said, done.stderr.decode().replace(str(new), "NEW")), kept

    def fail(self, fault: str) -> str:
        """The call fails, and then the same command is started again. Returns how the first start ended."""
        new = self.prepared(fault.replace(":", "-"))
        site, _, action = (fault + ":").split(":")[:3]
        result, files = self.run(new, {"NINA_CALL": fault})
        try:
            return self.judged(new, site, action, result, files)
        except AssertionError as error:
            raise AssertionError(f"{self.name}, {fault}: {error}") from error
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def judged(self, new: Path, site: str, action: str, result: Result, files: dict[str, bytes]) -> str:
        if site == "heap" and SANITIZER_WITHOUT_MEMORY in result.stderr:
            self.check_goes_on(new, result)
            return "sanitizer"
        assert not any(word in result.stderr for word in SANITIZER_WORDS), result
        if result.status == self.straight.status:
            self.check_done(new, site, result, files)
            return "unnoticed"
        assert action != "short" and (action != "EINTR" or site not in ("read", "write")), result
        assert result.status in (FAILED, USAGE) or (self.command.ranks and site == "mpi"), result
        if site != "mpi":
            self.check_said(site, action, result)
        self.check_goes_on(new, result)
        return "told"

    def check_goes_on(self, new: Path, context: object) -> None:
        """The same command, started again, ends like an untouched run. From one state of the files this is tried once."""
        state = digest_of(new), digest_of(self.given)
        if state in self.went_on_from:
            return
        again, files = self.run(new, {})
        assert (again.status, files) == (self.straight.status, self.files), (context, again, differing(files, self.files))
        self.went_on_from.add(state)

    def check_done(self, new: Path, site: str, result: Result, files: dict[str, bytes]) -> None:
        """The right result: what could not be removed may lie there, and the next command does not mind it."""
        assert result.stdout == self.straight.stdout or self.command.times, result
        assert {name: content for name, content in files.items() if name in self.files} == self.files, (result, differing(files, self.files))
        left = files.keys() - self.files.keys()
        if left:
            assert site in DISK, left
            self.check_goes_on(new, left)

    def check_said(self, site: str, action: str, result: Result) -> None:
        said = [line for line in result.stderr.splitlines() if line.startswith(("nina: ", "libgomp: Out of memory"))]
        assert said or "verify" in self.name, result
        last = "".join(said[-1:]) + (result.stdout if "verify" in self.name else "")
        meanings = ("Interrupted system call",) if action == "EINTR" else (MEANING[action],) if action in MEANING else SAID[site]
        assert any(word in last for word in meanings), result
        for finding in "damaged", "missing", "different", "repair     rm", "repair     start":
            assert finding not in result.stdout, result


def digest_of(folder: Path) -> bytes:
    """Of the names and contents of all that lies in a folder, without a report's times; a folder that is not there has one too."""
    digest = hashlib.blake2b()
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        if path.name == "report.json":
            content = re.sub(rb"\d[\d.e+-]*", b"0", content)
        digest.update(f"{path.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return digest.digest() + bytes([folder.exists()])


def differing(files: dict[str, bytes], others: dict[str, bytes]) -> list[str]:
    return sorted(name for name in files.keys() | others.keys() if files.get(name) != others.get(name))
