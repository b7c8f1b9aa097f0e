"""The house rules that a program can check (CONTRIBUTING.md): which folder may include which, the source that implements a header,
names used twice, and layout."""

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# From the lowest floor up; folders on one floor do not include each other.
FLOORS = [
    {"io"},
    {"io/run"},
    {"host/ranks"},
    {"host/model"},
    {"cuda", "host/cpu"},
    {"host/flow", "host/retrieval"},
    {"host/job"},
    {"host/cli"},
]
LEVEL = {folder: level for level, folders in enumerate(FLOORS) for folder in folders}
SOURCES, HEADERS = (".c", ".cu", ".cpp"), (".h",)
LAYOUT_VERSION = "14."  # clang-format's; versions differ in layout


def files(folders: tuple[str, ...], endings: tuple[str, ...]) -> list[Path]:
    found = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in endings)
    return sorted(found)


def folder_of(path: Path) -> str:
    return str(path.parent.relative_to(ROOT))


PROGRAM = ("io", "host", "cuda")


def code_of(path: Path) -> str:
    """A file without comments, strings and directives."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", path.read_text(), flags=re.DOTALL)
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
    return re.sub(r"^#(?:[^\n]*\\\n)*[^\n]*", "", text, flags=re.MULTILINE)


def outer_code(path: Path) -> str:
    """The same code without the parts between braces."""
    text, depth, kept = code_of(path), 0, []
    for character in text:
        depth -= character == "}"
        if depth == 0:
            kept.append(character)
        depth += character == "{"
    return "".join(kept)


def test_every_folder_is_a_floor() -> None:
    assert {folder_of(path) for path in files(PROGRAM, SOURCES + HEADERS)} == set(LEVEL)


def test_a_file_includes_headers_of_its_own_floor_and_of_those_below() -> None:
    wrong = []
    for path in files(PROGRAM, SOURCES + HEADERS):
        own = folder_of(path)
        for included in re.findall(r'^#include "([^"]+)"', path.read_text(), re.MULTILINE):
            other = str(Path(included).parent)
            if other != own and LEVEL.get(other, len(FLOORS)) >= LEVEL[own]:
                wrong.append(f"{path.relative_to(ROOT)} includes {included}")
    assert not wrong, "\n".join(wrong)


def declared(header: Path) -> Iterator[str]:
    """Names of the functions that a header declares but does not define."""
    for statement in re.split(r"[;}]", outer_code(header)):
        words = re.sub(r"__attribute__ ?\(\(.*?\)\)", "", " ".join(statement.split()))
        function = re.match(r"(?!typedef|static|DEVICE|GLOBAL)[\w ]+?[ *](\w+) ?\([^{]*$", words)
        if function:
            yield function[1]


def test_a_function_is_defined_in_the_source_of_its_headers_name_or_of_its_own() -> None:
    """X.h is implemented by X.c, by X_*.c (score_tile_avx2.c), or by a source named after its function (kernel_pool by pool.cu). If
    a header says that it is private to its folder, several sources may implement it."""
    lost = []
    for header in files(PROGRAM, HEADERS):
        if re.search(r"[Pp]rivate to", header.read_text()):
            continue
        beside = [path for path in header.parent.iterdir() if path.suffix in SOURCES]
        for name in declared(header):
            named = [path for path in beside if path.stem in name or f"{path.stem}_".startswith(f"{header.stem}_")]
            definition = re.compile(rf"^[\w ]+?[ *]{name}\([^;{{]*\) \{{", re.MULTILINE)
            if not any(definition.search(code_of(path)) for path in named):
                lost.append(f"{header.relative_to(ROOT)}: {name}")
    assert not lost, "\n".join(lost)


def test_no_two_types_share_a_tag_and_no_function_bears_one() -> None:
    defined, called = defaultdict(set), set()
    for path in files(PROGRAM, SOURCES + HEADERS):
        text = code_of(path)
        for tag in re.findall(r"^(?:struct|enum|union) (\w+) \{", text, re.MULTILINE):
            defined[tag].add(str(path.relative_to(ROOT)))
        called |= set(re.findall(r"^(?:[\w*]+[ *]+)+?(\w+)\([^;]*?\)\s*[;{]", text, re.MULTILINE))
    shared = {tag: sorted(places) for tag, places in defined.items() if len(places) > 1}
    assert not shared
    assert not called & defined.keys()


def test_one_file_asks_what_stands_at_a_path() -> None:
    """A stat or an access that fails is no proof that nothing is there: io/look.h tells the two apart."""
    asking = re.compile(r"\b(?:stat|lstat|statx|access|euidaccess)\(")
    found = {str(path.relative_to(ROOT)) for path in files(PROGRAM, SOURCES + HEADERS) if asking.search(code_of(path))}
    assert found == {"io/look.c"}


def test_no_formatted_string_is_asprintfs() -> None:
    """If memory runs out, glibc's asprintf may write behind its string (io/text.h)."""
    asking = re.compile(r"\bv?asprintf\(")
    assert not [str(path.relative_to(ROOT)) for path in files(PROGRAM, SOURCES + HEADERS) if asking.search(code_of(path))]


def test_one_file_has_json_read_and_printed() -> None:
    """If memory runs out, jansson's parser may crash, and its printer leave a part out: io/json_parse.h lets neither pass."""
    asking = re.compile(r"\bjson_(?:load\w*|dump[bs])\(")
    found = {str(path.relative_to(ROOT)) for path in files(PROGRAM, SOURCES + HEADERS) if asking.search(code_of(path))}
    assert found == {"io/json_parse.c"}


def clang_format() -> str | None:
    for program in (Path(sys.prefix) / "bin" / "clang-format", "clang-format-14", "clang-format"):
        found = shutil.which(program)
        version = subprocess.run([found, "--version"], capture_output=True, text=True).stdout if found else ""
        if f"version {LAYOUT_VERSION}" in version:
            return found
    return None


def test_layout_is_clang_formats() -> None:
    program = clang_format()
    if not program:
        pytest.skip(f"no clang-format {LAYOUT_VERSION}*: scripts/setup installs it")
    everything = files((*PROGRAM, "tests"), SOURCES + HEADERS)
    done = subprocess.run([program, "--dry-run", "-Werror", *everything], capture_output=True, text=True, cwd=ROOT)
    wrong = sorted({line.split(":")[0] for line in done.stderr.splitlines() if "error: code should be clang-formatted" in line})
    assert done.returncode == 0, f"clang-format -i {' '.join(wrong)}"
