"""Looking through a folder of pictures before anything is trained on it."""

from __future__ import annotations

import hashlib
import math
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pellucid.data._files import StrPath, read_bytes
from pellucid.data.image_file import read_image
from pellucid.data.image_folder import IMAGE_SUFFIXES, is_hidden, subfolders
from pellucid.data.image_header import image_format, read_header
from pellucid.data.report import ClassSummary, Problem, Report
from pellucid.errors import DataError

__all__ = ["PARTS", "FileScan", "FolderScan", "folder_parts", "scan_folder", "scan_image"]

PARTS = {
    "training": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""Names of folders that are parts of a data set rather than classes of it."""

_MAX_FILE_BYTES = 256 << 20
_MAX_THREADS = 8
# A JPEG is read to its end at any size, so a small one is enough to see whether it has colours.
_ENOUGH_FOR_COLOUR = 128
# From this ratio of the largest to the smallest class on, the difference is worth a word.
_UNBALANCED = 10


@dataclass(frozen=True)
class FileScan:
    """What one file was found to be; `problem` is None for a picture that can be used."""

    path: str
    part: str
    class_name: str | None
    sha256: str = ""
    format: str | None = None
    size: tuple[int, int] | None = None
    grey: bool = False
    problem: str | None = None
    message: str = ""


@dataclass(frozen=True)
class FolderScan:
    """The report on a folder, and what each file in it was found to be."""

    report: Report
    files: tuple[FileScan, ...]


def folder_parts(directory: StrPath) -> dict[str, Path]:
    """Return where the parts of a data set lie: `{'training': folder}`, perhaps more.

    A folder that has a folder named train, and none but train, validation and test (or short forms
    of these), holds parts; the folders in each are the classes. Any other folder is the training
    part itself, and its folders are the classes.
    """
    found = {}
    names = subfolders(directory)
    for part, spellings in PARTS.items():
        for name in names:
            if name.lower() in spellings:
                found[part] = Path(directory) / name
    if "training" in found and len(found) == len(names):
        return found
    return {"training": Path(directory)}


def scan_folder(
    directory: StrPath, progress: Callable[[int, int], None] | None = None
) -> FolderScan:
    """Read every file in a folder of pictures, and report what is wrong with it.

    Args:
        directory: holds one folder for each class, or train/, validation/ and test/ with those.
        progress: called with the number of files read and of all files.

    Raises:
        DataError: there is no such folder.
    """
    root = Path(directory)
    parts = folder_parts(root)
    problems: list[Problem] = []
    jobs: list[tuple[str, str, str | None]] = []
    hidden: list[str] = []
    for part, folder in parts.items():
        for path, class_name in _walk(folder, hidden):
            jobs.append((path, part, class_name))
    if parts["training"] != root:
        loose = [entry for entry in sorted(root.iterdir()) if entry.is_file()]
        hidden += [str(entry) for entry in loose if is_hidden(entry.name)]
        jobs += [(str(entry), "", None) for entry in loose if not is_hidden(entry.name)]
    scans = _scan_all(jobs, progress)
    names = sorted({name for folder in parts.values() for name in subfolders(folder)})
    problems += _file_problems(scans, root)
    problems += _duplicates([scan for scan in scans if scan.problem is None], root)
    counts = Counter((s.part, s.class_name) for s in scans if s.problem is None)
    classes = tuple(
        ClassSummary(index, name, {part: counts[part, name] for part in parts})
        for index, name in enumerate(names)
    )
    problems += _class_problems(classes, parts, root)
    if hidden:
        problems.append(
            Problem(
                "note", "hidden", "Hidden files and folders are left out:", _short(hidden, root)
            )
        )
    used = [scan for scan in scans if scan.problem is None]
    report = Report(str(directory), "image folder", _facts(used), classes, tuple(problems))
    return FolderScan(report, tuple(scans))


def scan_image(path: str, part: str = "training", class_name: str | None = None) -> FileScan:
    """Read one file to its last pixel, and tell what it is."""
    looks = Path(path).suffix.lower() in IMAGE_SUFFIXES
    try:
        data = read_bytes(path, _MAX_FILE_BYTES)
    except DataError as error:
        return FileScan(path, part, class_name, problem="unreadable", message=str(error))
    digest = hashlib.sha256(data).hexdigest()
    form = image_format(data[:32])
    if class_name is None or (form is None and not looks):
        return FileScan(path, part, class_name, digest, form, problem="not_used")
    if not data:
        return FileScan(path, part, class_name, digest, problem="empty")
    if form is None:
        message = _reason(data, path)
        return FileScan(path, part, class_name, digest, problem="not_an_image", message=message)
    if not looks:
        return FileScan(path, part, class_name, digest, form, problem="image_without_ending")
    try:
        header = read_header(data, path)
        image = read_image(data, near=_ENOUGH_FOR_COLOUR, where=path)
    except DataError as error:
        message = str(error).removeprefix(f"{path}: ")
        return FileScan(path, part, class_name, digest, form, problem="corrupt", message=message)
    bands = image.split()
    grey = bands[0].tobytes() == bands[1].tobytes() == bands[2].tobytes()
    turned = header.orientation >= 5
    size = (header.width, header.height) if turned else (header.height, header.width)
    return FileScan(path, part, class_name, digest, form, size, grey)


def _reason(data: bytes, path: str) -> str:
    try:
        read_header(data, path)
    except DataError as error:
        return str(error).removeprefix(f"{path}: ")
    return ""


def _walk(folder: Path, hidden: list[str]) -> Iterable[tuple[str, str | None]]:
    """Return every file in a folder with its class, None for files outside the classes' folders."""
    for root, folders, files in os.walk(folder):
        hidden += [str(Path(root) / name) for name in [*folders, *files] if is_hidden(name)]
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        inner = Path(root).relative_to(folder).parts
        for name in sorted(files):
            if not is_hidden(name):
                yield str(Path(root) / name), inner[0] if inner else None


def _scan_all(
    jobs: list[tuple[str, str, str | None]], progress: Callable[[int, int], None] | None
) -> list[FileScan]:
    scans = []
    pool = ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1), "pellucid-check")
    try:
        for scan in pool.map(lambda job: scan_image(*job), jobs):
            scans.append(scan)
            if progress is not None:
                progress(len(scans), len(jobs))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)  # so that Ctrl-C does not read them all
    return scans


