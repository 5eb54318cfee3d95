"""Reading: one concept as equation, NumPy and PyTorch, side by side, drawn from the source itself.

    side_by_side("softmax")                                  a function of the model, in all its versions
    source("minigpt.reference.softmax.softmax_forward")      the code of one object, by its full name

The equations are the docstring's: lines that start with `(1)`, or indented lines with a `=`. A code line
belongs to equation 2 if its comment is `# (2)`, `# (2) why`, or has a `(2)` after two spaces.
"""
import ast
import re
from collections import namedtuple
from difflib import SequenceMatcher
from html import escape

from minigpt.listing import code_of, find, versions
from minigpt.typeset import mathml

Equation = namedtuple("Equation", "step label text note")  # step: "" for one without a number
Line = namedtuple("Line", "code steps")
Block = namedtuple("Block", "equations pairs")             # pairs: (NumPy line or None, PyTorch line or None)
TITLES = ("equation", "NumPy", "PyTorch")
AUTOGRAD = "nothing to write: autograd derives it from the lines above"
NO_TWIN = "no function of this name"
LEFT = 'align="left" valign="top" style="text-align:left;vertical-align:top"'


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


def side_by_side(concept, folded=False):
    """One function of the model as equation | NumPy | PyTorch, twin lines beside each other.

    folded: hidden behind a line to click on, so that a reader can answer first.
    Raises InputError if the model has no such function, with the nearest names.
    """
    pairs = versions(concept)
    sections = [_section(*pair) for pair in pairs]
    html = _table(sections)
    if folded:
        html = f"<details><summary>Open to compare: {escape(concept)}, ours</summary>{html}</details>"
    return Shown(html, _plain(sections), [name for pair in pairs for name in pair if name])


def _section(numpy_name, torch_name):
    left, right = (_lines(name) if name else [] for name in (numpy_name, torch_name))
    return _blocks(_equations(ast.get_docstring(find(numpy_name)[1]) or ""), _align(left, right))


def _lines(name):
    """The lines of a function without decorators, docstring and empty lines."""
    node = ast.parse(code_of(name)).body[0]
    first, last = (node.body[0].lineno, node.body[0].end_lineno) if ast.get_docstring(node) else (0, 0)
    numbered = list(enumerate(code_of(name).splitlines(), 1))[node.lineno - 1:]
    return [Line(text, _steps(text)) for at, text in numbered if text.strip() and not first <= at <= last]


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


def _align(left, right):
    """Pair the lines of two twins, in order, so that the pairs resemble each other as much as possible."""
    best = {(i, j): (0.0, []) for i in range(len(left) + 1) for j in range(len(right) + 1) if not i * j}
    for i, a in enumerate(left, 1):
        for j, b in enumerate(right, 1):
            score, pairs = best[i - 1, j - 1]
            together = (score + _likeness(a, b), [*pairs, (i - 1, j - 1)])
            best[i, j] = max(together, best[i - 1, j], best[i, j - 1], key=lambda option: option[0])
    rows, i, j = [], 0, 0
    for p, q in [*best[len(left), len(right)][1], (len(left), len(right))]:
        rows += [(line, None) for line in left[i:p]] + [(None, line) for line in right[j:q]]
        rows += [(left[p], right[q])] if p < len(left) else []
        i, j = p + 1, q + 1
    return rows


def _likeness(a, b):
    if a.steps and b.steps and a.steps != b.steps:
        return -1.0
    first, second = (re.match(r"\w*", line.code.strip()).group() for line in (a, b))
    ratio = SequenceMatcher(None, _skeleton(a.code), _skeleton(b.code), autojunk=False).ratio()
    return ratio - 0.5 + 0.5 * (first == second)       # the same name assigned to, `return`, `if` ...


def _skeleton(code):
    code = re.sub(r"\b(np|torch|self)\.|_forward|_backward|keepdims?=\w+", "", code.partition("#")[0])
    return re.sub(r"\s", "", code).replace("axis=", "dim=")


def _blocks(equations, rows):
    """Begin a block at each line that cites an equation; those that no line cites go with the next one."""
    cited = [{step for line in row if line for step in line.steps} for row in rows]
    waiting = list(equations)
    blocks = [Block(waiting if not any(e.step in steps for e in equations for steps in cited) else [], [])]
    waiting = waiting[len(blocks[0].equations):]
    while waiting and not waiting[0].step:             # the statement before step 1 stands beside the `def`
        blocks[0].equations.append(waiting.pop(0))
    for row, steps in zip(rows, cited, strict=True):
        if here := [at for at, equation in enumerate(waiting) if equation.step in steps]:
            blocks.append(Block(waiting[:here[-1] + 1], []))
            waiting = waiting[here[-1] + 1:]
        blocks[-1].pairs.append(row)
    blocks[-1].equations.extend(waiting)
    return blocks


def _table(sections):
    heads = "".join(f"<th {LEFT}>{title}</th>" for title in TITLES)
    bodies = ["".join(_table_rows(blocks, AUTOGRAD if at else NO_TWIN)) for at, blocks in enumerate(sections)]
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(bodies)}</tbody></table>"


def _table_rows(blocks, without_torch):
    """One table row per pair of lines; an equation spans the lines of its block."""
    height = sum(len(block.pairs) for block in blocks)
    alone = all(right is None for block in blocks for _, right in block.pairs)
    for number, block in enumerate(blocks):
        for at, (left, right) in enumerate(block.pairs):
            cells = [] if at else [_cell("<br/>".join(map(_equation, block.equations)), len(block.pairs))]
            cells.append(_cell(_code(left)))
            if not alone:
                cells.append(_cell(_code(right)))
            elif number == at == 0:
                cells.append(_cell(f"<i>{without_torch}</i>", height))
            yield f"<tr>{''.join(cells)}</tr>"


def _cell(content, height=1):
    span = f' rowspan="{height}"' if height > 1 else ""
    return f"<td {LEFT}{span}>{content}</td>"


def _equation(equation):
    note = f"<small>{escape(equation.note)}</small>" if equation.note else ""
    pieces = re.split(r"(?<=,)\s\s+|\s{3,}", equation.text)         # far apart: several in one line
    formula = equation.label + "<br/>".join(map(mathml, pieces)) if equation.text else ""
    return "<br/>".join(part for part in (formula, note) if part)


def _code(line):
    """Code that keeps its indentation and may wrap, on sites that drop every style."""
    if line is None:
        return ""
    code, sign, comment = line.code.partition("#")
    indent = "&nbsp;" * (len(code) - len(code.lstrip()))
    note = f"&nbsp; <i>{escape(sign + comment)}</i>" if sign else ""
    return f"<samp>{indent}{escape(code.strip())}{note}</samp>"


def _plain(sections):
    """Equations above their lines, NumPy left and PyTorch right."""
    pairs = [pair for blocks in sections for block in blocks for pair in block.pairs]
    width = max(len(left.code) for left, _ in pairs if left)
    out = [f"{TITLES[1]:<{width}} | {TITLES[2]}"]
    for block in (block for blocks in sections for block in blocks):
        out += [f"    {e.label}{e.text}  {e.note}".rstrip() for e in block.equations]
        out += [f"{left.code if left else '':<{width}} | {right.code if right else ''}".rstrip()
                for left, right in block.pairs]
    return "\n".join(out)
