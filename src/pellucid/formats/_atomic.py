"""Writing a file so that the last good one survives anything."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["atomic_file", "atomic_write"]


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`, which takes its place when the block ends well.

    The data is on the disk before the name changes (fsync, rename, fsync of the folder), so that
    after a crash `path` holds either all of the old content or all of the new. When the block
    raises, the temporary file is removed and `path` is as it was. An existing file keeps its
    permissions, a new one gets the usual ones (0666 less the umask), and a symbolic link keeps
    pointing at the file that is written.

    Raises:
        OSError: the folder does not exist or cannot be written to, or the disk is full.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"Expected the path of a file to write, received a folder: {path}")
    if not target.parent.is_dir():
        problem = f"There is no such folder to write {target.name} to; make it first"
        raise FileNotFoundError(errno.ENOENT, problem, str(target.parent))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    # Opened here, and not by tempfile, so that the operating system applies the umask.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _O_BINARY, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o7777)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def atomic_write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` so that the file is never half written; see `atomic_file`."""
    with atomic_file(path) as file:
        file.write(data)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows can neither open a folder nor needs to: rename is durable there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems refuse to sync a folder; the file itself is already safe.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


_O_BINARY = getattr(os, "O_BINARY", 0)