_FILE_PROBLEMS = {
    "unreadable": ("error", "Files that cannot be opened:"),
    "empty": ("error", "Empty files (0 bytes); copy them again or remove them:"),
    "not_an_image": ("error", "Files that are no pictures, whatever their names say:"),
    "corrupt": ("error", "Damaged pictures; copy them again or remove them:"),
    "image_without_ending": (
        "warning",
        "Pictures whose names do not end in .jpg, .png, .webp, .bmp or .gif are not used; "
        "rename them:",
    ),
    "not_used": ("note", "Files that are not used (no pictures, or outside the classes' folders):"),
}


def _file_problems(scans: list[FileScan], root: Path) -> list[Problem]:
    found = defaultdict(list)
    for scan in scans:
        if scan.problem is not None:
            shown = _short([scan.path], root)[0]
            found[scan.problem].append(f"{shown}: {scan.message}" if scan.message else shown)
    return [
        Problem(level, kind, message, tuple(found[kind]))
        for kind, (level, message) in _FILE_PROBLEMS.items()
        if kind in found
    ]


_DUPLICATES = {
    "same_picture_in_two_classes": "The same picture is in two classes: one of them must be wrong.",
    "same_picture_in_two_parts": (
        "The same picture is in two parts: what is trained on must not be in validation or test."
    ),
    "duplicate": (
        "The same picture is there more than once; a copy in the validation part makes the result "
        "look better than it is."
    ),
}


def _duplicates(scans: list[FileScan], root: Path) -> list[Problem]:
    groups = defaultdict(list)
    for scan in scans:
        groups[scan.sha256].append(scan)
    found = defaultdict(list)
    for group in groups.values():
        if len(group) > 1:
            kind = "duplicate"
            if len({scan.class_name for scan in group}) > 1:
                kind = "same_picture_in_two_classes"
            elif len({scan.part for scan in group}) > 1:
                kind = "same_picture_in_two_parts"
            found[kind].append(" = ".join(_short([scan.path for scan in group], root)))
    return [
        Problem("warning", kind, message, tuple(found[kind]))
        for kind, message in _DUPLICATES.items()
        if kind in found
    ]


def _class_problems(
    classes: tuple[ClassSummary, ...], parts: dict[str, Path], root: Path
) -> list[Problem]:
    problems = []
    if len(classes) < 2:
        message = (
            "Expected a folder for each of at least two classes, with its pictures in it; found "
            + (f"only {classes[0].name!r}." if classes else "no folders.")
        )
        problems.append(Problem("error", "too_few_classes", message))
    for part, folder in parts.items():
        empty = [entry.name for entry in classes if not entry.counts[part]]
        if empty and classes:
            level = "error" if part == "training" else "warning"
            paths = _short([str(folder / name) for name in empty], root)
            message = f"Classes without a usable {part} picture; add some or remove the folder:"
            problems.append(Problem(level, "no_images_in_class", message, paths))
    counts = [entry.counts["training"] for entry in classes if entry.counts["training"]]
    if counts and max(counts) >= _UNBALANCED * min(counts):
        message = (
            f"The largest class has {max(counts)} pictures, the smallest {min(counts)}: a model "
            "can look good by naming the large ones. Weigh the classes (class_weight), or add "
            "pictures."
        )
        problems.append(Problem("note", "unbalanced", message))
    return problems


def _facts(scans: list[FileScan]) -> dict[str, object]:
    facts: dict[str, object] = {"pictures": len(scans)}
    if scans:
        facts["formats"] = dict(Counter(scan.format for scan in scans).most_common())
        sizes = sorted((scan.size for scan in scans if scan.size), key=math.prod)
        low, high = sizes[0], sizes[-1]
        one = f"{low[1]} × {low[0]}"
        facts["width × height"] = one if low == high else f"{one} to {high[1]} × {high[0]}"
        grey = sum(scan.grey for scan in scans)
        facts["colours"] = {"in colour": len(scans) - grey, "grey": grey}
    return facts


def _short(paths: list[str], root: Path) -> tuple[str, ...]:
    return tuple(
        str(Path(path).relative_to(root)) if Path(path).is_relative_to(root) else path
        for path in paths
    )
