"""Columns of Parquet: ids and kept fields, with types that hold all of a run's values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import needs
from ..output import Id, Output

try:
    import pyarrow as pa
except ImportError as _error:
    raise needs("pyarrow", "Parquet") from _error

INT64_MOST = 2**63 - 1
EXACT_MOST = 2**53  # whole numbers up to it are exact in fp64

JSON = "json"  # a value's JSON, as a string: the type of columns whose values have no type in common
TYPES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    JSON: pa.string(),
}
_STRING_OR_INFINITY = re.compile(r'("(?:[^"\\]|\\.)*")|Infinity')
LIST = "list of "  # before one of the first four

ROW_COLUMNS = [
    ("shard", pa.int32()),
    ("line", pa.int64()),
    ("chunk", pa.int32()),
    ("start", pa.int64()),
    ("end", pa.int64()),
    ("tokens", pa.int32()),
    ("truncated", pa.bool_()),
]


class TypeSeen:
    """What the values of one column have been so far. Null has every type."""

    def __init__(self, is_item: bool = False) -> None:
        self.is_item = is_item
        self.kinds: set[type] = set()
        self.largest = 0  # of whole numbers, their size
        self.beyond = False  # there is a number such as 1e400, which is infinite in fp64
        self.items: TypeSeen | None = None

    def add(self, value: Any) -> None:
        kind = type(value)
        self.kinds.add(kind)
        if kind is int:
            self.largest = max(self.largest, abs(value))
        elif kind is float:
            self.beyond |= math.isinf(value)
        elif kind is list and not self.is_item:  # a list of lists is JSON, whatever they hold
            self.items = self.items or TypeSeen(is_item=True)
            for item in value:
                self.items.add(item)

    def name(self) -> str:
        """The type's name: a key of TYPES, or LIST and such a key."""
        kinds = self.kinds - {type(None)}
        if kinds <= {str}:
            return "string"
        if kinds == {bool}:
            return "bool"
        if kinds == {int} and self.largest <= INT64_MOST:
            return "int64"
        if self.beyond:
            return JSON
        if kinds == {float} or (kinds == {int, float} and self.largest <= EXACT_MOST):
            return "float64"
        if kinds == {list} and self.items:
            item = self.items.name()
            return JSON if item == JSON else LIST + item
        return JSON


def type_of(name: str) -> pa.DataType:
    return pa.list_(TYPES[name.removeprefix(LIST)]) if name.startswith(LIST) else TYPES[name]


def types_seen(output: Output) -> dict[str, str]:
    """The type of the ids ("id"), and of each kept field ("field:NAME"), over the whole run."""
    seen = TypeSeen()
    for row in output.ids():
        seen.add(row.id)
    types = {"id": seen.name()}
    fields = {name: TypeSeen() for name in output.kept_fields}
    if fields:
        for values in output.fields():
            for name, value in values.items():
                fields.setdefault(name, TypeSeen()).add(value)
    return types | {f"field:{name}": of.name() for name, of in fields.items()}


def as_json(value: Any) -> str | None:
    if value is None:
        return None
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # A number such as 1e400 is infinite in Python, whose word for it JSON does not know.
    return _STRING_OR_INFINITY.sub(lambda found: found[1] or "1e999", text) if "Infinity" in text else text


def array_of(values: Iterable[Any], type_name: str) -> pa.Array:
    """A column's values of some rows."""
    if type_name == JSON:
        values = map(as_json, values)
    elif type_name == "float64":
        values = (None if value is None else float(value) for value in values)
    elif type_name == LIST + "float64":
        values = (None if value is None else [None if item is None else float(item) for item in value] for value in values)
    return pa.array(list(values), type_of(type_name))


class RowColumns:
    """The columns of a run but for its vectors: id, its place, kept fields, and the text if `text`.

    A kept field whose name is another column's gets "field_" before it.
    """

    def __init__(self, output: Output, types: dict[str, str], text: bool) -> None:
        self._types = types
        self._fields = [key.removeprefix("field:") for key in types if key.startswith("field:")]
        taken = {"id", "text", "vector", *(name for name, _ in ROW_COLUMNS)}
        self._names: dict[str, str] = {}
        for field in self._fields:
            name = field
            while name in taken:
                name = f"field_{name}"
            taken.add(name)
            self._names[field] = name
        self.has_text = text and output.stores_text
        self.has_fields = bool(self._fields)
        self.folders = ["ids"] + ["fields"] * self.has_fields + ["text"] * self.has_text
        self._output = output
        is_json = {"nina.type": JSON} if types["id"] == JSON else None
        self.schema = [pa.field("id", type_of(types["id"]), metadata=is_json), *(pa.field(name, of) for name, of in ROW_COLUMNS)]
        for field in self._fields:
            of = types[f"field:{field}"]
            says = {"nina.field": field} | ({"nina.type": JSON} if of == JSON else {})
            self.schema.append(pa.field(self._names[field], type_of(of), metadata=says))
        if self.has_text:
            self.schema.append(pa.field("text", pa.string()))

    def arrays(self, start: int, stop: int) -> list[pa.Array]:
        """The columns of rows start … stop - 1, in the order of `schema`."""
        ids: Sequence[Id] = list(self._output.ids(start, stop))
        arrays = [array_of((row.id for row in ids), self._types["id"])]
        arrays += [pa.array([getattr(row, name) for row in ids], of) for name, of in ROW_COLUMNS]
        if self.has_fields:
            values = list(self._output.fields(start, stop))
            arrays += [array_of((row.get(name) for row in values), self._types[f"field:{name}"]) for name in self._fields]
        if self.has_text:
            arrays.append(pa.array(list(self._output.texts(start, stop)), pa.string()))
        return arrays
