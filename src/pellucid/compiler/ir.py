"""The little language that kernels are written in; what comes out is LLVM IR.

A kernel is a Python function that says, through a `Function`, what the machine shall do: loops,
loads, fused multiply-adds, stores. Python runs once, when the code is made; whatever is a plain
number then (a stride, a count) is folded into the code. What is only known when the machine runs
is a `Value`, and `a * 3 + b` on values writes the instructions.

```python
module = Module(Width(lanes=16, registers=32, fma=True))
f = module.function("scale", {"x": "float*", "factor": "float", "count": "i64"})
x, factor, count = f.arguments
wide = f.splat(factor)
with f.each(count) as i:
    x.store(x.load(i * f.lanes) * wide, i * f.lanes)
f.done()
```

Vectors are explicit: `<L x float>` with L lanes (16 for AVX-512, 8 for AVX2, 4 for NEON and SSE).
A run of numbers that is no multiple of L ends in a partial vector: `load(offset, count)` fills the
rest with zeros, `store(value, offset, count)` leaves it alone. Nothing here knows which processor
it is for.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = ["Address", "Function", "Index", "Module", "Value", "Width", "blocks", "vectors_over"]


@dataclass(frozen=True)
class Width:
    """What kernels need to know of a processor.

    Attributes:
        lanes: How many floats a vector has.
        registers: How many vector registers there are.
        fma: Whether a fused multiply-add is one instruction; else it is a product and a sum.
    """

    lanes: int
    registers: int
    fma: bool


def blocks(total: int, most: int) -> list[tuple[int, int]]:
    """Split `total` into runs of at most `most` that differ by one at most.

    Returns (run length, how many such runs): `blocks(26, 6)` is [(6, 1), (5, 4)].
    """
    if total == 0:
        return []
    count = -(-total // most)
    short, longer = divmod(total, count)
    return [run for run in ((short + 1, longer), (short, count - longer)) if run[1]]


class Value:
    """Something that is known when the machine runs: a number, a truth value, a vector."""

    __slots__ = ("function", "name", "type")

    def __init__(self, function: Function, kind: str, name: str) -> None:
        self.function, self.type, self.name = function, kind, name

    def __add__(self, other: Operand) -> Value:
        return self.function.arithmetic("add", self, other)

    def __sub__(self, other: Operand) -> Value:
        return self.function.arithmetic("sub", self, other)

    def __mul__(self, other: Operand) -> Value:
        return self.function.arithmetic("mul", self, other)

    def __truediv__(self, other: Operand) -> Value:
        return self.function.arithmetic("div", self, other)

    def __floordiv__(self, other: Operand) -> Value:
        return self.function.arithmetic("udiv", self, other)

    def __mod__(self, other: Operand) -> Value:
        return self.function.arithmetic("urem", self, other)

    def __and__(self, other: Value) -> Value:
        return self.function.arithmetic("and", self, other)

    def __or__(self, other: Value) -> Value:
        return self.function.arithmetic("or", self, other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Operand) -> Value:
        return self.function.constant(other, self.type) - self

    def __rtruediv__(self, other: Operand) -> Value:
        return self.function.constant(other, self.type) / self

    def __lt__(self, other: Operand) -> Value:
        return self.function.compare("lt", self, other)

    def __le__(self, other: Operand) -> Value:
        return self.function.compare("le", self, other)

    def __gt__(self, other: Operand) -> Value:
        return self.function.compare("gt", self, other)

    def __ge__(self, other: Operand) -> Value:
        return self.function.compare("ge", self, other)

    def equals(self, other: Operand) -> Value:
        """Return whether the two are the same (for floats: and neither is NaN)."""
        return self.function.compare("eq", self, other)

    def differs(self, other: Operand) -> Value:
        """Return whether the two are not the same (for floats: or one is NaN)."""
        return self.function.compare("ne", self, other)

    @property
    def is_float(self) -> bool:
        """Whether it is a float or a vector of floats."""
        return "float" in self.type


Operand = Value | int | float
Index = Value | int


class Address:
    """A place in memory where numbers of one type begin."""

    __slots__ = ("element", "function", "name", "readonly")

    def __init__(self, function: Function, element: str, name: str) -> None:
        self.function, self.element, self.name = function, element, name

    def __add__(self, offset: Index) -> Address:
        """Return the address `offset` elements further on."""
        if isinstance(offset, int) and offset == 0:
            return self
        f = self.function
        place = f.line(
            f"getelementptr inbounds {self.element}, ptr {self.name}, i64 {text(offset)}"
        )
        return Address(f, self.element, place)

    def get(self, offset: Index = 0) -> Value:
        """Load one number."""
        f = self.function
        return Value(f, self.element, f.line(f"load {self.element}, ptr {(self + offset).name}"))

    def put(self, value: Operand, offset: Index = 0) -> None:
        """Store one number."""
        f = self.function
        f.lines.append(
            f"  store {self.element} {f.constant(value, self.element).name}, "
            f"ptr {(self + offset).name}"
        )

    def load(self, offset: Index = 0, count: int | None = None) -> Value:
        """Load a vector; with `count`, only its first numbers, and zeros for the rest."""
        f = self.function
        lanes = f.lanes
        place = (self + offset).name
        if count is None or count >= lanes:
            kind = f"<{lanes} x {self.element}>"
            return Value(
                f, kind, f.line(f"load {kind}, ptr {place}, align {f.align(self.element)}")
            )
        if count == 1:
            whole = f"<{lanes} x {self.element}>"
            one = f.line(f"load {self.element}, ptr {place}")
            return f.value(
                whole, f"insertelement {whole} zeroinitializer, {self.element} {one}, i32 0"
            )
        kind = f"<{count} x {self.element}>"
        part = f.line(f"load {kind}, ptr {place}, align {f.align(self.element)}")
        mask = ", ".join(f"i32 {min(i, count)}" for i in range(lanes))
        return Value(
            f,
            f"<{lanes} x {self.element}>",
            f.line(
                f"shufflevector {kind} {part}, {kind} zeroinitializer, <{lanes} x i32> <{mask}>"
            ),
        )

    def store(self, value: Value, offset: Index = 0, count: int | None = None) -> None:
        """Store a vector; with `count`, only its first numbers."""
        f = self.function
        lanes, kind, name = f.lanes, value.type, value.name
        if count == 1:
            self.put(f.extract(value, 0), offset)
            return
        if count is not None and count < lanes:
            mask = ", ".join(f"i32 {i}" for i in range(count))
            name = f.line(f"shufflevector {kind} {name}, {kind} poison, <{count} x i32> <{mask}>")
            kind = f"<{count} x {self.element}>"
        place = (self + offset).name
        f.lines.append(f"  store {kind} {name}, ptr {place}, align {f.align(self.element)}")

    def fetch(self, offset: Index = 0, *, later: bool = False) -> None:
        """Have the line of memory brought near that will be read and written soon.

        With `later` it will be read alone, and comes no nearer than the second-level cache.
        """
        f = self.function
        f.module.declare("llvm.prefetch.p0", "void @(ptr, i32, i32, i32)")
        how = "i32 0, i32 2, i32 1" if later else "i32 1, i32 3, i32 1"
        f.lines.append(f"  call void @llvm.prefetch.p0(ptr {(self + offset).name}, {how})")

    def broadcast(self, offset: Index = 0) -> Value:
        """Load one number into every lane of a vector."""
        return self.function.splat(self.get(offset))

    def address(self, offset: Index, element: str) -> Address:
        """Load an address."""
        f = self.function
        return Address(f, element, f.line(f"load ptr, ptr {(self + offset).name}"))

    @property
    def number(self) -> Value:
        """The address as a number; 0 is no place."""
        return self.function.value("i64", f"ptrtoint ptr {self.name} to i64")

    # What several threads do to the same number (i64).

    def exchange(self, value: Operand, offset: Index = 0) -> Value:
        """Store a number and return what was there, as one step."""
        return self._atomic("xchg", value, offset)

    def increase(self, value: Operand, offset: Index = 0) -> Value:
        """Add to a number and return what was there, as one step."""
        return self._atomic("add", value, offset)

    def swap(self, expected: Value, value: Operand, offset: Index = 0) -> Value:
        """Store a number if the expected one is there, as one step; return whether it was."""
        f = self.function
        given = f.constant(value, "i64").name
        pair = f.line(
            f"cmpxchg ptr {(self + offset).name}, i64 {expected.name}, i64 {given} seq_cst seq_cst"
        )
        return f.value("i1", f"extractvalue {{ i64, i1 }} {pair}, 1")

    def _atomic(self, word: str, value: Operand, offset: Index) -> Value:
        f = self.function
        given = f.constant(value, "i64").name
        return f.value("i64", f"atomicrmw {word} ptr {(self + offset).name}, i64 {given} seq_cst")

    def post(self, value: Operand, offset: Index = 0) -> None:
        """Store a number that another thread may be looking at."""
        f = self.function
        given, place = f.constant(value, "i64").name, (self + offset).name
        f.lines.append(f"  store atomic i64 {given}, ptr {place} release, align 8")

    def watch_address(self, offset: Index, element: str) -> Address:
        """Load an address that another thread may be changing."""
        f, place = self.function, (self + offset).name
        return Address(f, element, f.line(f"load atomic ptr, ptr {place} seq_cst, align 8"))

    def watch(self, offset: Index = 0) -> Value:
        """Load a number that another thread may be changing."""
        f = self.function
        place = (self + offset).name
        return f.value("i64", f"load atomic i64, ptr {place} seq_cst, align 8")


_SIZES = {"float": 4, "i32": 4, "i8": 1, "i64": 8, "ptr": 8, "double": 8}
_INTEGER = {"add": "add", "sub": "sub", "mul": "mul", "udiv": "udiv", "urem": "urem"}
_FLOAT = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}


def text(value: Index) -> str:
    """Return an operand as IR writes it."""
    return value.name if isinstance(value, Value) else str(value)


def _float(number: float) -> str:
    """A float as LLVM wants it: the bits of the same number in double precision."""
    single = struct.unpack("<f", struct.pack("<f", number))[0]
    return "0x" + struct.pack(">d", single).hex().upper()


class Module:
    """The functions that are compiled together.

    Attributes:
        width: What the kernels are written for.
    """

    def __init__(self, width: Width) -> None:
        self.width = width
        self._bodies: list[str] = []
        self._names: set[str] = set()
        self._declared: dict[str, str] = {}

    def function(
        self, name: str, parameters: Mapping[str, str], *, export: bool = False
    ) -> Function:
        """Begin a function; a parameter's type is "i64", "float", or an element's with a `*`."""
        self._names.add(name)
        return Function(self, name, parameters, export)

    def has(self, name: str) -> bool:
        """Whether there is a function of this name already."""
        return name in self._names

    def declare(self, name: str, signature: str) -> None:
        """Declare a function from outside; `signature` holds `@` in the place of its name."""
        self._declared[name] = "declare " + signature.replace("@", f"@{name}", 1)

    def take_bodies(self, other: Module, names: Collection[str] | None = None) -> None:
        """Take over the functions of these names, or all, that another module has."""
        self._bodies += [
            body
            for body in other._bodies
            if names is None or body.partition("@")[2].partition("(")[0] in names
        ]
        self._names |= other._names
        self._declared |= other._declared

    def finish(self, body: str) -> None:
        """Take a function's text."""
        self._bodies.append(body)

    def __str__(self) -> str:
        return "\n".join([*self._bodies, *self._declared.values(), ""])


