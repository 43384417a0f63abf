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
from functools import cache
from typing import Any

import numpy as np

from pellucid.compiler.ir import Address, Module
from pellucid.compiler.target import Target, compile_module, host
from pellucid.errors import ArgumentError

__all__ = ["Team", "team", "thread_count"]

GENERATION, SECTION, TABLE, CONTROL, STATE = 0, 8, 9, 10, 16
"""Where in the mailbox (i64) things are; every worker's state has a cache line of its own."""

LEFT = 1
"""Beside a worker's state: the last section that it has come out of."""

WATCH = 30_000
"""How often a worker looks for the next section before it goes to sleep (about 0.2 ms)."""


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
        seen.put(seen.get() + 1)
        section = Address(f, "i8", f.line(f"load ptr, ptr {(mailbox + SECTION).name}"))
        table = mailbox.address(TABLE, "ptr")
        control = mailbox.address(CONTROL, "i64")
        f.call_address(section, table, control, worker)
        mailbox.exchange(seen.get(), state + LEFT)
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


def _emit_announce(module: Module) -> None:
    """Write how the caller announces a section; `wake` says which workers were asleep."""
    f = module.function(
        "announce", {"mailbox": "i64*", "workers": "i64", "wake": "i64*"}, export=True
    )
    mailbox, workers, wake = f.arguments
    mailbox.increase(1, GENERATION)
    with f.each(workers) as k:
        before = mailbox.exchange(1, (k + 1) * 8 + STATE)
        wake.put(f.convert(before.equals(0), "i64"), k)
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
        self._busy = threading.Lock()
        self._graves: list[tuple[object, ...]] = []
        self._mailbox = np.zeros(STATE + 8 * threads, np.int64)
        self._wake = np.zeros(max(threads, 1), np.int64)
        module = Module(target.width)
        _emit_serve(module)
        _emit_announce(module)
        self._code = compile_module(module, target)
        pointer, whole = ctypes.c_void_p, ctypes.c_int64
        self._serve = self._code.function("serve", pointer, whole, pointer, whole)
        self._announce = self._code.function("announce", pointer, whole, pointer)
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

    def run(self, section: Any, address: int, table: int, control: int, alone: bool) -> None:
        """Run a section's function on all threads, or on the calling one alone."""
        if alone or self.threads == 1:
            section(table, control, 0)
            return
        with self._busy:
            if self._graves and self.settled():
                self._graves.clear()
            self._mailbox[SECTION : CONTROL + 1] = address, table, control
            before = int(self._mailbox[GENERATION])
            try:
                self._announce(self._mailbox.ctypes.data, self.threads - 1, self._wake.ctypes.data)
                self._wake_up()
            finally:
                # Once announced, the others wait for this thread: Ctrl-C has to wait as well.
                if int(self._mailbox[GENERATION]) != before:
                    self._wake_up()
                    section(table, control, 0)

    def settled(self) -> bool:
        """Return whether no worker is inside a section any more, not even in its last instructions.

        A section's result is there when `run` returns; its memory and machine code may only go
        when this is so.
        """
        if sys.is_finalizing() or self.process != os.getpid():
            return True
        generation = self._mailbox[GENERATION]
        return bool((self._mailbox[STATE + LEFT + 8 :: 8] == generation).all())

    def bury(self, *things: object) -> None:
        """Keep what a section used until no worker can be inside it."""
        self._graves.append(things)

    def _wake_up(self) -> None:
        """Wake the workers that `announce` found asleep."""
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
