"""Reading: twins drawn side by side from their source, each equation beside its lines."""
import ast
import re
import xml.etree.ElementTree as ElementTree

import pytest

from minigpt import listing
from minigpt.errors import InputError
from minigpt.listing import code_of, definitions, find, versions
from minigpt.reading import _equations, _lines, side_by_side, source

NUMPY = '''
import numpy as np


def toy_forward(x):
    """Make a thing.

        y = f(x)                              (in short)
        (1) m = max_j x_j
        (2) y_i = x_i - m

    x: (..., N)
    """
    m = x.max(axis=-1)                        # (..., 1)  (1)
    extra = "<script>" < "b"
    y = x - m                                 # (2)
    return y, None


def toy_backward(dy, cache):
    """Gradient.

        (3) ∂y_i / ∂x_j = 1[i = j]
            so the rest is easy
        (4) dx_j = dy_j
    """
    dx = dy                                   # (4)
    return dx
'''
TORCH = '''
@replaceable
def toy(x):
    """Make a thing.

        (1) m = max_j x_j
    """
    m = x.amax(dim=-1)                        # (..., 1)  (1)
    y = x - m                                 # (2)
    return y


class Layer:
    def forward(self, x):
        return toy(x)
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two files, that stands in for ours."""
    (tmp_path / "minigpt/reference").mkdir(parents=True)
    (tmp_path / "minigpt/reference/toy.py").write_text(NUMPY, encoding="utf-8")
    (tmp_path / "minigpt/toy.py").write_text(TORCH, encoding="utf-8")
    monkeypatch.setattr(listing, "ROOT", tmp_path)


def rows(shown):
    """The cells of each table row, as text, and the height of its first cell."""
    table = ElementTree.fromstring(shown.html.replace("&nbsp;", " "))
    return [(["".join(cell.itertext()).strip() for cell in row], int(row[0].get("rowspan", 1)))
            for row in table.iter("tr")]


def test_twin_lines_stand_in_one_row(package):
    cells = [texts for texts, _ in rows(side_by_side("toy"))]
    assert ["y = x - m  # (2)", "y = x - m  # (2)"] in [texts[-2:] for texts in cells]


def test_a_line_without_a_twin_has_an_empty_cell_beside_it(package):
    cells = [texts for texts, _ in rows(side_by_side("toy"))]
    assert ['extra = "<script>" < "b"', ""] in [texts[-2:] for texts in cells]


def test_an_equation_spans_the_lines_from_the_one_that_cites_it_to_the_next(package):
    first = [(texts[0], height) for texts, height in rows(side_by_side("toy")) if texts[0].startswith("(1)")]
    assert first == [("(1) m = max_j x_j", 2)]


def test_an_equation_without_a_number_stands_beside_the_def(package):
    assert rows(side_by_side("toy"))[1][0] == ["y = f(x)(in short)", "def toy_forward(x):", "def toy(x):"]


def test_an_equation_that_no_line_cites_goes_with_the_next_one(package):
    derivation = [texts[0] for texts, _ in rows(side_by_side("toy")) if texts[0].startswith("(3)")]
    assert [re.sub(r"\s+", " ", text) for text in derivation] == [
        "(3) ∂y_i / ∂x_j = 1[i = j]so the rest is easy(4) dx_j = dy_j"]


def test_beside_a_backward_stands_that_autograd_derives_it(package):
    beside = {texts[-2]: texts[-1] for texts, _ in rows(side_by_side("toy")) if len(texts) > 1}
    assert "autograd" in beside["def toy_backward(dy, cache):"]


def test_a_page_has_neither_scripts_nor_colours(package):
    shown = side_by_side("toy", folded=True).html
    assert "<script" not in shown
    assert "color" not in shown


def test_a_folded_view_is_hidden_until_opened(package):
    assert side_by_side("toy", folded=True).html.startswith("<details><summary>")


def test_the_plain_text_has_both_versions_and_the_equations(package):
    text = str(side_by_side("toy"))
    assert re.search(r"y = x - m .*\| +y = x - m", text)
    assert "(2) y_i = x_i - m" in text


def test_a_class_is_the_twin_if_it_bears_the_name(package, tmp_path):
    (tmp_path / "minigpt/reference/toy.py").write_text("def layer_forward(x):\n    return x, None\n")
    assert side_by_side("layer").objects[1] == "minigpt.toy.Layer.forward"


def test_source_shows_decorators_and_docstring(package):
    assert str(source("minigpt.toy.toy")).startswith('@replaceable\ndef toy(x):\n    """Make a thing.')


def test_the_source_of_a_method_is_not_indented(package):
    assert code_of("minigpt.toy.Layer.forward") == "def forward(self, x):\n    return toy(x)"


@pytest.mark.parametrize("call", [lambda: side_by_side("tooy"), lambda: source("minigpt.toy.tooy")])
def test_a_misspelt_name_is_answered_with_the_nearest(package, call):
    with pytest.raises(InputError, match="did you mean toy"):
        call()


def test_a_name_without_a_file_is_an_input_error(package):
    with pytest.raises(InputError, match="no source file for 'numpy'"):
        source("numpy")


CONCEPTS = [name.removesuffix("_forward") for path in sorted((listing.ROOT / "minigpt/reference").glob("[a-z]*.py"))
            for name, node in definitions(ast.parse(path.read_text(encoding="utf-8"))).items()
            if isinstance(node, ast.FunctionDef) and name.endswith("_forward")]


@pytest.mark.parametrize("concept", CONCEPTS)
def test_every_part_of_the_model_can_be_put_side_by_side(concept):
    shown = side_by_side(concept)
    assert len(shown.objects) == (2 if concept == "norm" else 3)       # PyTorch chooses the norm by its class
    ElementTree.fromstring(shown.html.replace("&nbsp;", " "))


@pytest.mark.parametrize("concept", CONCEPTS)
def test_every_step_that_a_line_cites_is_an_equation_of_the_docstring(concept):
    for pair in versions(concept):
        known = {equation.step for equation in _equations(ast.get_docstring(find(pair[0])[1]))}
        assert {step for name in pair if name for line in _lines(name) for step in line.steps} <= known
