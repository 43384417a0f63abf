"""Make the README's pictures, docs/images, from a tour: python scripts/make_readme_images.py."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("feature_maps.png", "mistakes.png")


def main() -> None:
    target = Path(__file__).resolve().parent.parent / "docs" / "images"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "pellucid", "tour", "--out", folder], check=True)
        for name in NAMES:
            shutil.copyfile(Path(folder, name), target / name)


if __name__ == "__main__":
    main()
