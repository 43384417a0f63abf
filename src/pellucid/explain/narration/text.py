"""Stories for a terminal: right at 80 columns, and with or without colour.

Nothing is said by colour alone: the window stands between brackets, padding in parentheses, a
negative number has its sign.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pellucid.explain.narration.blocks import (
    Block,
    Equation,
    Formula,
    Heading,
    Matrix,
    Note,
    Paragraph,
    Story,
    Table,
    Terms,
    spans,
)

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

__all__ = ["matrix_lines", "renderables", "to_text"]

_INDENT = 2


def to_text(story: Story, width: int = 80) -> str:
    """Return the story as plain text, no line longer than `width`."""
    from rich.console import Console

    file = io.StringIO()
    console = Console(
        file=file, width=width, no_color=True, color_system=None, highlight=False, emoji=False
    )
    for renderable in renderables(story, width):
        console.print(renderable)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()).strip("\n") + "\n"


def renderables(story: Story, width: int) -> Iterator[RenderableType]:
    """Yield what a rich console prints to tell the story in so many columns."""
    from rich.text import Text

    if story.title:
        yield Text(f"{story.title}\n{'═' * min(len(story.title), width)}\n", style="bold")
    for block in story.blocks:
        yield from _block(block, width)
        if not isinstance(block, Heading):
            yield ""


def _block(block: Block, width: int) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    match block:
        case Heading(text):
            plain = text.replace("`", "")
            yield Text(f"{plain}\n{'─' * min(len(plain), width)}", style="bold")
        case Paragraph(text):
            yield _sentence(text)
        case Note(text):
            yield Padding(_sentence(text, "dim"), (0, 0, 0, _INDENT), expand=False)
        case Formula(plain):
            yield Padding(Text(plain, style="italic"), (0, 0, 0, 2 * _INDENT), expand=False)
        case Matrix():
            yield from _matrix(block, width)
        case Equation():
            yield from _equation(block, width)
        case Terms():
            yield from _terms(block)
        case Table():
            yield from _table(block)


def _sentence(text: str, style: str = "") -> Text:
    from rich.text import Text

    sentence = Text(style=style)
    for piece, is_code in spans(text):
        sentence.append(piece, style="cyan" if is_code else None)
    return sentence


def _matrix(matrix: Matrix, width: int) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    shown, fits = _fitting(matrix, width - 2 * _INDENT)
    remark = (matrix if fits else _narrowed(matrix, shown)).remark("in brackets")
    yield _sentence(f"`{matrix.name}`" + (f" ({remark})" if remark else ""))
    lines = Text("\n").join(_lines(_narrowed(matrix, shown), labels=matrix.shape != (0, 0)))
    yield Padding(lines, (0, 0, 0, _INDENT), expand=False)


def _fitting(matrix: Matrix, width: int) -> tuple[int, bool]:
    """Return how many columns fit, and whether that is all of them."""
    columns = len(matrix.values[0])
    for count in range(columns, 1, -1):
        if max(map(len, matrix_lines(_narrowed(matrix, count)))) <= width:
            return count, count == columns
    return 1, columns == 1


def _narrowed(matrix: Matrix, columns: int) -> Matrix:
    """Return the matrix with fewer columns, the window among them."""
    if columns == len(matrix.values[0]):
        return matrix
    start = 0
    if matrix.window is not None:
        stop = matrix.window[1].stop - matrix.first[1]
        start = max(0, min(stop - columns, len(matrix.values[0]) - columns))
    return Matrix(
        matrix.name,
        tuple(row[start : start + columns] for row in matrix.values),
        (matrix.first[0], matrix.first[1] + start),
        matrix.shape,
        matrix.window,
        frozenset((r, c - start) for r, c in matrix.padding if start <= c < start + columns),
        matrix.caption,
    )


def matrix_lines(matrix: Matrix, labels: bool = True) -> list[str]:
    """Return a matrix as aligned lines, its window between brackets."""
    return [line.plain for line in _lines(matrix, labels)]


def _lines(matrix: Matrix, labels: bool) -> list[Text]:
    from rich.text import Text

    height, width = len(matrix.values), len(matrix.values[0])
    cells = [[matrix.cell(r, c) for c in range(width)] for r in range(height)]
    heads = [str(matrix.first[1] + c) if labels else "" for c in range(width)]
    wide = [max(len(heads[c]), *(len(row[c]) for row in cells)) for c in range(width)]
    side = len(str(matrix.first[0] + height - 1)) if labels else 0
    lines = []
    if labels:
        head = Text(" " * side, style="dim")
        for c in range(width):
            head.append("  " + heads[c].rjust(wide[c]))
        lines.append(head)
    for r in range(height):
        line = Text(str(matrix.first[0] + r).rjust(side) if labels else "", style="")
        line.stylize("dim")
        for c in range(width):
            marked = matrix.is_marked(r, c)
            opens = marked and (c == 0 or not matrix.is_marked(r, c - 1))
            closed = c > 0 and matrix.is_marked(r, c - 1) and not marked
            line.append(("]" if closed else " ") + ("[" if opens else " "))
            line.append(cells[r][c].rjust(wide[c]), style=_style(matrix.values[r][c], marked))
        if matrix.is_marked(r, width - 1):
            line.append("]")
        lines.append(line)
    return lines


def _style(value: float, marked: bool) -> str:
    colour = "magenta" if value < 0 else "default"
    return f"bold {colour}" if marked else colour


def _equation(equation: Equation, width: int) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    columns: list[list[Text]] = []
    for part in equation.parts:
        if isinstance(part, str):
            columns.append([Text(part)])
        else:
            columns.append([Text(part.name, style="cyan"), *_lines(part, labels=False)])
    tall = max(map(len, columns))
    total = sum(max(line.cell_len for line in column) for column in columns)
    if total + 2 * (len(columns) - 1) + _INDENT <= width:
        rows = [Text() for _ in range(tall)]
        for column in columns:
            wide = max(line.cell_len for line in column)
            # A sign stands in the middle of the matrices, below their names.
            above = (tall - len(column) + 1) // 2 if len(column) == 1 else 0
            for index, row in enumerate(rows):
                line = column[index - above] if 0 <= index - above < len(column) else Text()
                row.append_text(line)
                row.append(" " * (wide - line.cell_len + 2))
        yield Padding(Text("\n").join(rows), (0, 0, 0, _INDENT), expand=False)
    else:
        for column in columns:
            yield Padding(Text("\n").join(column), (0, 0, 0, _INDENT), expand=False)
    remarks = [
        f"{part.name}: {part.format.remark}"
        for part in equation.parts
        if isinstance(part, Matrix) and part.format.remark
    ]
    if remarks:
        yield Padding(_sentence("; ".join(remarks), "dim"), (0, 0, 0, _INDENT), expand=False)


def _terms(terms: Terms) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for what, numbers, value, note in terms.rows:
        grid.add_row(Text(what, style="cyan"), Text(numbers), Text(value), Text(note, style="dim"))
    shown = terms.format(terms.total)
    rule = "─" * max(len(shown), *(len(row[2]) for row in terms.rows)) if terms.rows else ""
    grid.add_row("", "", Text(rule, style="dim"), "")
    grid.add_row(Text(terms.name, style="bold cyan"), "", Text(shown, style="bold"), "")
    yield Padding(grid, (0, 0, 0, _INDENT))
    if terms.remark:
        yield Padding(
            Text(terms.remark.capitalize() + ".", style="dim"), (0, 0, 0, _INDENT), expand=False
        )


def _table(table: Table) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, title in enumerate(table.header):
        grid.add_column(
            Text(title), justify="left" if index in table.left else "right", overflow="fold"
        )
    for row in table.rows:
        grid.add_row(*map(Text, row))
    yield Padding(grid, (0, 0, 0, _INDENT))
    if table.caption:
        yield Padding(_sentence(table.caption, "dim"), (0, 0, 0, _INDENT), expand=False)
