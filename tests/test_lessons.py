"""Lessons: what a build makes, when a notebook is stale; and the notebooks of this repository are fresh."""
import re
import shutil

import nbformat
import pytest

from lessons import build, convert
from minigpt.commands.start import front_matter
from minigpt.listing import code_of

pytest_plugins = ["toy_lesson"]                        # the fixtures executed, root, notebook and change
ROOT = build.ROOT


def outputs(notebook, kind):
    return [output for cell in notebook.cells for output in cell.get("outputs", []) if output.output_type == kind]


# What a build makes

def test_the_first_cell_is_the_header_with_the_measured_time(notebook):
    assert notebook.cells[0].source.startswith("# A toy\n\n**How much is a half and a half?**")
    assert " s for the computer" in notebook.cells[0].source


def test_a_marker_draws_code_as_text_and_not_as_a_cell(notebook):
    assert "```python\ndef half(x):\n    return x / 2\n```" in notebook.cells[1].source


def test_the_lesson_itself_holds_the_code_that_it_draws(executed):
    text = (executed / "lessons/01_toy.md").read_text(encoding="utf-8")
    assert "<!-- code: minigpt.toy.half -->\n```python .noeval\ndef half(x):\n    return x / 2\n```\n" in text


def test_every_code_cell_was_executed_in_order(notebook):
    assert [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"] == [1, 2, 3]


def test_a_folded_cell_hides_its_source(notebook):
    assert [cell.metadata.get("jupyter") for cell in notebook.cells[2:4]] == [None, {"source_hidden": True}]


def test_the_ids_of_cells_are_their_places(notebook):
    assert [cell.id for cell in notebook.cells] == [f"01_toy-{place}" for place in range(5)]


def test_the_metadata_name_no_machine_and_no_time(notebook):
    assert set(notebook.metadata) == {"kernelspec", "language_info", "minigpt"}
    assert all(set(cell.metadata) <= {"tags", "jupyter"} for cell in notebook.cells)


def test_the_outputs_name_no_path_of_the_machine_and_no_address(notebook):
    [output] = [output for output in outputs(notebook, "stream") if output.name == "stdout"]
    assert output.text == ". python <object object>\n"


def test_a_progress_bar_leaves_its_last_state_only(notebook):
    [output] = [output for output in outputs(notebook, "stream") if output.name == "stderr"]
    assert output.text.count("\n") == 1
    assert "50/50" in output.text


def test_a_picture_is_in_the_notebook_with_its_alt_text(notebook):
    assert outputs(notebook, "display_data")[0].metadata["image/png"]["alt"] == "One bar."


def test_what_a_lesson_writes_is_gone_after_the_build(executed):
    assert not list(executed.rglob("left_here.txt"))


@pytest.mark.slow
def test_a_second_build_changes_nothing_but_the_measured(executed, root):
    assert build.main(["toy"]) == 0

    def content(folder):
        notebook = nbformat.read(folder / "notebooks/01_toy.ipynb", 4)
        return [(cell.id, cell.source, cell.metadata) for cell in notebook.cells[1:]], notebook.metadata
    assert content(root) == content(executed)


# What a check finds

def stale(root):
    return " ".join(build.staleness(root / "lessons/01_toy.md", root / "notebooks"))


def test_a_fresh_notebook_is_not_stale(root):
    assert stale(root) == ""


def test_a_changed_lesson_makes_its_notebook_stale(root, change):
    change(root / "lessons/01_toy.md", "Words first", "Other words")
    assert "01_toy.ipynb: stale" in stale(root)


def test_changed_code_of_a_drawn_function_makes_the_lesson_out_of_date(root, change):
    change(root / "minigpt/toy.py", "x / 2", "x * 0.5")
    assert "01_toy.md: its code blocks" in stale(root)


def test_changed_code_that_a_call_draws_makes_the_notebook_stale(root, change):
    change(root / "minigpt/toy.py", "OTHER = 1", "OTHER = 2")
    assert "01_toy.ipynb: stale" in stale(root)


def test_changed_code_that_is_not_drawn_changes_nothing(root, change):
    change(root / "minigpt/toy.py", "OTHER = 1", "OTHER = 1\nTHIRD = 3")
    assert stale(root) == ""


def test_a_drawn_function_that_is_gone_is_named(root, change):
    change(root / "minigpt/toy.py", "def half", "def halve")
    assert "has no 'half'; did you mean halve" in stale(root)


def test_a_notebook_that_was_never_built_is_named(root):
    (root / "notebooks/01_toy.ipynb").unlink()
    assert "01_toy.ipynb: not built" in stale(root)


def test_a_check_of_stale_notebooks_names_the_way_out_and_fails(root, capsys, change):
    change(root / "lessons/01_toy.md", "Words first", "Other words")
    assert build.main(["--check"]) == 1
    assert "make lessons" in capsys.readouterr().err


def test_a_notebook_without_a_lesson_fails_the_check(root, capsys):
    shutil.copy(root / "notebooks/01_toy.ipynb", root / "notebooks/02_gone.ipynb")
    assert build.main(["--check"]) == 1
    assert "02_gone.ipynb: no lesson" in capsys.readouterr().err


@pytest.mark.slow
def test_a_check_executes_the_lessons_and_writes_nothing(root, monkeypatch, capsys):
    monkeypatch.setattr(build, "_write", None)         # any call would fail
    assert build.main(["--check"]) == 0
    assert "01_toy" in capsys.readouterr().out


def test_the_drawing_calls_of_a_lesson_count_in_its_fingerprint(monkeypatch):
    before = convert.fingerprint('side_by_side("softmax")')
    monkeypatch.setattr(convert, "code_of", lambda name: "changed" if name == "minigpt.softmax.softmax" else name)
    monkeypatch.setattr(convert, "versions", lambda name: [("a", f"minigpt.{name}.{name}"), ("b", None)])
    changed = convert.fingerprint('side_by_side("softmax")')
    monkeypatch.setattr(convert, "code_of", lambda name: name)
    assert len({before, changed, convert.fingerprint('side_by_side("softmax")')}) == 3


def test_a_drawn_kernel_counts_in_the_fingerprint(monkeypatch):
    text = 'side_by_side("softmax", folded=True, kernel=True)'
    before = convert.fingerprint(text)
    [forward, _] = convert.kernel_versions("softmax")
    monkeypatch.setattr(convert, "code_of", lambda name: "changed" if name in forward[1] else code_of(name))
    assert convert.fingerprint(text) != before


def test_a_cell_that_needs_triton_is_a_cell_with_its_mark():
    [cell] = convert.converted("```python\n%%triton\n1\n```\n").cells
    assert (cell.cell_type, cell.source) == ("code", "%%triton\n1")


# The lessons of this repository

LESSONS = sorted((ROOT / "lessons").glob("[0-9][0-9]_*.md"))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_notebook_of_the_lesson_is_fresh(path):
    assert build.staleness(path, ROOT / "notebooks") == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_lesson_promises_no_lesson_that_is_not_there(path):
    text = " ".join(path.read_text(encoding="utf-8").split())
    named = {name for names in re.findall(r"\blessons? ((?:`\w+`(?:, and |, | and )?)+)", text)
             for name in re.findall(r"\w+", names) if name != "and"}
    assert named <= {other.stem[3:] for other in LESSONS}


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_header_of_the_lesson_is_complete(path):
    fields, _ = front_matter(path.read_text(encoding="utf-8"))
    assert convert.header(fields, 1.0)
