"""Put what a tour prints, and its pictures, into the README: python scripts/update_readme.py.

The blocks of the README that follow a comment such as `<!-- tour: training -->` are replaced.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ("feature_maps.png", "mistakes.png")
# The part of the tour's output that each block shows: from its first words up to those after it.
PARTS = {
    "model": (r"╭", r" Not trainable"),
    "training": (r"epoch  ", r"\n4  One"),
    "convolution": (r"a  Convolution", r"\n\nb  ReLU"),
}


def main() -> None:
    command = [sys.executable, "-m", "pellucid", "tour", "--out"]
    with tempfile.TemporaryDirectory() as folder:
        print(f"{' '.join(command)} {folder}", flush=True)
        printed = subprocess.run(
            [*command, folder],
            check=True,
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
        ).stdout
        images = ROOT / "docs" / "images"
        images.mkdir(parents=True, exist_ok=True)
        for name in PICTURES:
            shutil.copyfile(Path(folder, name), images / name)
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, (first, after) in PARTS.items():
        found = re.search(f"^{first}.*?(?={after})", printed, re.MULTILINE | re.DOTALL)
        block = re.search(f"(?<=<!-- tour: {name} -->\n```\n).*?(?=\n```)", page, re.DOTALL)
        if found is None or block is None:
            sys.exit(f"The part {name!r} is missing in the tour or in the README.")
        page = page[: block.start()] + found.group().rstrip() + page[block.end() :]
    (ROOT / "README.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
