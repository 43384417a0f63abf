"""The threads that run a section: as many as cores, or as PELLUCID_THREADS says.

The calling thread is one of them; the others are Python threads that spend their lives inside one
call of machine code, `serve`, with the interpreter's lock released. A worker that has just finished
watches for the next section for a moment (training comes back within it), then sleeps on a lock
until it is woken: an idle model takes no processor time.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from pellucid.compiler.ir import Address, Module
from pellucid.compiler.sections import FIRST, LINE, LINES, TAG
from pellucid.compiler.target import Target, compile_module, host
from pellucid.errors import ArgumentError
from pellucid.ops._operation import Array

__all__ = ["Launch", "Team", "team", "thread_count"]

GENERATION, LAUNCH, STATE = 0, 8, 16
"""Where in the mailbox (i64) things are; every worker's state has a cache line of its own."""

PASSES = 1
"""Beside a worker's state: how often it has gone into a section or come out; odd while inside."""

FUNCTION, TABLE, CONTROL, MAILBOX, WORKERS, WAKE, ASLEEP, HELD_UP = range(8)
"""Where in a launch (i64) things are."""

WATCH = 1_500_000
"""How often a worker looks for the next section before it goes to sleep.

It takes a millisecond or two: a training loop is back by then.
"""


def thread_count() -> int:
    """Return how many threads run a section."""
    asked = os.environ.get("PELLUCID_THREADS")
    if asked:
        if not asked.isdigit() or int(asked) < 1:
            raise ArgumentError(f"PELLUCID_THREADS must be at least 1, received {asked!r}.")
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def provide_symbols() -> None:
    """Tell LLVM where the one function lives that generated code calls from outside."""
    import llvmlite.binding as llvm

    if sys.platform == "win32":
        function = ctypes.WinDLL("kernel32").SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    address = ctypes.cast(function, ctypes.c_void_p).value
    llvm.add_symbol("pellucid_yield", address)


def _emit_serve(module: Module) -> None:
    """Write what a worker does: watch, run, watch …; return when nothing has come for a while."""
    f = module.function(
        "serve", {"mailbox": "i64*", "worker": "i64", "seen": "i64*", "watch": "i64"}, export=True
    )
    mailbox, worker, seen, watch = f.arguments
    state = worker * 8 + STATE
    spent = Address(f, "i64", f.line("alloca i64"))
    spent.put(0)
    asleep = Address(f, "i64", f.line("alloca i64"))
    asleep.put(0)
    with f.until(lambda: asleep.get().equals(1)):
        news, quiet, done = f.fresh("news"), f.fresh("quiet"), f.fresh("done")
        f.branch(mailbox.watch(GENERATION).differs(seen.get()), news, quiet)
        f.label(news)
        seen.put(mailbox.watch(GENERATION))
        mailbox.increase(1, state + PASSES)
        launch = mailbox.watch_address(LAUNCH, "i64")
        with f.when(launch.number.differs(0)):
            section = launch.address(FUNCTION, "i8")
            f.call_address(
                section, launch.address(TABLE, "ptr"), launch.address(CONTROL, "i64"), worker
            )
        mailbox.increase(1, state + PASSES)
        spent.put(0)
        f.jump(done)
        f.label(quiet)
        spent.put(spent.get() + 1)
        with f.when(spent.get() > watch):
            # Say "asleep" first and look again after: a section that comes in between is seen
            # either here or by the caller, who then wakes this worker.
            mailbox.exchange(0, state)
            asleep.put(1)
            with f.when(mailbox.watch(GENERATION).differs(seen.get())):
                before = mailbox.exchange(1, state)
                # 0: nobody will wake us, so go on; 1: the caller does, so return to be woken.
                asleep.put(before)
                spent.put(0)
        f.jump(done)
        f.label(done)
    f.done()


class Launch:
    """A section that is ready to be run: all that the machine code asks for, in one array.

    Args:
        function: The section's function.
        table: The addresses of its places.
        control: What its threads share.
        needed: What must be there as long as a thread may be in the section: code and memory.
    """

    def __init__(self, function: Any, table: Array, control: Array, needed: object) -> None:
        self.function, self.table, self.control, self.needed = function, table, control, needed
        address = ctypes.cast(function, ctypes.c_void_p).value or 0
        self.tables = table.ctypes.data, control.ctypes.data
        self.numbers = np.zeros(HELD_UP + 1, np.int64)
        self.numbers[: CONTROL + 1] = address, *self.tables
        self.address = self.numbers.ctypes.data
        self.asleep = ctypes.c_int64.from_address(self.address + 8 * ASLEEP)

    @property
    def tag(self) -> int:
        """What the section's counters begin at: another number each time that it is run."""
        return int(self.control[TAG])


