"""What a look at some data found: for people at a terminal, and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["ClassSummary", "Problem", "Report"]

LEVELS = ("error", "warning", "note")
_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
_MOST_PATHS = 5
_MOST_CLASSES = 40


@dataclass(frozen=True)
class Problem:
    """One thing found.

    Attributes:
        level: 'error': nothing can be trained until this is put right; 'warning': probably a
            mistake; 'note': good to know.
        kind: a short name that does not change: 'corrupt', 'empty', 'not_an_image', 'duplicate',
            'same_picture_in_two_classes', 'no_images_in_class', 'hidden', 'not_used' …
        message: what it is and what to do about it, in a sentence.
        paths: the files, lines or cells concerned.
    """

    level: str
    kind: str
    message: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClassSummary:
    """One class: its number at the model's output, its name, and its samples in each part."""

    index: int
    name: str
    counts: dict[str, int]


@dataclass(frozen=True)
class Report:
    """What `check` found in a data set.

    Attributes:
        path: what was looked at.
        kind: 'image folder', 'csv', 'npz', 'idx', 'image' …
        facts: what was counted and measured, in order.
        classes: the classes, in the order of the model's outputs.
        problems: what was found, the worst first.
    """

    path: str
    kind: str
    facts: dict[str, Any]
    classes: tuple[ClassSummary, ...] = ()
    problems: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        ordered = sorted(self.problems, key=lambda problem: LEVELS.index(problem.level))
        object.__setattr__(self, "problems", tuple(ordered))

    @property
    def ok(self) -> bool:
        """Whether a model can be trained on this as it is: there are no errors."""
        return not any(problem.level == "error" for problem in self.problems)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON-able values."""
        return {"ok": self.ok, **asdict(self)}

    def render(self, console: Console, *, most: int = _MOST_PATHS) -> None:
        """Print the report.

        Args:
            console: where to; it is right from 60 columns on.
            most: how many paths are shown for each problem.
        """
        from rich.markup import escape
        from rich.padding import Padding
        from rich.text import Text

        console.print(f"[bold]{escape(self.path)}[/bold]: {self.kind}", highlight=False)
        for name, value in self.facts.items():
            console.print(f"  {escape(name)}: {escape(_shown(value))}", highlight=False)
        if self.classes:
            console.print(self._class_table())
        for problem in self.problems:
            style = _STYLES[problem.level]
            console.print(
                f"[{style}]{problem.level}[/{style}]  {escape(problem.message)}", highlight=False
            )
            for path in problem.paths[:most]:
                console.print(Padding(Text(path, overflow="fold"), (0, 0, 0, 4)))
            if len(problem.paths) > most:
                console.print(f"    … and {len(problem.paths) - most} more", style="dim")
        console.print(self._verdict(), highlight=False)

    def _class_table(self) -> Any:
        from rich.markup import escape
        from rich.table import Table

        parts = list(self.classes[0].counts)
        table = Table(box=None, pad_edge=False, padding=(0, 2))
        table.add_column("class", justify="right")
        table.add_column("name", overflow="fold")
        for part in parts:
            table.add_column(part, justify="right")
        for entry in self.classes[:_MOST_CLASSES]:
            counts = (f"{entry.counts[part]:,}" for part in parts)
            table.add_row(str(entry.index), escape(entry.name), *counts)
        if len(self.classes) > _MOST_CLASSES:
            table.add_row("…", f"{len(self.classes) - _MOST_CLASSES} more")
        return table

    def _verdict(self) -> str:
        counts = [sum(p.level == level for p in self.problems) for level in LEVELS]
        found = ", ".join(
            f"{count} {level}{'' if count == 1 else 's'}"
            for count, level in zip(counts, LEVELS, strict=True)
            if count
        )
        if not found:
            return "[green]Nothing wrong was found.[/green]"
        if self.ok:
            return f"[green]Ready to train[/green] ({found})."
        return f"[bold red]Not ready to train[/bold red] ({found})."


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(number)}" for name, number in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
