"""Where Triton has no build (macOS, Windows), the package and every lesson work all the same."""
import os
import pkgutil
import re
import subprocess
import sys

import pytest

import minigpt
from lessons import build, convert
from minigpt.commands.start import front_matter
from minigpt.triton_cells import WITHOUT

HIDING = """\
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = staticmethod(lambda name, *rest, **options:
    None if name == "triton" else find(name, *rest, **options))
"""
TOY = """\
```python
%load_ext minigpt.triton_cells
```

```python
%%triton
import triton
kernel = triton.jit
```

```python
"kernel" in globals()
```
"""
LESSONS = sorted((build.ROOT / "lessons").glob("[0-9][0-9]_*.md"))


@pytest.fixture(autouse=True)
def _hidden(tmp_path, monkeypatch):
    """Every Python process that a test starts looks for triton in vain."""
    (tmp_path / "sitecustomize.py").write_text(HIDING, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(build.ROOT)]))
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)


def python(*arguments):
    """The standard output of a Python process; fails if the process does."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def executed(body):
    """The code cells of a lesson after they ran. Raises CellExecutionError if one fails."""
    notebook = convert.converted(body)
    build.execute(notebook)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def uses_triton(text):
    """Whether a cell of the lesson imports kernels, or names Triton."""
    cells = convert.converted(front_matter(text)[1]).cells
    return any(cell.cell_type == "code" and re.search(r"\b(triton|kernels)\b", cell.source) for cell in cells)


def test_here_triton_looks_as_if_it_were_not_installed():
    code = """
import importlib.util
print(importlib.util.find_spec("triton"))
try:
    import triton
except ModuleNotFoundError as error:
    print(error)
"""
    assert python("-c", code) == "None\nNo module named 'triton'\n"


def test_every_module_of_the_package_can_be_imported():
    names = [module.name for module in pkgutil.walk_packages(minigpt.__path__, "minigpt.")]
    assert len(names) > 50
    python("-c", "".join(f"import {name}\n" for name in ["kernels._backend", *names]))


def test_the_command_line_shows_its_help():
    assert "usage: python -m minigpt" in python("-m", "minigpt", "--help")


def test_a_kernel_can_be_read():
    code = "from minigpt.reading import side_by_side; print(side_by_side('softmax', kernel=True))"
    assert "tl.program_id(0)" in python("-c", code)


def test_a_cell_that_needs_triton_says_so_and_the_lesson_goes_on():
    _, needs, after = executed(TOY)
    assert [output.text for output in needs.outputs] == [f"{WITHOUT}\n"]
    assert after.outputs[0].data["text/plain"] == "False"


@pytest.mark.parametrize(("cell", "expected"), [("import kernels.softmax", True), ("%%triton\n1", True),
                                                ("minigpt.implementation('triton')", True), ("kernelspec = 1", False)])
def test_a_lesson_with_such_a_cell_is_executed_below(cell, expected):
    assert uses_triton(f"---\ntitle: a\n---\n```python\n{cell}\n```\n") is expected


@pytest.mark.slow
@pytest.mark.download
@pytest.mark.parametrize("path", [path for path in LESSONS if uses_triton(path.read_text(encoding="utf-8"))],
                         ids=lambda path: path.stem)
def test_the_lesson_runs_without_triton(path):
    executed(front_matter(path.read_text(encoding="utf-8"))[1])
