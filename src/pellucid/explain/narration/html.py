"""Stories as a fragment of HTML: one section of headings, paragraphs and tables."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

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

__all__ = ["to_html"]


def to_html(story: Story) -> str:
    """Return the story as one `<section>`, without style or script.

    A formula stands in plain text, and in LaTeX in its attribute `data-latex`. A cell of a
    matrix's window has the class `window`, one of its padding `padding`, a negative number
    `negative`.
    """
    inner = "\n".join([f"<h1>{escape(story.title)}</h1>", *map(_block, story.blocks)])
    return f'<section class="pellucid-story">\n{inner}\n</section>\n'


def _block(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{_sentence(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{_sentence(text)}</p>"
        case Note(text):
            return f'<p class="note"><small>{_sentence(text)}</small></p>'
        case Formula(plain, latex):
            return (
                f'<p class="formula" role="math" data-latex="{escape(latex)}">{escape(plain)}</p>'
            )
        case Matrix():
            return _matrix(block)
        case Equation(parts):
            shown = [
                f'<span class="sign">{escape(p)}</span>' if isinstance(p, str) else _matrix(p)
                for p in parts
            ]
            return f'<div class="equation" role="group">\n{"".join(shown)}\n</div>'
        case Terms():
            rows = [
                [f"<code>{escape(what)}</code>" if numbers else escape(what)]
                + [escape(part) for part in (numbers, value, note)]
                for what, numbers, value, note in block.rows
            ]
            total = [f"<code>{escape(block.name)}</code>", "", escape(block.format(block.total))]
            foot = f"<tfoot>{_row(total, 'th')}</tfoot>"
            return _table("terms", ["term", "in numbers", "value", ""], rows, block.remark, foot)
        case Table(header, rows_of_table, caption):
            cells = [[escape(cell) for cell in row] for row in rows_of_table]
            return _table("table", [escape(title) for title in header], cells, caption)


def _matrix(matrix: Matrix) -> str:
    said = matrix.remark("marked")
    remark = f" ({escape(said)})" if said else ""
    caption = f"<caption><code>{escape(matrix.name)}</code>{remark}</caption>"
    rows = []
    for r, row in enumerate(matrix.values):
        cells = []
        for c, value in enumerate(row):
            classes = [
                name
                for name, holds in (
                    ("window", matrix.is_marked(r, c)),
                    ("padding", (r, c) in matrix.padding),
                    ("negative", value < 0),
                )
                if holds
            ]
            attribute = f' class="{" ".join(classes)}"' if classes else ""
            text = escape(matrix.cell(r, c))
            shown = f"<mark>{text}</mark>" if matrix.is_marked(r, c) else text
            cells.append(f"<td{attribute}>{shown}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f'<table class="matrix">{caption}<tbody>\n' + "\n".join(rows) + "\n</tbody></table>"


def _table(
    kind: str, header: list[str], rows: Iterable[list[str]], caption: str, foot: str = ""
) -> str:
    head = "".join(f'<th scope="col">{title}</th>' for title in header)
    body = "\n".join(_row(row, "td") for row in rows)
    title = f"<caption>{_sentence(caption)}</caption>" if caption else ""
    return (
        f'<table class="{kind}">{title}<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>{foot}</table>"
    )


def _row(cells: list[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in cells)}</tr>"


def _sentence(text: str) -> str:
    return "".join(
        f"<code>{escape(piece)}</code>" if code else escape(piece) for piece, code in spans(text)
    )
