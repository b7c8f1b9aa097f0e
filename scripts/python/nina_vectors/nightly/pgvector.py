"""python -m nina_vectors.nightly.pgvector NEW changes.jsonl | psql DATABASE -v ON_ERROR_STOP=1

Writes what `nina diff OLD NEW > changes.jsonl` says as SQL, for a table that `export --to pgcopy` has made of OLD. It is
one transaction: the table holds OLD or NEW, never something between, also if this script or psql is stopped. Done twice
it gives the same table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from .. import UsageError, open as open_output
from ..changes import Change, changes_read
from ..command_line import run
from ..export.to_pgcopy import CLIENT_ENCODING, COLUMNS, CopyLines, check_table, copy_text, quoted

KEY = ("id", "chunk")


def rows_of(changes: Iterator[Change], removed: list[Change]) -> Iterator[tuple[int, int]]:
    """Rows of NEW that are to be written, as (start, stop) of those that follow each other. Ends with the first removal, which
    goes into `removed`; `changes` has the others still."""
    start = stop = -1
    for change in changes:
        if change.number is None:
            removed.append(change)
            break
        elif change.number == stop:
            stop += 1
        else:
            if start >= 0:
                yield start, stop
            start, stop = change.number, change.number + 1
    if start >= 0:
        yield start, stop


def sql_of(changes: Iterator[Change], lines: CopyLines, table: str) -> Iterator[str]:
    names = [*COLUMNS, "embedding"]
    others = [name for name in names if name not in KEY]
    removed: list[Change] = []
    yield f"BEGIN;\n{CLIENT_ENCODING}\nCREATE TEMP TABLE nina_changed (LIKE {table}) ON COMMIT DROP;\nCOPY nina_changed FROM STDIN;\n"
    for start, stop in rows_of(changes, removed):
        yield from lines.of(start, stop)
    yield "\\.\nCREATE TEMP TABLE nina_removed (id text, chunk integer) ON COMMIT DROP;\nCOPY nina_removed FROM STDIN;\n"
    for change in chain(removed, changes):
        yield f"{copy_text(str(change.id))}\t{change.chunk or 0}\n"
    yield f"\\.\nDELETE FROM {table} t USING nina_removed r WHERE (t.id, t.chunk) = (r.id, r.chunk);\n"
    yield (f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(names)} FROM nina_changed\n"
           f"  ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET {', '.join(f'{name} = EXCLUDED.{name}' for name in others)};\n")
    yield "COMMIT;\n"


def write(words: argparse.Namespace) -> None:
    check_table(words.table)
    with open_output(words.new) as new, words.changes.open("rb") as file:
        if not new.complete:
            raise UsageError(f"{words.new} is not complete, so nothing is the difference to it")
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
        sys.stdout.writelines(sql_of(changes_read(new, file), CopyLines(new, words.width, not words.no_text), quoted(words.table)))
        sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser("nina_vectors.nightly.pgvector", description="Writes what nina diff says as SQL for psql.")
    parser.add_argument("new", metavar="NEW", type=Path, help="the second output that nina diff compared")
    parser.add_argument("changes", metavar="CHANGES", type=Path, help="what nina diff printed")
    parser.add_argument("--table", default="nina", help="the table's name (default nina)")
    parser.add_argument("--width", type=int, help="of the table's vectors (default: the widest)")
    parser.add_argument("--no-text", action="store_true", help="leave stored texts out")
    words = parser.parse_args()
    return run(lambda: write(words), words.new)


if __name__ == "__main__":
    sys.exit(main())
