"""Equations and two columns of code as a table: in html without scripts and styles, and as plain text."""
import re
from collections import namedtuple
from html import escape
from itertools import zip_longest

from minigpt.typeset import mathml

Section = namedtuple("Section", "blocks without")      # without: what to say where the right column has no line
LEFT = 'align="left" valign="top" style="text-align:left;vertical-align:top"'


def table(titles, sections):
    """The sections below one another, as html."""
    heads = "".join(f"<th {LEFT}>{title}</th>" for title in titles)
    bodies = "".join(row for section in sections for row in _rows(*section))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{bodies}</tbody></table>"


def plain(titles, sections):
    """The sections below one another, as text: equations above their lines."""
    pairs = [pair for section in sections for block in section.blocks for pair in block.pairs]
    width = max(len(text) for left, _ in pairs if left for text in left.code.splitlines())
    out = [f"{titles[1]:<{width}} | {titles[2]}"]
    for block in (block for section in sections for block in section.blocks):
        out += [f"    {e.label}{e.text}  {e.note}".rstrip() for e in block.equations]
        for pair in block.pairs:
            texts = ((line.code if line else "").splitlines() for line in pair)
            out += [f"{left:<{width}} | {right}".rstrip() for left, right in zip_longest(*texts, fillvalue="")]
    return "\n".join(out)


def _rows(blocks, without):
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
                cells.append(_cell(f"<i>{without}</i>", height))
            yield f"<tr>{''.join(cells)}</tr>"


def _cell(content, height=1):
    span = f' rowspan="{height}"' if height > 1 else ""
    return f"<td {LEFT}{span}>{content}</td>"


def _equation(equation):
    note = f"<small>{escape(equation.note)}</small>" if equation.note else ""
    pieces = re.split(r"(?<=,)\s\s+|\s{3,}", equation.text)         # far apart: several in one line
    formula = equation.label + "<br/>".join(map(_formula, pieces)) if equation.text else ""
    return "<br/>".join(part for part in (formula, note) if part)


def _formula(text):
    """A formula; `l <- a l` puts a new value in the place of the old."""
    return " ← ".join(map(mathml, text.split(" <- ")))


def _code(line):
    """One line of code, or several behind the first of them: the parameters of a kernel, each with its shape."""
    if line is None:
        return ""
    first, *rest = map(_marked, line.code.splitlines())
    return f"<details><summary>{first}</summary>{'<br/>'.join(rest)}</details>" if rest else first


def _marked(text):
    """Code that keeps its indentation and may wrap, on sites that drop every style."""
    code, sign, comment = text.partition("#")
    indent = "&nbsp;" * (len(code) - len(code.lstrip()))
    note = f"&nbsp; <i>{escape(sign + comment)}</i>" if sign else ""
    return f"<samp>{indent}{escape(code.strip())}{note}</samp>"
