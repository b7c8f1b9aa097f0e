"""The lines of `nina diff OLD NEW`: what a database that holds OLD's rows has to do to hold NEW's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .errors import UsageError
from .output import Output

_OPS = ("add", "change", "remove")


class Change(NamedTuple):
    """
    op       "add", "change", "remove"
    id       of the document
    chunk    its number in the document; None without --chunk-tokens
    number   of the row in NEW; None if it is removed
    """

    op: str
    id: str | int
    chunk: int | None
    number: int | None


def changes_read(new: Output, lines: Iterable[bytes]) -> Iterator[Change]:
    """The changes of `nina diff OLD NEW` in their order: rows of NEW in NEW's order, then what is removed. UsageError if
    the lines are not those of such a diff with `new` as NEW, or if the last one is cut."""
    op = ""
    for at, line in enumerate(lines, 1):
        try:
            if not line.endswith(b"\n"):
                raise ValueError("it is cut short")
            said = json.loads(line)
            before, op, row_id, part, row = op, said["op"], said["id"], said["part"], said["row"]
            if op not in _OPS:
                raise ValueError(f"there is no change {op!r}")
            if before == "remove" != op:
                raise ValueError("it stands after a removal")
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"line {at} of the changes is not one of nina diff's ({error!r}): make them anew") from error
        number = None
        if op != "remove":
            number = new.number_of(part, row)
            there = next(new.ids(number, number + 1))
            if (str(there.id), there.chunk) != (str(row_id), said.get("chunk")):
                raise UsageError(f"line {at} of the changes has the id {row_id!r}, but {new.path} has {there.id!r} in its "
                                 f"place: they are the changes to another output; make them anew (nina diff OLD NEW)")
        yield Change(op, row_id, said.get("chunk"), number)
