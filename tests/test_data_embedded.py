"""What is taken from Python's own files: seen on a small standard library made here."""
import sysconfig

import pytest

from minigpt.data import embedded
from minigpt.data.documents import read_documents
from minigpt.data.sources import find_source
from minigpt.errors import InputError


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A folder that stands for the standard library, and no help topics."""
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    monkeypatch.setattr(embedded, "_topics", list)

    def add(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return add


def test_source_files_come_in_order_of_their_paths(library):
    library("b.py", "b = 1\n")
    library("a/z.py", "z = 1\n")
    library("a.py", "a = 1\n")
    assert embedded.python_source() == ["z = 1\n", "a = 1\n", "b = 1\n"]


@pytest.mark.parametrize("name", ["test/x.py", "json/tests/x.py", "idlelib/idle_test/x.py", "site-packages/n.py",
                                  "dist-packages/n.py", "_sysconfigdata_linux.py", "notes.txt", "old.pyc"])
def test_tests_and_installed_packages_and_the_builds_own_data_are_left_out(library, name):
    library("unittest/case.py", "kept = 1\n")
    library(name, "left_out = 1\n")
    assert embedded.python_source() == ["kept = 1\n"]


def test_a_file_that_is_not_valid_text_is_left_out(library):
    library("good.py", "# coding: latin-1\n# caf\u00e9\n".encode("latin-1"))
    library("bad.py", b"caf\xe9\n")
    assert embedded.python_source() == ["# coding: latin-1\n# caf\u00e9\n"]


def test_docstrings_are_dedented_in_the_order_of_the_source_one_document_a_module(library):
    library("a.py", '"""Module."""\ndef f():\n    """Function.\n\n      More.\n    End.\n    """\n'
                    '    def g():\n        "Inner."\nclass C:\n    "Class."\nx = "no docstring"\n')
    library("b.py", "x = 1\n")
    library("c.py", '"""Another."""\n')
    assert embedded.python_docs() == ["Module.\n\nFunction.\n\n  More.\nEnd.\n\nInner.\n\nClass.", "Another."]


def test_a_docstring_is_taken_once_in_all_modules_together(library):
    library("a.py", '"""A."""\ndef f():\n    "Same."\ndef g():\n    "Same."\n')
    library("b.py", '"""B."""\ndef f():\n    "Same."\n')
    assert embedded.python_docs() == ["A.\n\nSame.", "B."]


def test_docstrings_that_are_not_to_be_kept_are_left_out(library):
    library("a.py", '"""A."""\ndef f():\n    "Held out."\ndef g():\n    "Kept."\n')
    library("b.py", '"""Held out."""\n')
    assert embedded.python_docs(keep=lambda text: text != "Held out.") == ["A.\n\nKept."]


def test_a_file_that_does_not_parse_has_no_docstrings(library):
    library("a.py", "print 'old Python'\n")
    library("b.py", '"""B."""\n')
    assert embedded.python_docs() == ["B."]


def test_a_python_without_its_library_as_files_is_told_in_one_line(library):
    with pytest.raises(InputError, match="this Python has no python-source"):
        read_documents(find_source("python-source"))


def test_this_python_has_help_topics():
    assert any("assert" in topic for topic in embedded._topics())
