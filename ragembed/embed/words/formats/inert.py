"""A pickle read as data: nothing is imported, nothing is called.

``pickletools`` cuts the file into its instructions; here they are followed on a stack, and wherever a pickle would
fetch a class, call it or fill an object, a `Record` says so instead.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ragembed.embed.words.formats.source import Source, most_unpacked
from ragembed.errors import EmbeddingError

REMEDY = "save it as kv.save_word2vec_format(FILE) in the program that made it"


@dataclass(frozen=True)
class Name:
    """Where a pickle would fetch a class or function: ``module.name``."""

    path: str


@dataclass(eq=False, repr=False)
class Record:
    """What a pickle would make by calling `what`. It is never shown: what it holds may be nested without an end."""

    what: Any
    arguments: Any
    state: list[Any] = field(default_factory=list)
    """What the object would be filled with."""


_AHEAD = 1 << 20
"""Bytes read at once."""
_LONGEST_NAME = 10_000
_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = frozenset((
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
    "BYTEARRAY8", "BINSTRING", "SHORT_BINSTRING", "STRING", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1",
    "LONG4", "FLOAT", "BINFLOAT",
))  # fmt: skip
"""Instructions whose argument is a value."""
_SKIPPED = frozenset(("PROTO", "FRAME", "STOP"))


class _Bytes:
    """The file as `pickletools` reads it: a length that lies asks for no memory."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._room = most_unpacked(source.size) if source.packed else source.size
        self._data = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end."""
        data = self._data[self._at : self._at + size]
        self._at += len(data)
        if len(data) == size:
            return data
        if size > _AHEAD:
            return data + self._more(size - len(data))
        self._data, self._at = self._more(min(_AHEAD, self._room)), 0
        more = self._data[: size - len(data)]
        self._at = len(more)
        return data + more

    def _more(self, size: int) -> bytes:
        if size > self._room:
            raise ValueError(f"it says that {size} bytes follow, and at most {self._room} can")
        data = self._source.read(size)
        self._room -= len(data)
        return data

    def readline(self) -> bytes:
        """The next line; one that is too long for any name or number is cut, and fails."""
        line = bytearray()
        while len(line) < _LONGEST_NAME and (byte := self.read(1)):
            line += byte
            if byte == b"\n":
                break
        return bytes(line)


def read_inert(source: Source) -> Any:
    """What the pickle in `source` describes, made of plain values, `Name` and `Record`."""
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(_Bytes(source)):  # type: ignore[arg-type]
            machine.follow(opcode.name, argument)
        (result,) = machine.stack
    except EmbeddingError:
        raise
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
        MemoryError,
    ) as error:
        raise EmbeddingError(
            f"{source.path} is no pickle that can be read safely ({str(error)[:200]})", REMEDY
        ) from error
    return result


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def follow(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _VALUES:
            stack.append(argument)
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self.memo[int(argument)])
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self.memo[int(argument)] = stack[-1]
        elif name == "MARK":
            stack.append(_MARK)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in _SKIPPED:
            raise ValueError(f"it holds the instruction {name}")

    def marked(self) -> list[Any]:
        """Everything above the last mark, taken off."""
        stack = self.stack
        at = len(stack) - 1
        while stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("a mark is missing")
        values = stack[at + 1 :]
        del stack[at:]
        return values

    def taken(self, count: int) -> list[Any]:
        """The last `count` values, taken off."""
        if len(self.stack) < count:
            raise ValueError("its stack is empty")
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def push_dict(self, values: list[Any]) -> None:
        self.stack.append({})
        self.fill(values)

    def drop(self, _: list[Any]) -> None:
        """Nothing comes of what was taken off."""

    def extend(self, values: list[Any]) -> None:
        into = self.stack[-1]
        if isinstance(into, list):
            into.extend(values)
        elif isinstance(into, Record):
            into.state.append(values)
        else:
            raise TypeError("it adds to what is no list")

    def fill(self, values: list[Any]) -> None:
        into = self.stack[-1]
        pairs = zip(values[::2], values[1::2], strict=True)
        if isinstance(into, dict):
            into.update((_key(key), value) for key, value in pairs)
        elif isinstance(into, Record):
            into.state.append({_key(key): value for key, value in pairs})
        else:
            raise TypeError("it adds to what is no dict")

    def build(self) -> None:
        into, state = self.taken(2)
        if not isinstance(into, Record):
            raise TypeError("it fills what is no object")
        into.state.append(state)
        self.stack.append(into)

    def stack_global(self) -> None:
        module, name = self.taken(2)
        if not (isinstance(module, str) and isinstance(name, str)):
            raise TypeError("it names a class by what is no text")
        self.stack.append(Name(f"{module}.{name}"))

    def inst(self, argument: Any) -> None:
        values = self.marked()
        self.stack.append(Record(_named(str(argument)), tuple(values)))


def _key(key: Any) -> Any:
    """A key of a dict; whatever cannot be one stands for itself."""
    return key if isinstance(key, str | int | bytes | float | type(None) | Name) else id(key)


def _named(text: str) -> Name:
    return Name(text.replace(" ", "."))


_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_SET": lambda machine, _: machine.push([]),
    "LIST": lambda machine, _: machine.push(machine.marked()),
    "DICT": lambda machine, _: machine.push_dict(machine.marked()),
    "FROZENSET": lambda machine, _: machine.push(machine.marked()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.marked())),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.taken(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.taken(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.taken(3))),
    "APPEND": lambda machine, _: machine.extend(machine.taken(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.marked()),
    "ADDITEMS": lambda machine, _: machine.extend(machine.marked()),
    "SETITEM": lambda machine, _: machine.fill(machine.taken(2)),
    "SETITEMS": lambda machine, _: machine.fill(machine.marked()),
    "POP": lambda machine, _: machine.drop(machine.taken(1)),
    "POP_MARK": lambda machine, _: machine.drop(machine.marked()),
    "DUP": lambda machine, _: machine.push(machine.stack[-1]),
    "GLOBAL": lambda machine, argument: machine.push(_named(argument)),
    "STACK_GLOBAL": lambda machine, _: machine.stack_global(),
    "REDUCE": lambda machine, _: machine.push(Record(*machine.taken(2))),
    "NEWOBJ": lambda machine, _: machine.push(Record(*machine.taken(2))),
    "NEWOBJ_EX": lambda machine, _: machine.push(Record(*machine.taken(3)[:2])),
    "BUILD": lambda machine, _: machine.build(),
    "INST": _Machine.inst,
}
