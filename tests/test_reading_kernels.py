"""Reading kernels: tiled NumPy beside Triton, drawn from source that is never imported."""
import ast
import re
import xml.etree.ElementTree as ElementTree

import pytest

from minigpt import listing
from minigpt.errors import InputError
from minigpt.listing import find, kernel_versions
from minigpt.reading import _equations, _lines, side_by_side

pytest_plugins = ["toy_kernels"]                       # the fixture toy_kernels


def rows(shown):
    """Table rows, each the text of its equation cell, its tiled cell and its Triton cell."""
    table = ElementTree.fromstring(shown.html.replace("&nbsp;", " "))
    cells = [["".join(cell.itertext()).strip() for cell in row] for row in table.iter("tr")]
    return [row if len(row) == 3 else ["", *row] for row in cells]


def test_the_lines_that_cite_an_equation_stand_beside_it(toy_kernels):
    first = next(row[1:] for row in rows(side_by_side("toy", kernel=True)) if row[0].startswith("(1)"))
    assert first == ["m = max(m, x_tile.max())  # (1)", "m = tl.maximum(m, tl.max(x))  # (1)"]


def test_the_loop_over_programs_stands_beside_the_number_of_the_program(toy_kernels):
    assert ["", "for row in range(len(x)):  # a program each",
            "row = tl.program_id(0)"] in rows(side_by_side("toy", kernel=True))


def test_a_tile_stands_beside_the_load_of_it(toy_kernels):
    assert ["", "x_tile = x[row, start:start + COLUMNS]",
            "x = load_tile(x_ptr + row * N + start)"] in rows(side_by_side("toy", kernel=True))


def test_a_store_stands_beside_the_store(toy_kernels):
    assert ["", 'memory.store("a", a)', "tl.store(a_ptr, a)"] in rows(side_by_side("toy", kernel=True))


def test_a_value_that_replaces_the_old_one_has_an_arrow(toy_kernels):
    assert any(row[0].startswith("(1) m ← max") for row in rows(side_by_side("toy", kernel=True)))


def test_the_parameters_of_a_kernel_open_in_the_row_of_its_name(toy_kernels):
    table = ElementTree.fromstring(side_by_side("toy", kernel=True).html.replace("&nbsp;", " "))
    [opened] = [details for details in table.iter("details") if "forward" in "".join(details.itertext())]
    assert "".join(opened.find("summary").itertext()) == "def toy_forward_kernel("
    assert "x_ptr,  # (M, N) scores" in ["".join(line.itertext()).strip() for line in opened.findall("samp")]


def test_each_kernel_begins_with_its_name(toy_kernels):
    names = [row[2].split("(")[0] for row in rows(side_by_side("toy", kernel=True)) if row[2].startswith("def ")]
    assert names == ["def toy_forward_kernel", "def toy_backward_sum_kernel", "def toy_backward_dx_kernel"]


def test_an_equation_of_the_forward_stands_also_in_the_backward_kernel_that_cites_it(toy_kernels):
    marked = [row for row in rows(side_by_side("toy", kernel=True)) if row[0].startswith("(1)")]
    assert [row[2] for row in marked] == ["m = tl.maximum(m, tl.max(x))  # (1)"] * 2


def test_an_equation_that_one_kernel_cites_stands_in_its_section_only(toy_kernels):
    table = rows(side_by_side("toy", kernel=True))
    [start, end] = [at for at, row in enumerate(table) if row[2].startswith("def toy_backward")]
    assert re.findall(r"\(\d\)", "".join(row[0] for row in table[start:end])) == ["(3)", "(4)"]
    assert re.findall(r"\(\d\)", "".join(row[0] for row in table[end:])) == ["(1)", "(6)", "(5)"]


@pytest.mark.parametrize("equation", ["(4)", "y = x − max(x)", "dx = dy − sum(dy)"])
def test_an_equation_that_nothing_cites_stands_once(toy_kernels, equation):
    assert "".join(row[0] for row in rows(side_by_side("toy", kernel=True))).count(equation) == 1


def test_an_equation_cited_late_stands_beside_the_line_that_cites_it(toy_kernels):
    marked = [row for row in rows(side_by_side("toy", kernel=True)) if row[0].startswith(("(5)", "(6)"))]
    assert [row[2] for row in marked] == ["dz = a * dy  # (6)", "dx = dy - a * y  # (5)"]


def test_a_row_of_the_text_holds_each_parameter(toy_kernels):
    assert "|     x_ptr,              # (M, N) scores\n" in str(side_by_side("toy", kernel=True))


def test_the_objects_are_the_functions_and_all_their_kernels(toy_kernels):
    tiled = "minigpt.reference.tiled.toy.toy"
    assert side_by_side("toy", kernel=True).objects == [
        f"{tiled}_forward", "kernels.toy.toy_forward_kernel",
        f"{tiled}_backward", "kernels.toy_backward.toy_backward_sum_kernel",
        "kernels.toy_backward.toy_backward_dx_kernel"]


def test_a_kernel_for_long_rows_goes_before_the_one_for_short_rows(toy_kernels):
    path = toy_kernels / "kernels/toy.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + text.replace("toy_forward", "toy_online_forward"), encoding="utf-8")
    assert kernel_versions("toy")[0][1] == ["kernels.toy.toy_online_forward_kernel"]


def test_a_function_without_a_kernel_says_so(toy_kernels):
    (toy_kernels / "kernels/toy.py").write_text("")
    assert "no function of this name" in side_by_side("toy", kernel=True).html


def test_a_misspelt_name_is_answered_with_the_nearest(toy_kernels):
    with pytest.raises(InputError, match="no function 'tooy' with tiled NumPy and a kernel; did you mean toy"):
        side_by_side("tooy", kernel=True)


def test_the_titles_name_the_three_columns(toy_kernels):
    assert rows(side_by_side("toy", kernel=True))[0] == ["equation", "tiled NumPy", "Triton"]


# Ours

CONCEPTS = sorted(name.removesuffix("_forward") for path in (listing.ROOT / "minigpt/reference/tiled").glob("[a-z]*.py")
                  for name in listing.definitions(ast.parse(path.read_text(encoding="utf-8")))
                  if name.endswith("_forward"))


@pytest.mark.parametrize("concept", CONCEPTS)
def test_every_tiled_function_has_its_kernels_beside_it(concept):
    shown = side_by_side(concept, kernel=True)
    assert all(rights for _, rights in kernel_versions(concept))
    ElementTree.fromstring(shown.html.replace("&nbsp;", " "))


@pytest.mark.parametrize("concept", CONCEPTS)
def test_every_step_that_is_cited_is_an_equation_of_the_tiled_functions(concept):
    pairs = kernel_versions(concept)
    known = {equation.step for left, _ in pairs for equation in _equations(ast.get_docstring(find(left)[1]))}
    names = [name for left, rights in pairs for name in (left, *rights)]
    assert {step for name in names for line in _lines(name) for step in line.steps} <= known


@pytest.mark.parametrize("concept", CONCEPTS)
def test_kernels_and_tiled_function_cite_the_same_steps(concept):
    for left, rights in kernel_versions(concept):
        steps = {step for line in _lines(left) for step in line.steps}
        assert {step for name in rights for line in _lines(name) for step in line.steps} == steps
