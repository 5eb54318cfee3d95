"""Equations: from the plain notation of docstrings to MathML."""
import html
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.typeset import BIG, SIGNS, TOKEN, WORDS, mathml

PIECES = ["x", "_i", "^2", "^T", " / ", "/", "(", ")", "{", "}", "sqrt(", "sum_i ", "∂", "beta", "1", " ", "-", "√"]


def without_tags(markup):
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


def shape(equation):
    """The MathML of an equation without what is hidden, as nested tags and texts."""
    def walk(node):
        if node.tag in ("semantics", "mspace"):
            return ""
        inside = "".join(map(walk, node)) or (node.text or "")
        return f"{node.tag[1:]}({inside})" if node.tag in ("mfrac", "msqrt", "msub", "msup", "msubsup") else inside
    return walk(ElementTree.fromstring(mathml(equation)))


@given(st.text(alphabet="abxyσ∂ _^/()[]{}+-=*,.0123456789√<>|'&") | st.lists(st.sampled_from(PIECES)).map("".join))
@settings(max_examples=300)
def test_an_equation_reads_as_it_was_written_where_a_site_drops_the_tags(equation):
    tokens = TOKEN.findall(equation)
    followed = zip(tokens, [*tokens, ""][1:], strict=True)
    expected = "".join(BIG[t] if t in BIG and after == "_" else {**WORDS, **SIGNS}.get(t, t) for t, after in followed)
    assert re.sub(r"\s", "", without_tags(mathml(equation))) == re.sub(r"\s", "", expected)


@given(st.text(max_size=30, alphabet=st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co"))))
@settings(max_examples=150)
def test_any_text_becomes_wellformed_markup(text):
    ElementTree.fromstring(mathml(text))


@pytest.mark.parametrize(("equation", "expected"), [
    ("q k^T / sqrt(D)", "frac(qsup(kT)sqrt(D))"),
    ("1/N sum_i x_i", "frac(1N)sub(∑i)sub(xi)"),
    ("dy_i ∂y_i / ∂x_j", "sub(dyi)frac(∂sub(yi)∂sub(xj))"),
    ("(a + b) / c", "frac(a+bc)"),
    ("(a) (b) / c", "frac((a)(b)c)"),
    ("a / b = c", "frac(ab)=c"),
    ("a/ b", "a/b"),
    ("x_{i,j}^2", "subsup(xi,j2)"),
    ("beta1^step", "sup(sub(β1)step)"),
    ("√2 + √(2π)", "sqrt(2)+sqrt(2π)"),
    ("sum of x", "sumofx"),
])
def test_the_notation_means_what_its_description_says(equation, expected):
    assert shape(equation) == expected
