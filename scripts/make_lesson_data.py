"""Make the picture and the table that the lessons use: both are drawn here, by rule and seed.

Run `python scripts/make_lesson_data.py`; it writes examples/tree.jpg and examples/fruit.csv.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SIDE = 192
SMOOTH = 4
FRUIT = {
    # kind: weight in grams, length and width in millimetres, firmness in newtons, colours
    "apple": ((170, 25), (70, 6), (76, 6), (62, 9), ("red", "green", "yellow")),
    "pear": ((180, 30), (95, 9), (66, 6), (45, 10), ("green", "yellow", "red")),
    "lemon": ((110, 18), (84, 7), (60, 5), (55, 9), ("yellow", "yellow", "green")),
}
ROWS_OF_EACH = 120


def tree() -> Image.Image:
    """Return a tree on a hill under an evening sky."""
    side = SIDE * SMOOTH
    down = np.linspace(0, 1, side)[:, None, None]
    sky = np.array([96, 140, 205]) * (1 - down) + np.array([246, 214, 170]) * down
    picture = Image.fromarray(np.broadcast_to(sky, (side, side, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(picture)

    def at(*places: float) -> list[float]:
        return [place * side for place in places]

    draw.ellipse(at(0.72, 0.1, 0.88, 0.26), fill=(255, 240, 190))
    draw.ellipse(at(-0.4, 0.72, 1.2, 1.6), fill=(92, 130, 70))
    draw.polygon(at(0.44, 0.78, 0.47, 0.45, 0.53, 0.45, 0.56, 0.78), fill=(84, 60, 44))
    random = np.random.default_rng(7)
    for _ in range(90):
        across, along = random.normal(0.5, 0.1), random.normal(0.36, 0.09)
        radius = random.uniform(0.03, 0.06)
        green = int(random.integers(70, 130))
        draw.ellipse(
            at(across - radius, along - radius, across + radius, along + radius),
            fill=(int(green * 0.55), green, int(green * 0.45)),
        )
    small = picture.resize((SIDE, SIDE), Image.Resampling.BOX)
    return small.filter(ImageFilter.GaussianBlur(0.5))


def fruit() -> list[list[str]]:
    """Return a table of invented fruit: its header and rows, in mixed order."""
    random = np.random.default_rng(3)
    rows = []
    for kind, (weight, length, width, firmness, colours) in FRUIT.items():
        size = random.normal(0, 1, ROWS_OF_EACH)  # large fruit is large in every way
        for big in size:
            numbers = [
                mean + spread * (0.7 * big + 0.7 * random.normal())
                for mean, spread in (weight, length, width)
            ]
            numbers.append(random.normal(*firmness))
            rows.append([*(f"{n:.1f}" for n in numbers), str(random.choice(colours)), kind])
    order = random.permutation(len(rows))
    header = ["weight_g", "length_mm", "width_mm", "firmness_n", "colour", "kind"]
    return [header, *(rows[i] for i in order)]


def main() -> None:
    """Write both files."""
    EXAMPLES.mkdir(exist_ok=True)
    tree().save(EXAMPLES / "tree.jpg", quality=88)
    with (EXAMPLES / "fruit.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(fruit())


if __name__ == "__main__":
    main()
