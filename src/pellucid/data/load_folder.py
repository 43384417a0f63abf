"""`load` for folders of pictures."""

from __future__ import annotations

import numpy as np

from pellucid.data.check_folder import FileScan
from pellucid.data.dataset import Dataset
from pellucid.data.image_folder import ImageFolder, ImageIndex
from pellucid.data.image_preprocessing import ImagePreprocessing
from pellucid.data.loaded import PARTS, Loaded, LoadOptions, limited, normalizer
from pellucid.data.report import Report
from pellucid.data.split import split_rows
from pellucid.errors import DataError

__all__ = ["load_folder"]

# Decoded pictures of a folder are kept in memory up to this much.
_KEEP_BYTES = 512 << 20
_DEFAULT_SIDE = 96
# Pictures that all have one size up to this keep it.
_MAX_OWN_SIDE = 128


def load_folder(
    report: Report,
    files: tuple[FileScan, ...],
    options: LoadOptions,
    image_size: tuple[int, int] | None,
    color_mode: str | None,
) -> Loaded:
    """Return the pictures of a folder that was looked through, as `load` does."""
    used = [scan for scan in files if scan.problem is None]
    names = tuple(entry.name for entry in report.classes)
    sizes = {scan.size for scan in used}
    own = next(iter(sizes)) if len(sizes) == 1 else None
    if image_size is None:
        fits = own is not None and max(own) <= _MAX_OWN_SIDE
        image_size = own if own is not None and fits else (_DEFAULT_SIDE, _DEFAULT_SIDE)
    if color_mode is None:
        color_mode = "grayscale" if all(scan.grey for scan in used) else "rgb"
    preprocessing = ImagePreprocessing(
        image_size, color_mode, scale=1 / 255, fit="crop", class_names=names
    )
    indices = {
        part: ImageIndex(
            tuple(scan.path for scan in used if scan.part == part),
            tuple(names.index(str(scan.class_name)) for scan in used if scan.part == part),
            names,
        )
        for part in PARTS
    }
    if options.validation is not None and not indices["validation"].paths:
        whole = indices["training"]
        kept, held = split_rows(
            np.asarray(whole.labels), len(whole.paths), options.validation, options.seed
        )
        indices |= {"training": whole.select(kept), "validation": whole.select(held)}
    indices["training"] = indices["training"].select(
        limited(len(indices["training"].paths), options)
    )

    def dataset(part: str) -> Dataset | None:
        if not indices[part].paths:
            return None
        folder = ImageFolder(
            indices[part],
            preprocessing,
            batch_size=options.batch_size,
            shuffle=options.shuffle and part == "training",
            seed=options.seed,
            keep_bytes=_KEEP_BYTES // len(PARTS),
        )
        return folder.map(normalizer(preprocessing))

    training = dataset("training")
    if training is None:
        raise DataError(f"{report.path}: there are no pictures to train on.")
    return Loaded(
        report.path,
        "image",
        "classification",
        training,
        dataset("validation"),
        dataset("test"),
        names,
        preprocessing,
        report,
    )
