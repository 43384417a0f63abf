"""Tables: what is learned from the training rows, and what happens to all others."""

import json

import numpy as np
import pytest

from pellucid.data import TablePreprocessing, check, preprocessing_from_config, read_csv
from pellucid.errors import ArgumentError, DataError, LoadError


@pytest.fixture
def table(tmp_path):
    def make(text, name="table.csv"):
        (tmp_path / name).write_text(text)
        return read_csv(tmp_path / name)

    return make


FLOWERS = "size,colour,kind\n1,red,rose\n2,blue,iris\n3,red,rose\n6,,iris\n"


def test_numbers_are_standardised_and_categories_become_places(table):
    flowers = table(FLOWERS)
    fitted = TablePreprocessing.fit(flowers, "kind")
    assert (fitted.task, fitted.class_names) == ("classification", ("iris", "rose"))
    assert fitted.feature_names == ("size", "colour=blue", "colour=red")
    x = fitted.transform(flowers)
    size = np.array([1, 2, 3, 6])
    np.testing.assert_allclose(x[:, 0], (size - size.mean()) / size.std(), rtol=1e-6)
    np.testing.assert_array_equal(x[:, 1:], [[0, 1], [1, 0], [0, 1], [0, 0]])
    assert x.dtype == np.float32
    assert fitted.targets(flowers).tolist() == [1, 0, 1, 0]


def test_other_rows_use_the_training_rows_statistics(table):
    fitted = TablePreprocessing.fit(table(FLOWERS), "kind")
    # Other column order, an extra column, no target, a missing number and an unknown category.
    x = fitted.transform(table("extra,colour,size\nx,green,NA\ny,red,3\n", "new.csv"))
    np.testing.assert_array_equal(x, [[0, 0, 0], [0, 0, 1]])


def test_strictness_names_the_cell(table):
    fitted = TablePreprocessing.fit(
        table("size,colour,kind\n1,red,a\n2,blue,b\n"), "kind", strict=True
    )
    for text, place in (
        ("size,colour\n1,red\n,red\n", "line 3, column 'size'"),
        ("size,colour\n1,green\n", "line 2, column 'colour'"),
    ):
        with pytest.raises(DataError, match=place):
            fitted.transform(table(text, "new.csv"))
    with pytest.raises(DataError, match="line 5, column 'colour'"):
        TablePreprocessing.fit(table(FLOWERS), "kind", strict=True)


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["a", "b"], "classification", ("a", "b")),
        (["10", "9", "2"], "classification", ("2", "9", "10")),
        (["0.5", "1.5"], "regression", None),
        ([str(value) for value in range(25)], "regression", None),
        (["1", "two"], "classification", ("1", "two")),
        (["True", "False"], "classification", ("False", "True")),
    ],
)
def test_the_task_is_told_from_the_target(values, task, classes, table):
    rows = table("x,y\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values)))
    fitted = TablePreprocessing.fit(rows, "y")
    assert (fitted.task, fitted.class_names) == (task, classes)


def test_regression(table):
    rows = table("x,y\n1,2\n2,3\n")
    fitted = TablePreprocessing.fit(rows, "y", task="regression")
    targets = fitted.targets(rows)
    assert (targets.tolist(), targets.dtype) == ([[2], [3]], np.float32)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("x,y\n1,a\n2,b\n" + "3,a\n" * 20 + "oops,b\n", "line 24, column 'x': expected a number"),
        ("x,z,y\n1,,a\n2,,b\n", "column 'z' has no values"),
        ("x,y\n1,a\n2,a\n", "one value only"),
        ("x,y\n1,a\n2,\n3,b\n", "line 3, column 'y': the value to learn is missing"),
        ("x,y\n" + "".join(f"name{i},{'ab'[i % 2]}\n" for i in range(101)), "identifier"),
        ("y\na\nb\n", "no column is left"),
        ("x,z\n1,a\n", "no column 'y'"),
    ],
)
def test_tables_nothing_can_be_learned_from(text, hint, table):
    rows = table(text)
    with pytest.raises(DataError, match=hint):
        TablePreprocessing.fit(rows, "y").targets(rows)


