"""Reading: one concept as equation and code, side by side, drawn from the source itself.

    side_by_side("softmax")                                  a function of the model: NumPy beside PyTorch
    side_by_side("softmax", kernel=True)                     NumPy with the loops of the kernel, beside the kernel
    source("minigpt.reference.softmax.softmax_forward")      the code of one object, by its full name

The equations are the docstring's: lines that start with `(1)`, or indented lines with a `=`. A code line
belongs to equation 2 if its comment is `# (2)`, `# (2) why`, or has a `(2)` after two spaces.
Source files are read, not imported: a kernel can be shown where Triton is not installed.
"""
import ast
import re
from html import escape

from minigpt.alignment import Equation, Line, aligned, blocks, cited
from minigpt.listing import code_of, find, kernel_versions, versions
from minigpt.tables import Section, plain, table

AUTOGRAD = "nothing to write: autograd derives it from the lines above"
NO_TWIN = "no function of this name"


class Shown:
    """Something to read: html in a notebook, text elsewhere; objects are the full names it was drawn from."""

    def __init__(self, html, text, objects):
        self.html, self.text, self.objects = html, text, objects

    def _repr_html_(self):
        return self.html

    def __str__(self):
        return self.text

    __repr__ = __str__


def source(name):
    """The code of one object, by its full name.

    Raises InputError if there is none, with the nearest names.
    """
    code = code_of(name)
    return Shown(f'<pre style="text-align:left">{escape(code)}</pre>', code, [name])


def side_by_side(concept, folded=False, kernel=False):
    """One function of the model as equation | NumPy | PyTorch, twin lines beside each other.

    folded: hidden behind a line to click on, so that a reader can answer first.
    kernel: instead as equation | tiled NumPy | Triton, for a function that has both.
    Raises InputError if there is no such function, with the nearest names.
    """
    if kernel:
        titles, pairs = ("equation", "tiled NumPy", "Triton"), kernel_versions(concept)
        sections = _kernel_sections(pairs)
        objects = [name for left, rights in pairs for name in (left, *rights)]
    else:
        titles, pairs = ("equation", "NumPy", "PyTorch"), versions(concept)
        sections = [_section(*pair, AUTOGRAD if at else NO_TWIN) for at, pair in enumerate(pairs)]
        objects = [name for pair in pairs for name in pair if name]
    html = table(titles, sections)
    if folded:
        html = f"<details><summary>Open to compare: {escape(concept)}, ours</summary>{html}</details>"
    return Shown(html, plain(titles, sections), objects)


def _section(numpy_name, torch_name, without):
    rows = aligned(*(_lines(name) if name else [] for name in (numpy_name, torch_name)))
    return Section(blocks(_equations_of(numpy_name), rows), without)


def _kernel_sections(pairs):
    """A section for each kernel, with its part of the NumPy function, and the equations cited there."""
    sections, before = [], []
    for left, rights in pairs:
        own = _equations_of(left)
        rows = aligned(_lines(left), [line for name in rights for line in _kernel_lines(name)])
        starts = [at for at, (_, line) in enumerate(rows) if line and line.code.startswith("def ")]
        parts = [rows[start:end] for start, end in zip([0, *starts[1:]], [*starts[1:], None], strict=True)]
        silent = {equation.step for equation in own} - cited(rows)      # they explain, and stand on top
        for part in parts:
            steps = cited(part) | silent
            sections.append(Section(blocks([e for e in before + own if e.step in steps], part), NO_TWIN))
            silent = set()
        before += [e for e in own if e.step]           # a backward kernel computes the scores again, as (1) says
    return sections


def _equations_of(name):
    return _equations(ast.get_docstring(find(name)[1]) or "")


def _lines(name):
    """The lines of a function without decorators, docstring and empty lines."""
    node = ast.parse(code_of(name)).body[0]
    first, last = (node.body[0].lineno, node.body[0].end_lineno) if ast.get_docstring(node) else (0, 0)
    numbered = list(enumerate(code_of(name).splitlines(), 1))[node.lineno - 1:]
    return [Line(text, _steps(text)) for at, text in numbered if text.strip() and not first <= at <= last]


def _kernel_lines(name):
    """The same, with the parameters, and what their comments say of them, as one."""
    lines = _lines(name)
    end = next(at for at, line in enumerate(lines, 1) if line.code.partition("#")[0].rstrip().endswith(":"))
    return [Line("\n".join(line.code for line in lines[:end]), []), *lines[end:]]


def _steps(code):
    marks = re.search(r"(?:^|\s\s)((?:\(\d+\)[,\s]*)+)", code.partition("#")[2].strip())
    return re.findall(r"\d+", marks.group()) if marks else []


def _equations(docstring):
    """The equations of a docstring; an indented line right below one continues it."""
    found, before = [], False
    for line in docstring.splitlines()[1:]:
        number, text = re.fullmatch(r"\s*(?:\((\d+)\)\s)?(.*)", line).groups()
        indented = line.startswith(" ") and not text.startswith(">>>")
        is_one = bool(number) or (indented and (before or " = " in text))
        if is_one:
            text, note = re.fullmatch(r"(.*?)(?:\s{2,}(\(.*\)))?", text.strip()).groups()
            if before and not number and "=" not in text and re.match(r"[a-z]{2}", text):
                text, note = "", text                  # a remark in words
            step = number or (found[-1].step if before else "")
            found.append(Equation(step, f"({number}) " if number else "", text, note or ""))
        before = is_one
    return found