class Function:
    """A function being written, instruction after instruction.

    Attributes:
        arguments: Its parameters, as values and addresses.
        lanes: How many floats a vector has.
        vector: The type of a vector of floats.
    """

    def __init__(
        self, module: Module, name: str, parameters: Mapping[str, str], export: bool
    ) -> None:
        self.module, self.name = module, name
        self.lanes = module.width.lanes
        self.vector = f"<{self.lanes} x float>"
        self.lines: list[str] = []
        self._rooms: list[str] = []
        self._count = 0
        self._block = "entry"
        self.arguments: list[Any] = []
        written = []
        shared = "" if export else "noalias "
        for parameter, kind in parameters.items():
            if kind.endswith("*"):
                self.arguments.append(Address(self, kind[:-1], f"%{parameter}"))
                written.append(f"ptr {shared}%{parameter}")
            else:
                self.arguments.append(Value(self, kind, f"%{parameter}"))
                written.append(f"{kind} %{parameter}")
        link = "" if export else "internal "
        inline = "" if export else "noinline "
        self._head = f"define {link}void @{name}({', '.join(written)}) nounwind {inline}{{\nentry:"

    def done(self) -> None:
        """End the function."""
        self.module.finish("\n".join([self._head, *self._rooms, *self.lines, "  ret void", "}\n"]))

    def room(self, count: int) -> Address:
        """Return memory for so many floats that lasts as long as the call."""
        self._count += 1
        name = f"%v{self._count}"
        self._rooms.append(f"  {name} = alloca [{count} x float], align 64")
        return Address(self, "float", name)

    # Instructions.

    def line(self, instruction: str) -> str:
        """Write one instruction and return the name of what it makes."""
        self._count += 1
        name = f"%v{self._count}"
        self.lines.append(f"  {name} = {instruction}")
        return name

    def value(self, kind: str, instruction: str) -> Value:
        """Write one instruction and return what it makes."""
        return Value(self, kind, self.line(instruction))

    def align(self, element: str) -> int:
        """Return the alignment that can be relied on."""
        return _SIZES[element]

    def constant(self, value: Operand, kind: str) -> Value:
        """Return a number as a value of the given type (in every lane of a vector)."""
        if isinstance(value, Value):
            return value
        element = kind.split(" x ")[-1].rstrip(">")
        number = _float(float(value)) if element == "float" else str(int(value))
        if kind.startswith("<"):
            return Value(
                self, kind, "zeroinitializer" if value == 0 else f"splat ({element} {number})"
            )
        return Value(self, kind, number)

    def zero(self) -> Value:
        """Return a vector of zeros."""
        return self.constant(0.0, self.vector)

    def first_lanes(self, count: int) -> Value:
        """Return truth for the first lanes of a vector, and untruth for the others."""
        bits = ", ".join(f"i1 {'true' if i < count else 'false'}" for i in range(self.lanes))
        return Value(self, f"<{self.lanes} x i1>", f"<{bits}>")

    def lane_numbers(self) -> Value:
        """Return the vector 0, 1, 2, …."""
        return Value(
            self,
            f"<{self.lanes} x i32>",
            "<" + ", ".join(f"i32 {i}" for i in range(self.lanes)) + ">",
        )

    def splat(self, value: Operand) -> Value:
        """Return a vector with the same number in every lane."""
        if not isinstance(value, Value):
            return self.constant(value, self.vector)
        kind = f"<{self.lanes} x {value.type}>"
        first = self.line(f"insertelement {kind} poison, {value.type} {value.name}, i32 0")
        return self.value(
            kind,
            f"shufflevector {kind} {first}, {kind} poison, <{self.lanes} x i32> zeroinitializer",
        )

    def arithmetic(self, operation: str, a: Value, b: Operand) -> Value:
        """Return a ∘ b."""
        if isinstance(b, int) and not a.is_float:
            if (operation in ("add", "sub") and b == 0) or (
                operation in ("mul", "udiv") and b == 1
            ):
                return a
            if operation == "mul" and b == 0:
                return self.constant(0, a.type)
        other = self.constant(b, a.type)
        name = (_FLOAT if a.is_float else _INTEGER).get(operation, operation)
        return self.value(a.type, f"{name} {a.type} {a.name}, {other.name}")

    def compare(self, relation: str, a: Value, b: Operand) -> Value:
        """Return the truth of a relation; false where one side is NaN, but for `ne`."""
        other = self.constant(b, a.type)
        if a.is_float:
            word = "une" if relation == "ne" else f"o{relation}"
            instruction = f"fcmp {word}"
        else:
            instruction = f"icmp {relation if relation in ('eq', 'ne') else 's' + relation}"
        kind = f"{a.type.split(' x ')[0]} x i1>" if a.type.startswith("<") else "i1"
        return self.value(kind, f"{instruction} {a.type} {a.name}, {other.name}")

    def select(self, condition: Value, a: Operand, b: Operand) -> Value:
        """Return a where the condition holds, else b."""
        like = a if isinstance(a, Value) else b
        kind = like.type if isinstance(like, Value) else self.vector
        yes, no = self.constant(a, kind), self.constant(b, kind)
        return self.value(
            kind,
            f"select {condition.type} {condition.name}, {kind} {yes.name}, {kind} {no.name}",
        )

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """Return a·b + c, rounded once where the processor can."""
        if not self.module.width.fma:
            return a * b + c
        return self.intrinsic("fma", a, b, c)

    def intrinsic(self, name: str, *values: Value) -> Value:
        """Call one of LLVM's own functions on values of one type: sqrt, floor, fabs."""
        kind = values[0].type
        suffix = f"v{self.lanes}f32" if kind.startswith("<") else "f32"
        full = f"llvm.{name}.{suffix}"
        self.module.declare(full, f"{kind} @({', '.join([kind] * len(values))})")
        given = ", ".join(f"{kind} {value.name}" for value in values)
        return self.value(kind, f"call {kind} @{full}({given})")

    def convert(self, value: Value, element: str) -> Value:
        """Return the number(s) in another type: i8 counts from 0 to 255; floats are cut off."""
        kind = value.type
        target = f"<{self.lanes} x {element}>" if kind.startswith("<") else element
        source = kind.split(" x ")[-1].rstrip(">")
        if element == "float":
            word = "uitofp" if source in ("i8", "i1") else "sitofp"
        elif source == "float":
            word = "fptosi"
        elif source == "i1":
            word = "zext"
        elif _SIZES[element] < _SIZES[source]:
            word = "trunc"
        else:
            word = "zext" if source == "i8" else "sext"
        return self.value(target, f"{word} {kind} {value.name} to {target}")

    def bits(self, value: Value, element: str) -> Value:
        """Return the same bits as another type of the same size."""
        target = f"<{self.lanes} x {element}>" if value.type.startswith("<") else element
        return self.value(target, f"bitcast {value.type} {value.name} to {target}")

    def extract(self, value: Value, lane: int) -> Value:
        """Return one lane of a vector."""
        element = value.type.split(" x ")[-1].rstrip(">")
        return self.value(element, f"extractelement {value.type} {value.name}, i32 {lane}")

    def shuffle(self, a: Value, b: Value, lanes: Sequence[int]) -> Value:
        """Return the chosen lanes of a (0 …) and b (L …)."""
        mask = ", ".join(f"i32 {lane}" for lane in lanes)
        return self.value(
            a.type,
            f"shufflevector {a.type} {a.name}, {a.type} {b.name}, <{len(lanes)} x i32> <{mask}>",
        )

    def fold(self, value: Value, join: Callable[[Value, Value], Value]) -> Value:
        """Join all lanes into one number, halves first, always in the same order."""
        half = self.lanes // 2
        while half:
            other = self.shuffle(
                value, value, [(lane + half) % self.lanes for lane in range(self.lanes)]
            )
            value = join(value, other)
            half //= 2
        return self.extract(value, 0)

    def sum(self, value: Value) -> Value:
        """Return the sum of all lanes."""
        return self.fold(value, lambda a, b: a + b)

    def compress(self, value: Value, chosen: Value) -> Value:
        """Return the chosen lanes side by side at the front; the others hold anything."""
        element = "f32" if value.is_float else "i32"
        name = f"llvm.experimental.vector.compress.v{self.lanes}{element}"
        self.module.declare(name, f"{value.type} @({value.type}, {chosen.type}, {value.type})")
        return self.value(
            value.type,
            f"call {value.type} @{name}({value.type} {value.name}, {chosen.type} {chosen.name}, "
            f"{value.type} poison)",
        )

    def population(self, chosen: Value) -> Value:
        """Return how many lanes are true."""
        kind = f"i{self.lanes}"
        bits = self.line(f"bitcast {chosen.type} {chosen.name} to {kind}")
        wide = self.value("i64", f"zext {kind} {bits} to i64")
        self.module.declare("llvm.ctpop.i64", "i64 @(i64)")
        return self.value("i64", f"call i64 @llvm.ctpop.i64(i64 {wide.name})")

    def call(self, name: str, *arguments: Index | Address) -> None:
        """Call another function of the module."""
        given = []
        for argument in arguments:
            if isinstance(argument, Address):
                given.append(f"ptr {argument.name}")
            elif isinstance(argument, Value):
                given.append(f"{argument.type} {argument.name}")
            else:
                given.append(f"i64 {argument}")
        self.lines.append(f"  call void @{name}({', '.join(given)})")

    def call_address(self, target: Address, *arguments: Value | Address) -> None:
        """Call the function at an address."""
        given = ", ".join(
            f"ptr {a.name}" if isinstance(a, Address) else f"{a.type} {a.name}" for a in arguments
        )
        self.lines.append(f"  call void {target.name}({given})")

    # Control flow.

    def label(self, name: str) -> None:
        """Begin a block."""
        self.lines.append(f"{name}:")
        self._block = name

    def fresh(self, word: str) -> str:
        """Return a new name for a block."""
        self._count += 1
        return f"{word}{self._count}"

    def jump(self, target: str) -> None:
        """Go on in another block."""
        self.lines.append(f"  br label %{target}")

    def branch(self, condition: Value, yes: str, no: str) -> None:
        """Go on in one of two blocks."""
        self.lines.append(f"  br i1 {condition.name}, label %{yes}, label %{no}")

    def carry(
        self,
        count: Index,
        initial: Sequence[Value],
        body: Callable[[Index, list[Value]], Sequence[Value]],
    ) -> list[Value]:
        """Run `body(i, values)` for i = 0 … count − 1; what it returns, the next run gets.

        The values stay in registers. A loop known to run once is no loop. A count that is only
        known to the machine must be at least 1 (`each` and `when` take care of 0).
        """
        if isinstance(count, int) and count <= 1:
            return list(body(0, list(initial))) if count == 1 else list(initial)
        before, head, after = self._block, self.fresh("loop"), self.fresh("after")
        self.jump(head)
        self.label(head)
        position = len(self.lines)
        self._count += 1
        i = Value(self, "i64", f"%v{self._count}")
        carried = []
        for value in initial:
            self._count += 1
            carried.append(Value(self, value.type, f"%v{self._count}"))
        results = list(body(i, list(carried)))
        following = i + 1
        again = following < count
        last = self._block
        self.branch(again, head, after)
        phis = [f"  {i.name} = phi i64 [ 0, %{before} ], [ {following.name}, %{last} ]"]
        for phi, first, result in zip(carried, initial, results, strict=True):
            phis.append(
                f"  {phi.name} = phi {phi.type} [ {first.name}, %{before} ], "
                f"[ {result.name}, %{last} ]"
            )
        self.lines[position:position] = phis
        self.label(after)
        return results

    @contextmanager
    def each(self, count: Index) -> Iterator[Index]:
        """Repeat what is written inside for i = 0 … count − 1; i is what `as` names."""
        if isinstance(count, int) and count == 1:
            yield 0
            return
        if isinstance(count, int) and count < 1:
            raise ValueError("a loop that never runs has no code")
        before, head, after = self._block, self.fresh("loop"), self.fresh("after")
        if isinstance(count, int):
            self.jump(head)
        else:
            self.branch(count > 0, head, after)
        self.label(head)
        position = len(self.lines)
        self._count += 1
        i = Value(self, "i64", f"%v{self._count}")
        yield i
        following = i + 1
        again = following < count
        last = self._block
        self.branch(again, head, after)
        phi = f"  {i.name} = phi i64 [ 0, %{before} ], [ {following.name}, %{last} ]"
        self.lines.insert(position, phi)
        self.label(after)

    @contextmanager
    def until(self, done: Callable[[], Value]) -> Iterator[None]:
        """Repeat what is written inside as long as `done()`, which is asked first, is false."""
        head, body, after = self.fresh("ask"), self.fresh("again"), self.fresh("after")
        self.jump(head)
        self.label(head)
        self.branch(done(), after, body)
        self.label(body)
        yield
        self.jump(head)
        self.label(after)

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Do what is written inside only if the condition holds."""
        yes, after = self.fresh("when"), self.fresh("after")
        self.branch(condition, yes, after)
        self.label(yes)
        yield
        self.jump(after)
        self.label(after)


def vectors_over(f: Function, size: int) -> Iterator[tuple[Index, int | None]]:
    """Yield (offset, count) of the vectors that `size` numbers make; the last may be partial.

    What the caller writes for each pair becomes the body of a loop.
    """
    whole, rest = divmod(size, f.lanes)
    if whole:
        with f.each(whole) as i:
            yield i * f.lanes, None
    if rest:
        yield whole * f.lanes, rest