def test_a_number_far_beyond_the_training_rows_is_a_mistake(table):
    fitted = TablePreprocessing.fit(table(FLOWERS), "kind")
    with pytest.raises(DataError, match="line 2, column 'size': 1e12 is 5e\\+11 standard dev"):
        fitted.transform(table("size,colour\n1e12,red\n", "new.csv"))


def test_infinity_is_no_number(table):
    fitted = TablePreprocessing.fit(table("x,y\n1,a\ninf,b\n"), "y")
    assert fitted.feature_names == ("x=1", "x=inf")


def test_new_targets_must_be_known(table):
    fitted = TablePreprocessing.fit(table(FLOWERS), "kind")
    with pytest.raises(DataError, match=r"line 2, column 'kind'.*'iris', 'rose'.*'tulip'"):
        fitted.targets(table("size,colour,kind\n1,red,tulip\n", "new.csv"))
    with pytest.raises(DataError, match="there is no column 'size'"):
        fitted.transform(table("colour\nred\n", "new.csv"))
    with pytest.raises(ArgumentError):
        TablePreprocessing.fit(table(FLOWERS), "kind", task="guessing")


def test_a_column_that_never_changes_becomes_zero(table):
    rows = table("x,z,y\n7,1,a\n7,2,b\n")
    assert TablePreprocessing.fit(rows, "y").transform(rows)[:, 0].tolist() == [0, 0]


def test_decimal_commas(table):
    rows = table("x;y\n1,5;a\n2,5;b\n")
    assert TablePreprocessing.fit(rows, "y").columns[0].mean == 2


@pytest.mark.parametrize("text", [FLOWERS, "x,y\n1,2.5\n2,3.25\n"])
def test_the_configuration_is_json_and_comes_back_the_same(text, table):
    rows = table(text)
    fitted = TablePreprocessing.fit(rows, rows.columns[-1])
    again = preprocessing_from_config(json.loads(json.dumps(fitted.to_config())))
    assert again == fitted
    np.testing.assert_array_equal(again.transform(rows), fitted.transform(rows))


@pytest.mark.parametrize(
    "change",
    [
        {"columns": []},
        {"columns": 3},
        {"columns": [{"name": "x"}]},
        {"columns": [{"name": "x", "mean": 0, "std": 0}]},
        {"columns": [{"name": "x", "mean": "nan", "std": 1}]},
        {"columns": ["x"]},
        {"task": "guessing"},
        {"class_names": None},
        {"class_names": 5},
        {"kind": None},
    ],
)
def test_a_hostile_configuration_is_a_load_error(change, table):
    config = TablePreprocessing.fit(table(FLOWERS), "kind").to_config() | change
    with pytest.raises(LoadError):
        preprocessing_from_config(config)
    with pytest.raises(LoadError):
        preprocessing_from_config("nothing of the sort")


def test_check_of_a_table(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"row{i},{i or ''},1,{'ab'[i % 2]}" for i in range(120)]
    path.write_text("\n".join(["id,x,one,y", *rows, "row7,7,1,b"]))
    report = check(path, target="y")
    assert {problem.kind: problem.level for problem in report.problems} == {
        "unusable_column": "error",
        "missing_values": "warning",
        "duplicate": "warning",
        "constant_column": "note",
    }
    assert [(c.name, c.counts["rows"]) for c in report.classes] == [("a", 60), ("b", 61)]
    paths = {problem.kind: problem.paths for problem in report.problems}
    assert paths["missing_values"] == ("line 2",)
    assert paths["duplicate"] == ("line 122 = line 9",)
    path.write_text("a,b\n1\n")
    assert [problem.kind for problem in check(path).problems] == ["corrupt"]
