"""What tests of hostile files share: the file is refused, and nothing but the file was touched."""

import io
import sys
import tracemalloc
import zipfile

import pytest

from pellucid.errors import LoadError
from pellucid.formats import load_model

FORBIDDEN = (
    "import",
    "exec",
    "compile",
    "code.__new__",
    "marshal.",
    "pickle.",
    "subprocess.",
    "os.",
    "shutil.",
    "tempfile.",
    "socket.",
    "ctypes.",
    "urllib.",
    "glob.",
    "pty.",
    "winreg.",
    "mmap.",
    "open",
)
HARMLESS = ("os.listdir", "os.scandir")
_watched = None


def _watch(event, arguments):
    if _watched is not None and event.startswith(FORBIDDEN) and event not in HARMLESS:
        _watched.append((event, arguments))


sys.addaudithook(_watch)


def refused(path, match, load=load_model):
    """Assert that the file is refused, and that nothing but the file was touched."""
    global _watched
    error = None
    tracemalloc.start()
    _watched = []
    try:
        load(path)
    except LoadError as caught:
        error = caught
    finally:
        events, _watched = _watched, None
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert error is not None, "the file was accepted"
    others = [e for e in events if not (e[0] == "open" and str(e[1][0]) == str(path))]
    assert others == []
    allowed = (16 << 20) + 8 * path.stat().st_size
    assert peak < allowed, f"{peak:,} bytes were allocated"
    with pytest.raises(LoadError, match=match):
        raise error
    assert path.name in str(error)
    assert list(path.parent.iterdir()) == [path]


def packed(content, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()
