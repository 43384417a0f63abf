"""Stories: what they say is what was computed, and every format can be read."""

from __future__ import annotations

import io
import json
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import pellucid as keras
from pellucid.errors import ArgumentError, NameLookupError, ShapeError, TypeMismatchError
from pellucid.explain import Trace, explain
from pellucid.explain.kernels import KERNELS
from pellucid.explain.narration import (
    FORMATS,
    Equation,
    Formula,
    Heading,
    Matrix,
    Note,
    Paragraph,
    Story,
    Table,
    Term,
    Terms,
    convolution_story,
    narrate,
    render,
)
from pellucid.explain.narration.ledgers import meaning, terms_block
from pellucid.explain.narration.numbers import Format, number
from pellucid.explain.narration.pipelines import pipeline_story
from pellucid.explain.narration.text import renderables
from pellucid.explain.narration.traces import prediction_table
from pellucid.explain.pipeline import make_pipeline, train
from pellucid.ops._registry import operations


@pytest.fixture(scope="module")
def trace() -> Trace:
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.layers.Input((12, 12, 2)),
            keras.layers.Conv2D(3, 3, activation="relu", name="conv2d"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.MaxPooling2D(2, name="pool"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(3, activation="softmax", name="dense"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    sample = np.random.default_rng(0).random((12, 12, 2)).astype("float32")
    return explain(model, sample, target=1, class_names=["a_b", "50%", "猫 & <b>"])


ADDRESSES = [
    "input[3,3,0]",
    "conv2d.pre_activation[4,4,1]",
    "conv2d.output[4,4,1]",
    "norm.output[4,4,1]",
    "pool.output[1,1,1]",
    "flatten.output[7]",
    "dense.pre_activation[1]",
    "dense.output[1]",
    "loss",
    "dense.pre_activation[1].grad",
    "dense.kernel[3,1].grad",
    "dense.kernel[3,1].updated",
    "pool.output[1,1,1].grad",
    "conv2d.pre_activation[4,4,1].grad",
    "conv2d.kernel[0,0,0,1].grad",
    "input[3,3,0].grad",
]


@pytest.fixture(scope="module")
def stories(trace: Trace) -> list[Story]:
    picture = np.random.default_rng(3).random((28, 28, 1)).astype("float32")
    kernel = KERNELS["emboss"]
    hostile = Story(r"\input{x} 100% of_it #1 & $2", [Paragraph("~^ <b> `a_b{}` ČŽß € 猫 −½ …")])
    hostile.add(Heading("<h>_"), Note("a `b` c"), Table(("x_", "y"), (("1|2", "<3>"),), "a_b"))
    return [
        *(narrate(trace[address]) for address in ADDRESSES),
        narrate(trace),
        narrate(trace.path("input[3,3,0]", "loss")),
        convolution_story(np.arange(30).reshape(5, 6) / 7, np.ones((2, 4)), (2, 1), "same"),
        pipeline_story(make_pipeline(kernel), picture, kernel, 1, 3, "It is noise."),
        hostile,
    ]


def test_text_fits_eighty_columns_without_colour(stories: list[Story]) -> None:
    for story in stories:
        text = story.to_text()
        assert max(map(len, text.splitlines())) <= 80
        assert "\x1b" not in text
        assert "`" not in text
        assert not any(line.endswith(" ") for line in text.splitlines())
        assert max(map(len, story.to_text(50).splitlines())) <= 50


def test_colour_adds_nothing_but_colour(stories: list[Story]) -> None:
    for story in stories:
        file = io.StringIO()
        console = Console(file=file, width=80, force_terminal=True, color_system="truecolor")
        for renderable in renderables(story, 80):
            console.print(renderable)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue())
        lines = [line.rstrip() for line in plain.strip("\n").splitlines()]
        assert lines == story.to_text().strip("\n").splitlines()
        assert "\x1b[" in file.getvalue()


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(stories: list[Story], tmp_path: Path) -> None:
    bodies = []
    for story in stories:
        start, end = r"\maketitle", r"\end{document}"
        head, _, rest = story.to_latex().partition(start)
        title = head.partition(r"\title{")[2].partition("\n")[0].removesuffix("}")
        bodies.append(f"\\section*{{{title}}}\n{rest.partition(end)[0]}")
    preamble = stories[0].to_latex().partition(r"\title{")[0]
    document = f"{preamble}\\begin{{document}}\n{''.join(bodies)}\n\\end{{document}}\n"
    (tmp_path / "story.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-draftmode", "-interaction=nonstopmode", "-halt-on-error", "story.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    tail = story.to_latex().rstrip()
    assert tail.endswith(r"\end{document}")


class _Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_one_balanced_section(stories: list[Story]) -> None:
    for story in stories:
        parser = _Balance()
        parser.feed(story.to_html())
        assert not parser.open
        assert not parser.seen & {"script", "style", "b", "img"}
        assert story.to_html().startswith("<section")


def test_json_and_markdown(stories: list[Story]) -> None:
    for story in stories:
        assert json.loads(render(story, "json")) == story.to_dict()
        markdown = story.to_markdown()
        assert markdown.count("```") % 2 == 0
        assert markdown.count("$$") % 2 == 0
    for form in FORMATS:
        assert render(stories[0], form).endswith("\n")
    with pytest.raises(NameLookupError, match="format"):
        render(stories[0], "pdf")


def test_a_long_sum_shows_its_largest_terms_and_the_sum_of_the_rest(trace: Trace) -> None:
    for address in ADDRESSES:
        ledger = trace[address]
        if ledger.how != "sum" or len(ledger.terms) < 5:
            continue
        block = terms_block(ledger, 2)
        shown = math.fsum(term.value for term in block.terms)
        assert block.count == len(ledger.terms)
        assert block.rest is not None
        assert shown + block.rest == pytest.approx(ledger.total, rel=1e-12, abs=1e-15)
        smallest = min(abs(term.value) for term in block.terms)
        hidden = sorted(map(abs, ledger.terms.values))[: block.omitted]
        assert max(hidden) <= smallest
        assert f"{block.omitted:,} smaller term" in Story("", [block]).to_text()


def test_everything_shown_is_recorded(trace: Trace) -> None:
    story = narrate(trace["conv2d.pre_activation[4,4,1]"])
    matrix = next(block for block in story.blocks if isinstance(block, Matrix))
    (top, left), window = matrix.first, matrix.window
    assert window == (slice(4, 7), slice(4, 7))
    channel = int(re.search(r"channel (\d)", matrix.caption)[1])
    for r, row in enumerate(matrix.values):
        for c, value in enumerate(row):
            assert value == trace.value(f"input[{top + r},{left + c},{channel}]")
    assert story.title == f"conv2d.pre_activation[4,4,1] = {number(story_value(trace))}"


def story_value(trace: Trace) -> float:
    return float(trace.value("conv2d.pre_activation[4,4,1]"))


def test_a_window_stands_in_brackets() -> None:
    window = (slice(1, 3), slice(2, 4))
    text = Story("", [Matrix.of(np.arange(20).reshape(4, 5), "m", window=window)]).to_text()
    assert "  1   5   6 [ 7   8]  9" in text
    assert "  2  10  11 [12  13] 14" in text
    far = Matrix.of(np.zeros((100, 100)), "m", window=(slice(90, 93), slice(0, 2)), most=(5, 6))
    assert far.first == (89, 0)
    assert far.extent == "rows 89–93 of 100, columns 0–5 of 100"


@pytest.mark.parametrize(
    ("values", "shown", "remark"),
    [
        ([1, -20, 300], ["1", "−20", "300"], ""),
        ([0.5, 0.25], ["0.50", "0.25"], ""),
        ([0.123456, 1], ["0.123", "1.000"], "rounded to 3 decimals"),
        ([1.5e-7, 0], ["1.5", "0.0"], "in units of 10⁻⁷"),
        ([1 / 3 * 1e9], ["3.333"], "in units of 10⁸, rounded to 3 decimals"),
        ([float("nan"), float("-inf"), 2], ["nan", "−inf", "2"], ""),
        ([-0.00001, 5.5555], ["0.000", "5.556"], "rounded to 3 decimals"),
        ([], [], ""),
    ],
)
def test_rounding_is_disclosed(values: list[float], shown: list[str], remark: str) -> None:
    form = Format.for_values(values)
    assert [form(value) for value in values] == shown
    assert form.remark == remark


def test_rounded_sums_say_so() -> None:
    terms = (Term("a", "1/3", 1 / 3), Term("b", "1/3", 1 / 3), Term("c", "1/3", 1 / 3))
    text = Story("", [Terms("sum", terms, 1.0, 3)]).to_text()
    assert "1/3  0.333" in text
    assert "Rounded to 3 decimals; the total is that of the full numbers." in text


def test_worked_convolutions() -> None:
    picture, kernel = np.arange(10, 251, 10).reshape(5, 5), KERNELS["horizontal-edge"].values
    story = convolution_story(picture, kernel)
    lines = [b.plain for b in story.blocks if isinstance(b, Formula) and b.plain[:7] == "output["]
    assert sum(line.endswith("= 300") for line in lines) == 9
    assert "−10 − 20 − 30 + 0 + 0 + 0 + 110 + 120 + 130 = 300" in lines[1]
    with pytest.raises(ArgumentError, match="rows 0–2"):
        convolution_story(picture, kernel, positions=[(3, 0)])
    with pytest.raises(ShapeError, match="height of 2"):
        convolution_story(picture[:2], kernel)


@pytest.mark.parametrize("seed", range(8))
def test_a_worked_position_adds_up(seed: int) -> None:
    random = np.random.default_rng(seed)
    picture = random.integers(-9, 10, tuple(random.integers(4, 9, 2)))
    kernel = random.integers(-3, 4, tuple(random.integers(1, 5, 2)))
    strides = tuple(map(int, random.integers(1, 4, 2)))
    padding = ("valid", "same", ((1, 0), (2, 1)))[seed % 3]
    story = convolution_story(picture, kernel, strides, padding, most=100)
    output = next(b for b in reversed(story.blocks) if isinstance(b, Matrix)).values
    formulas = [b.plain for b in story.blocks if isinstance(b, Formula)]
    worked = [f for f in formulas if re.match(r"output\[\d+,\d+\] = |row by row", f)]
    sums = [float(f.rpartition("= ")[2].replace("−", "-")) for f in worked]
    flat = [value for row in output for value in row]
    assert sums == flat


def test_every_operation_says_what_it_does() -> None:
    for name in operations():
        assert 10 < len(meaning(name)) < 200, name
    assert meaning("momentum") == ""


def test_a_path_multiplies_its_slopes(trace: Trace) -> None:
    path = trace.path("input[3,3,0]", "loss")
    story = narrate(path)
    table = next(block for block in story.blocks if isinstance(block, Table))
    assert [row[0] for row in table.rows] == [str(step.target) for step in path.steps]
    assert number(path.gradient) in story.to_text()


def test_an_input_gradient_is_seen_both_ways(trace: Trace) -> None:
    story = narrate(trace["input[3,3,0].grad"])
    assert any(isinstance(b, Heading) and b.text == "Seen both ways" for b in story.blocks)
    equation = next(b for b in story.blocks if isinstance(b, Equation))
    window, _, kernel, _, products = equation.parts
    for row in zip(window.values, kernel.values, products.values, strict=True):
        for delta, weight, product in zip(*row, strict=True):
            assert product == pytest.approx(delta * weight, rel=1e-12)
    for address in ("dense.kernel[3,1].grad", "pool.output[1,1,1].grad", "flatten.output[7].grad"):
        assert not any(isinstance(b, Equation) for b in narrate(trace[address]).blocks)


def test_a_number_is_checked_in_its_story(trace: Trace) -> None:
    for address, ways in (("conv2d.kernel[0,0,0,1].grad", 3), ("dense.output[1]", 2)):
        story = narrate(trace[address])
        checks = [b for b in story.blocks if isinstance(b, Table)][-1]
        assert len(checks.rows) >= ways
        assert {row[-1] for row in checks.rows} == {"agrees"}


def test_outputs_of_any_shape_are_named() -> None:
    layers = keras.layers
    mask = keras.Sequential([layers.Input((4, 4, 1)), layers.Conv2D(1, 3, activation="sigmoid")])
    text = narrate(explain(mask, np.ones((4, 4, 1)))).to_text()
    assert f"{mask.layers[0].name}.output[1,1,0]" in text
    yes = keras.Sequential([layers.Input((3,)), layers.Dense(1, activation="sigmoid")])
    rows = prediction_table(explain(yes, np.ones(3), class_names=["no", "yes"])).rows
    assert [row[0] for row in rows] == ["yes"]
    line = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
    assert "What comes out" in narrate(explain(line, np.ones(3))).to_text()


def test_only_ledgers_traces_and_paths_are_narrated() -> None:
    with pytest.raises(TypeMismatchError, match="received str"):
        narrate("loss")  # type: ignore[arg-type]  what a caller may do wrong


def test_the_pipeline_learns_by_p_minus_y() -> None:
    picture = np.random.default_rng(3).random((28, 28)).astype("float32")
    model = make_pipeline(KERNELS["vertical-edge"])
    before = model.get_layer("conv2d").get_weights()[0].copy()
    taken = list(train(model, picture, 1, 6))
    losses = [step.loss for _, step in taken]
    assert losses == sorted(losses, reverse=True)
    for trace, step in taken:
        difference = np.array(step.probabilities) - [0, 1]
        np.testing.assert_allclose(step.gradient, difference, atol=1e-6)
        assert step.loss == pytest.approx(-math.log(step.probabilities[1]), rel=1e-5)
        flat = trace.array("flatten.output").astype(float)
        grad = trace.array("dense.kernel.grad")
        np.testing.assert_allclose(grad, np.outer(flat, difference), atol=1e-6)
    (first, _), (second, _) = taken[:2]
    updated, kernel = first.array("dense.kernel.updated"), second.array("dense.kernel")
    np.testing.assert_allclose(updated, kernel, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(model.get_layer("conv2d").get_weights()[0], before)


def test_the_pipeline_needs_two_classes_and_room() -> None:
    with pytest.raises(ArgumentError, match="two classes"):
        make_pipeline(KERNELS["blur"], classes=1)
    with pytest.raises(ShapeError):
        make_pipeline(KERNELS["blur"], (2, 28))