def _emit_launch(module: Module) -> None:
    """Write how the caller announces a section and takes part in it.

    Where workers are asleep it only announces: `wake` says which, and Python wakes them first. It
    only announces, too, where the caller is held up by something else to do.
    """
    f = module.function("launch", {"launch": "i64*"}, export=True)
    (launch,) = f.arguments
    control = launch.address(CONTROL, "i64")
    tag = control.get(TAG) + (1 << 32)
    first = control.get(FIRST)
    with f.each(control.get(LINES)) as k:
        control.post(tag, first + k * LINE)
    control.exchange(tag, TAG)
    launch.put(0, ASLEEP)
    workers = launch.get(WORKERS)
    with f.when(workers > 0):
        mailbox, wake = launch.address(MAILBOX, "i64"), launch.address(WAKE, "i64")
        mailbox.exchange(launch.number, LAUNCH)
        mailbox.increase(1, GENERATION)
        with f.each(workers) as k:
            before = mailbox.exchange(1, (k + 1) * 8 + STATE)
            slept = f.convert(before.equals(0), "i64")
            wake.put(slept, k)
            launch.put(launch.get(ASLEEP) + slept, ASLEEP)
    with f.when((launch.get(ASLEEP) + launch.get(HELD_UP)).equals(0)):
        function = launch.address(FUNCTION, "i8")
        f.call_address(function, launch.address(TABLE, "ptr"), control, f.constant(0, "i64"))
    f.done()


def _emit_forget(module: Module) -> None:
    """Write how a launch is taken out of the mailbox, if it is there."""
    f = module.function("forget", {"mailbox": "i64*", "launch": "i64"}, export=True)
    mailbox, launch = f.arguments
    mailbox.swap(launch, 0, LAUNCH)
    f.done()


class Team:
    """The threads.

    Attributes:
        threads: How many there are, the calling one included.
        process: The process they belong to.
    """

    def __init__(self, threads: int, target: Target) -> None:
        provide_symbols()
        self.threads = threads
        self.process = os.getpid()
        self._busy = threading.RLock()
        self._running = False
        self._held: set[Launch] = set()
        self._mailbox = np.zeros(STATE + 8 * threads, np.int64)
        self._wake = np.zeros(max(threads, 1), np.int64)
        module = Module(target.width)
        _emit_serve(module)
        _emit_launch(module)
        _emit_forget(module)
        self._code = compile_module(module, target)
        pointer, whole = ctypes.c_void_p, ctypes.c_int64
        self._serve = self._code.function("serve", pointer, whole, pointer, whole)
        self._launch = self._code.function("launch", pointer)
        self._forget = self._code.function("forget", pointer, whole)
        self._locks = [threading.Lock() for _ in range(threads - 1)]
        for index, lock in enumerate(self._locks):
            lock.acquire()
            threading.Thread(
                target=self._work, args=(index + 1, lock), name=f"pellucid-{index + 1}", daemon=True
            ).start()

    def _work(self, worker: int, lock: threading.Lock) -> None:
        seen = np.zeros(1, np.int64)
        while True:
            lock.acquire()
            self._serve(self._mailbox.ctypes.data, worker, seen.ctypes.data, WATCH)

    def run(
        self, launch: Launch, *, alone: bool = False, meanwhile: Callable[[], None] | None = None
    ) -> None:
        """Run a section's function on all threads, or on the calling one alone.

        `meanwhile` is called before the calling thread takes part, while the others are at work
        already; it is not called where there are none. What it runs, it runs alone.
        """
        if alone or self.threads == 1:
            self._launch(launch.address)
            return
        with self._busy:
            workers = 0 if self._running else self.threads - 1
            if workers and launch not in self._held:
                self._held.add(launch)
                launch.numbers[MAILBOX] = self._mailbox.ctypes.data
                launch.numbers[WAKE] = self._wake.ctypes.data
            launch.numbers[WORKERS] = workers
            launch.numbers[HELD_UP] = workers and meanwhile is not None
            if not workers:
                self._launch(launch.address)
                return
            self._running = True
            try:
                self._launch(launch.address)
                if launch.asleep.value:
                    self._wake_up()
                if meanwhile is not None:
                    meanwhile()
            finally:
                # Once announced, the section has to be finished: Ctrl-C has to wait as well.
                if launch.asleep.value or meanwhile is not None:
                    launch.function(*launch.tables, 0)
                self._running = False
                if launch.asleep.value:
                    self._wake_up()  # if Ctrl-C came before that
                    launch.asleep.value = 0

    def leave(self, launch: Launch) -> None:
        """Let go of a section when no worker is in it any more, nor can go into it.

        A section's result is there when `run` returns, but workers may still be in its last
        instructions, or come late. Until this is called the team holds what the section needs, so
        that the collector of cycles, which finalises all that it finds in any order, does not find
        it.
        """
        if launch not in self._held:
            return
        if not sys.is_finalizing() and self.process == os.getpid():
            self._forget(self._mailbox.ctypes.data, launch.address)
            passes = self._mailbox[STATE + 8 + PASSES :: 8]
            before = passes.copy()
            while ((passes % 2 == 1) & (passes == before)).any():
                time.sleep(0)
        self._held.discard(launch)

    def _wake_up(self) -> None:
        """Wake the workers that `launch` found asleep."""
        for index, lock in enumerate(self._locks):
            if self._wake[index]:
                with contextlib.suppress(RuntimeError):  # woken already, then interrupted
                    lock.release()
                self._wake[index] = 0


_teams: dict[tuple[int, int, Target], Team] = {}


def team() -> Team:
    """Return the threads of this process; a forked process gets its own."""
    target = host()
    key = (os.getpid(), thread_count(), target)
    if key not in _teams:
        _teams[key] = Team(key[1], target)
    return _teams[key]
