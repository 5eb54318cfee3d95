"""Cells marked %%triton run as all others do where Triton is installed."""
from types import SimpleNamespace

import nbformat
import pytest
from nbclient import NotebookClient

from minigpt import triton_cells
from minigpt.triton_cells import WITHOUT, plain_cell

KERNEL = """\
@triton.jit
def fill_kernel(x_ptr, value):
    tl.store(x_ptr + tl.program_id(0), value)
"""
CELL = f"""\
%%triton
import inspect

import torch
import triton
import triton.language as tl

{KERNEL}
x = torch.zeros(2, device="cuda" if torch.cuda.is_available() else "cpu")
fill_kernel[(2,)](x, 3.0)
print(inspect.getsource(fill_kernel.fn))
(x + 1).tolist()"""


@pytest.fixture(scope="module")
def cells():
    """Cells after they ran: one that defines and launches a kernel, one that uses its result, one that fails."""
    pytest.importorskip("triton")
    sources = ["%load_ext minigpt.triton_cells", CELL, "x.sum().item()", "%%triton\n\n1 / 0"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = NotebookClient(notebook, kernel_name="python3", allow_errors=True, extra_arguments=["--log-level=40"])
    with pytest.MonkeyPatch.context() as patch:        # loading the extension decides how Triton runs, as for a student
        patch.delenv("TRITON_INTERPRET", raising=False)
        client.execute()
    return notebook.cells[1:]


def test_a_kernel_runs_and_the_last_expression_is_shown(cells):
    assert cells[0].outputs[-1].data["text/plain"] == "[4.0, 4.0]"


def test_the_source_of_a_kernel_is_found(cells):
    assert cells[0].outputs[0].text == f"{KERNEL}\n"


def test_the_names_of_the_cell_are_those_of_the_notebook(cells):
    assert cells[1].outputs[0].data["text/plain"] == "6.0"


def test_an_error_is_shown_with_the_line_of_the_cell(cells):
    [error] = cells[2].outputs
    assert error.ename == "ZeroDivisionError"
    assert "line 3" in "".join(error.traceback)


def test_without_triton_the_cell_is_one_line_that_says_so(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert plain_cell(["%%triton\n", "import triton\n"]) == [f"print({WITHOUT!r})\n"]


@pytest.mark.parametrize("lines", [[], ["\n"], ["1\n", "%%triton\n"], ["%%tritonic\n"], ["%%time\n"]])
def test_other_cells_stay_as_they_are(lines):
    assert plain_cell(lines) == lines


def test_an_extension_loaded_anew_is_there_once():
    shell = SimpleNamespace(input_transformers_cleanup=[])
    triton_cells.load_ipython_extension(shell)
    triton_cells.unload_ipython_extension(shell)
    assert shell.input_transformers_cleanup == []
    triton_cells.load_ipython_extension(shell)
    assert shell.input_transformers_cleanup == [plain_cell]
