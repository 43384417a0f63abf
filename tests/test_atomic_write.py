"""The last good file survives anything."""

import os
import stat

import pytest

from pellucid.formats import atomic_file, atomic_write


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "a.bin"
    atomic_write(path, b"one")
    atomic_write(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("failure", [OSError("disk full"), Interrupted()])
@pytest.mark.parametrize("stage", ["write", "fsync", "replace"])
def test_a_failure_at_any_stage_leaves_the_old_file(tmp_path, monkeypatch, stage, failure):
    path = tmp_path / "a.bin"
    atomic_write(path, b"good")

    def fail(*args, **kwargs):
        raise failure

    if stage == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    elif stage == "replace":
        monkeypatch.setattr(type(path), "replace", fail)

    def write():
        with atomic_file(path) as file:
            file.write(b"half of the ne")
            if stage == "write":
                fail()

    with pytest.raises(type(failure)):
        write()
    assert path.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [path]


def test_data_is_on_disk_before_the_name_changes(tmp_path, monkeypatch):
    events = []
    real_fsync, real_replace = os.fsync, type(tmp_path).replace
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append("fsync"), real_fsync(fd))[1])
    monkeypatch.setattr(
        type(tmp_path), "replace", lambda *a: (events.append("replace"), real_replace(*a))[1]
    )
    atomic_write(tmp_path / "a.bin", b"x")
    assert events == ["fsync", "replace", "fsync"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_permissions_follow_the_umask_and_the_old_file(tmp_path):
    path = tmp_path / "a.bin"
    before = os.umask(0o027)
    try:
        atomic_write(path, b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    atomic_write(path, b"y")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_symbolic_link_stays_one(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    atomic_write(link, b"x")
    assert link.is_symlink()
    assert real.read_bytes() == b"x"


def test_a_folder_is_not_replaced(tmp_path):
    with pytest.raises(IsADirectoryError, match="received a folder"):
        atomic_write(tmp_path, b"x")


def test_a_missing_folder_is_an_error(tmp_path):
    message = r"There is no such folder to write a\.bin to; make it first: '.*no'$"
    with pytest.raises(FileNotFoundError, match=message):
        atomic_write(tmp_path / "no" / "a.bin", b"x")
