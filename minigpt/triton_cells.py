"""Cells that need Triton, in a notebook that also runs where Triton has no build (macOS, Windows).

    %load_ext minigpt.triton_cells      once, in a cell before them
    %%triton                            as first line of a cell

Where Triton is installed such a cell runs as every other does. Where it is not, it prints one line instead.
"""
import importlib.util

MARK = "%%triton"
WITHOUT = "This cell needs Triton, which is built for Linux only. Read on."


def load_ipython_extension(shell):
    """What %load_ext calls."""
    import kernels._backend  # noqa: F401  decides how Triton runs, which has to come before a cell imports it
    shell.input_transformers_cleanup.append(plain_cell)


def unload_ipython_extension(shell):
    """What %unload_ext and %reload_ext call."""
    shell.input_transformers_cleanup.remove(plain_cell)


def plain_cell(lines):
    """The lines of a cell as IPython shall run them; what does not begin with %%triton stays as it is.

    The mark becomes a comment: then all lines keep their numbers, and `inspect.getsource`, which
    triton.jit needs, finds the functions that the cell defines.
    """
    if not lines or lines[0].split()[:1] != [MARK]:
        return lines
    if importlib.util.find_spec("triton") is None:
        return [f"print({WITHOUT!r})\n"]
    return [f"# {lines[0]}", *lines[1:]]
