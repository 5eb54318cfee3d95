"""`python -m minigpt start`: lists the lessons, or copies one for a student."""
import json
from types import SimpleNamespace

import nbformat
import pytest

from minigpt.commands import start
from minigpt.errors import InputError

pytest_plugins = ["toy_lesson"]                        # the fixture root


def test_a_started_notebook_has_no_outputs(root):
    content = json.loads(start.start("toy", root).read_text(encoding="utf-8"))
    assert [cell["outputs"] for cell in content["cells"] if cell["cell_type"] == "code"] == [[], [], []]


def test_a_started_notebook_is_valid(root):
    nbformat.validate(nbformat.read(start.start("toy", root), 4))


def test_a_students_copy_is_never_overwritten(root):
    start.start("toy", root).write_text("my work", encoding="utf-8")
    with pytest.raises(InputError, match="holds your work"):
        start.start("toy", root)
    assert (root / "my/toy.ipynb").read_text(encoding="utf-8") == "my work"


def test_starting_an_unknown_lesson_suggests_the_nearest(root):
    with pytest.raises(InputError, match="no lesson 'tooy'; did you mean toy"):
        start.start("tooy", root)


def test_starting_without_lessons_says_where_they_are(tmp_path):
    with pytest.raises(InputError, match="get the whole repository"):
        start.lesson_files(tmp_path)


def test_start_prints_the_next_command(root, monkeypatch, capsys):
    monkeypatch.setattr(start, "ROOT", root)
    monkeypatch.chdir(root)
    assert start.run(SimpleNamespace(name="toy")) == 0
    assert "jupyter lab my/toy.ipynb" in capsys.readouterr().out.replace("\\", "/")


def test_start_without_a_name_lists_the_lessons(root, monkeypatch, capsys):
    monkeypatch.setattr(start, "ROOT", root)
    assert start.run(SimpleNamespace(name=None)) == 0
    assert "toy     5 min  How much is a half and a half?" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["no fields", "---\ntitle: a\n  nested: b\n---\n", "---\n- item\n---\n"])
def test_fields_that_cannot_be_read_are_refused(text):
    with pytest.raises(ValueError, match="fields"):
        start.front_matter(text)
