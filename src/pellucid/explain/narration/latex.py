"""Stories as a LaTeX document that needs nothing beyond a base installation and amsmath."""

from __future__ import annotations

import unicodedata

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

__all__ = ["escaped", "to_latex"]

_PREAMBLE = r"""\documentclass[a4paper,10pt]{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{amsmath}
\usepackage[margin=22mm]{geometry}
\setlength{\parindent}{0pt}
\setlength{\parskip}{6pt}
\sloppy
"""

_LONG = 160

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "[": "{[}",
    "]": "{]}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\textquotedbl{}",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
    "\u00a0": "~",
}
_MATHS = {
    "−": "-",
    "×": r"\times",
    "·": r"\cdot",
    "÷": r"\div",
    "→": r"\rightarrow",
    "←": r"\leftarrow",
    "↔": r"\leftrightarrow",
    "≤": r"\le",
    "≥": r"\ge",
    "≠": r"\ne",
    "≈": r"\approx",
    "∞": r"\infty",
    "∂": r"\partial",
    "Σ": r"\Sigma",
    "∑": r"\sum",
    "√": r"\surd",
    "⌊": r"\lfloor",
    "⌋": r"\rfloor",
    "⌈": r"\lceil",
    "⌉": r"\rceil",
    "α": r"\alpha",
    "β": r"\beta",
    "γ": r"\gamma",
    "δ": r"\delta",
    "ε": r"\varepsilon",
    "η": r"\eta",
    "μ": r"\mu",
    "σ": r"\sigma",
    "Δ": r"\Delta",
    "π": r"\pi",
    "°": r"^{\circ}",
    "′": r"'",
    "∈": r"\in",
    "²": "^{2}",
    "³": "^{3}",
    "¹": "^{1}",
    "⁰": "^{0}",
    "⁻": "^{-}",
}
_MATHS |= {chr(0x2070 + n): f"^{{{n}}}" for n in range(4, 10)}
_MATHS |= {chr(0x2080 + n): f"_{{{n}}}" for n in range(10)}


def to_latex(story: Story) -> str:
    """Return the story as a LaTeX document that pdflatex compiles."""
    body = "\n\n".join(map(_block, story.blocks))
    return (
        f"{_PREAMBLE}\\title{{{escaped(story.title)}}}\n\\date{{}}\n\\begin{{document}}\n"
        f"\\maketitle\n\n{body}\n\n\\end{{document}}\n"
    )


def escaped(text: str) -> str:
    """Return text such that LaTeX prints it as it is.

    A character that a base installation has no letter for is replaced by its plain form or, if it
    has none, by its code.
    """
    return "".join(map(_character, text))


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character in _MATHS:
        return f"\\ensuremath{{{_MATHS[character]}}}"
    accented = character.isalpha() and character <= "ž"
    if character == "\n" or " " <= character <= "~" or accented:
        return character
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or f"{{[}}U+{ord(character):04X}{{]}}"


def _block(block: Block) -> str:
    match block:
        case Heading(text, level):
            command = {1: "section*", 2: "section*", 3: "subsection*"}.get(level, "subsubsection*")
            return f"\\{command}{{{_sentence(text)}}}"
        case Paragraph(text):
            return _sentence(text)
        case Note(text):
            return f"{{\\small\\textit{{{_sentence(text)}}}}}"
        case Formula(_, latex):
            size = "\\footnotesize" if len(latex) > _LONG else ""
            return f"{{{size}\\[\n{latex}\n\\]}}"
        case Matrix():
            said = block.remark("underlined")
            remark = f" ({escaped(said)})" if said else ""
            return f"\\texttt{{{escaped(block.name)}}}{remark}\n\\[\n{_array(block)}\n\\]"
        case Equation(parts):
            shown = [
                f"\\;{_MATHS.get(p, p)}\\;"
                if isinstance(p, str)
                else f"\\underset{{\\text{{{escaped(p.name)}}}}}{{{_array(p)}}}"
                for p in parts
            ]
            return "\\[\n" + "\n".join(shown) + "\n\\]"
        case Terms():
            rows = [
                [_code(what) if numbers else escaped(what)]
                + [escaped(part) for part in (numbers, value, note)]
                for what, numbers, value, note in block.rows
            ]
            total = [_code(block.name), "", f"\\textbf{{{escaped(block.format(block.total))}}}", ""]
            table = _tabular("llrl", [*rows, ["\\hline"], total])
            return f"{table}\n\n{{\\small {escaped(block.remark)}}}" if block.remark else table
        case Table(header, rows_of_table, caption, left):
            columns = "".join("l" if index in left else "r" for index in range(len(header)))
            heads = [f"\\textbf{{{escaped(title)}}}" for title in header]
            cells = [[escaped(cell) for cell in row] for row in rows_of_table]
            table = _tabular(columns, [heads, ["\\hline"], *cells])
            return f"{table}\n\n{{\\small {_sentence(caption)}}}" if caption else table


def _array(matrix: Matrix) -> str:
    rows = []
    for r, row in enumerate(matrix.values):
        cells = []
        for c in range(len(row)):
            text = matrix.cell(r, c).replace("−", "-")
            cells.append(f"\\underline{{\\mathbf{{{text}}}}}" if matrix.is_marked(r, c) else text)
        rows.append(" & ".join(cells))
    size = "\\scriptstyle " if len(matrix.values[0]) > 8 else ""
    inner = " \\\\\n".join(rows)
    if size:
        inner = inner.replace(" & ", f" & {size}").replace("\\\\\n", f"\\\\\n{size}")
    columns = "r" * len(matrix.values[0])
    return f"\\left[\\begin{{array}}{{{columns}}}\n{size}{inner}\n\\end{{array}}\\right]"


def _tabular(columns: str, rows: list[list[str]]) -> str:
    lines = [row[0] if row == ["\\hline"] else " & ".join(row) + r" \\" for row in rows]
    inner = "\n".join(lines)
    return f"{{\\footnotesize\n\\begin{{tabular}}{{{columns}}}\n{inner}\n\\end{{tabular}}}}"


def _sentence(text: str) -> str:
    return "".join(_code(piece) if code else escaped(piece) for piece, code in spans(text))


def _code(text: str) -> str:
    return f"\\texttt{{{escaped(text)}}}"
