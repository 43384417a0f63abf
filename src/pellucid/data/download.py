"""Fetching a public file: with progress, a known size and a known SHA-256, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

from pellucid.errors import DownloadError
from pellucid.formats._atomic import atomic_write

__all__ = ["fetch"]

_CHUNK = 1 << 16
_TIMEOUT = 20.0


def fetch(urls: Sequence[str], path: Path, size: int, sha256: str, advice: str) -> bytes:
    """Return the file that one of `urls` serves, and keep it at `path` if that can be written.

    Args:
        urls: addresses of the same file, tried in order.
        path: where the file is kept for next time.
        size: its length in bytes; more is never read.
        sha256: its checksum.
        advice: what to do where there is no network; ends the error message.

    Raises:
        DownloadError: no address served the expected file.
    """
    # Imported here, because most people never download anything.
    import http.client
    import urllib.error

    failures = []
    for url in urls:
        try:
            content = _download(url, size)
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            failures.append(f"{url}: {getattr(error, 'reason', None) or error}")
            continue
        found = hashlib.sha256(content).hexdigest()
        if len(content) != size:
            failures.append(f"{url}: expected {size:,} bytes, received {_length(content, size)}")
        elif found == sha256:
            with contextlib.suppress(OSError):  # a full or read-only disk: the bytes are here
                path.parent.mkdir(parents=True, exist_ok=True)
                atomic_write(path, content)
            return content
        else:
            failures.append(f"{url}: SHA-256 is {found}, expected {sha256}")
    raise DownloadError(f"{path.name} could not be downloaded ({'; '.join(failures)}).\n{advice}")


def _length(content: bytes, size: int) -> str:
    return "more" if len(content) > size else f"{len(content):,}"


def _download(url: str, size: int) -> bytes:
    import urllib.request

    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    content = bytearray()
    request = urllib.request.Request(url, headers={"User-Agent": "pellucid"})
    with (
        urllib.request.urlopen(request, timeout=_TIMEOUT) as response,
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
    ):
        if not console.is_terminal:
            console.print(f"Downloading {url}", markup=False, highlight=False)
        task = progress.add_task(url.rsplit("/", 1)[-1], total=size)
        # One byte too many is read, to notice a file that is longer.
        while chunk := response.read(min(_CHUNK, size + 1 - len(content))):
            content += chunk
            progress.update(task, completed=len(content))
    return bytes(content)
