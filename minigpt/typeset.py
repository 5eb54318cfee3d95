"""Equations: from the plain notation of our docstrings to MathML, which browsers typeset without scripts.

    y_i = exp(x_i - m) / sum_j exp(x_j - m)

It knows `_` and `^` (a word, a number, or a bracket: `x_{i,j}`, `q k^T`), `sqrt(x)`, `sum_i`, Greek names,
`∂`, brackets and fractions: `a b / c d`, with spaces, divides the whole product by the whole product;
`a/b`, without, divides neighbours only; `∂y / ∂x` is one derivative. Everything else stays as it is.

Some sites drop the MathML tags and keep the text between them. So each sign that typesetting replaces
(`_`, `^`, `/`, `sqrt`) stays in an <annotation>, which browsers do not show: without its tags, an equation
reads as it was written.
"""
import re
from html import escape

WORDS = {
    "partial": "∂", "inf": "∞", "alpha": "α", "beta": "β", "gamma": "γ",
    "delta": "δ", "eps": "ε", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ",
    "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ",
    "Lambda": "Λ", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}
BIG = {"sum": "∑", "prod": "∏"}                        # only with an index: `sum_i`
SIGNS = {"*": "·", "-": "−", "<=": "≤", ">=": "≥", "!=": "≠", "->": "→", "...": "…"}
CLOSING = {"(": ")", "[": "]", "{": "}"}
BETWEEN = {*SIGNS, *"=+,;:.!?<>≤≥≠≈→∈⊙·−~|@%&\"'", "/", "_", "^", ")", "]", "}"}    # signs that are no factor
TOKEN = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?|∂|[^\W\d_]+'*|<=|>=|!=|->|\.\.\.|\S")
GAP = '<mspace width="0.2em"></mspace>'


def mathml(equation):
    """One equation in our plain notation, as a <math> element."""
    return f'<math displaystyle="true">{_Reader(equation).sequence()}</math>'


def _hidden(text):
    return f"<semantics><mrow></mrow><annotation>{escape(text)}</annotation></semantics>"


def _row(content):
    return f"<mrow>{content}</mrow>"


def _fraction(top, bottom, slash):
    return f"<mfrac>{_row(top)}{_row(_hidden(slash) + bottom)}</mfrac>"


class _Reader:
    """Reads the tokens from left to right; each method returns the MathML of what it has read."""

    def __init__(self, text):
        found = list(TOKEN.finditer(text))
        self.tokens = [match.group() for match in found] + [""]
        self.spaces = [" " * text[:match.start()][-1:].isspace() for match in found] + [" "]    # before each
        self.at = 0

    def take(self):
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def sees(self, *tokens, close=False):
        """Whether the next token is one of these; `close`: with no space before it."""
        return self.tokens[self.at] in tokens and not (close and self.spaces[self.at])

    def sees_factor(self):
        return not self.sees("", *BETWEEN)

    def sequence(self, closing=""):
        """Products and the signs between them, up to the closing bracket or the end."""
        parts, first = [], True
        while not self.sees("", closing):
            parts.append(self.spaces[self.at])
            if self.sees_factor():
                parts.append(self.product())
                first = False
            else:
                form = ' form="prefix"' if first and self.sees("-", "−") else ""
                parts.append(self.sign(form))
                first = True
        return "".join(parts)

    def sign(self, form=""):
        sign = self.take()
        return f'<mo stretchy="false"{form}>{escape(SIGNS.get(sign, sign))}</mo>'

    def product(self):
        """Factors side by side; a spaced `/` divides all of them by the product that follows."""
        factors = [self.factor()]
        while self.sees_factor():
            factors += [self.spaces[self.at], GAP, self.factor()]
        if not self.sees("/") or not self.spaces[self.at]:
            return "".join(factors)
        self.take()
        if not self.sees_factor():
            return "".join(factors) + " <mo>/</mo>"
        if self.sees("∂", "partial") and "∂" in factors[-1]:
            return "".join(factors[:-1]) + _fraction(factors[-1], self.factor(), " / ") + self.rest()
        return _fraction(_bare("".join(factors)), _bare(self.product()), " / ")

    def rest(self):
        return self.spaces[self.at] + GAP + self.product() if self.sees_factor() else ""

    def factor(self):
        """One atom with all that hangs on it, or two of them around an unspaced `/`."""
        top = self.scripted()
        if not self.sees("/", close=True) or self.spaces[self.at + 1]:
            return top
        self.take()
        if not self.sees_factor():
            return top + "<mo>/</mo>"
        return _fraction(_bare(top), _bare(self.scripted()), "/")

    def scripted(self):
        """An atom, its subscripts and superscripts, and the bracket it is applied to: `log_2(x)`."""
        base = self.atom()
        while True:
            if self.sees("_", "^", close=True) and self.tokens[self.at + 1]:
                base = self.script(base)
            elif self.sees("(", "[", close=True):
                base = _row(base + self.atom())
            else:
                return base

    def script(self, base):
        mark = self.take()
        tag = "msub" if mark == "_" else "msup"
        first = self.script_atom(mark)
        other = "^" if mark == "_" else "_"
        if not self.sees(other, close=True):
            return f"<{tag}>{base}{first}</{tag}>"
        second = self.script_atom(self.take())
        if mark == "_":
            return f"<msubsup>{base}{first}{second}</msubsup>"
        return f"<msub>{_row(f'<msup>{base}{first}</msup>')}{second}</msub>"

    def script_atom(self, mark):
        minus = self.sign() if self.sees("-", "−") else ""
        if mark == "^" and self.sees("T"):
            self.take()
            return _row(_hidden(mark) + '<mi mathvariant="normal">T</mi>')
        return _row(_hidden(mark) + minus + (self.atom() if self.tokens[self.at] else ""))

    def atom(self):
        """A number, a word, a bracket with its content, a root, or a sign we do not know."""
        token = self.take()
        if token in CLOSING:
            content = self.sequence(CLOSING[token])
            return _bracket(token, content, self.take())
        if token in ("sqrt", "√") and self.sees("(", close=True):
            opening = self.take()
            content = self.sequence(")")
            return f"<msqrt>{_hidden(token + opening)}{content}{_hidden(self.take())}</msqrt>"
        if token == "√" and self.sees_factor():
            return f"<msqrt>{_hidden(token)}{self.atom()}</msqrt>"
        if token in ("∂", "partial"):
            return _row("<mo>∂</mo>" + (self.scripted() if self.sees_factor() else ""))
        if token in BIG and self.sees("_", close=True):
            return f'<mo largeop="true">{BIG[token]}</mo>'
        if token[:1].isdigit():
            return f"<mn>{token}</mn>"
        word = f"<mi>{escape(WORDS.get(token) or SIGNS.get(token, token))}</mi>"
        if token.isalpha() and self.tokens[self.at].isdigit() and not self.spaces[self.at]:
            return f"<msub>{word}<mn>{self.take()}</mn></msub>"                # beta1 is β with index 1
        return word


def _bracket(opening, content, closing):
    if opening == "{":
        return _row(_hidden("{") + content + _hidden(closing))
    tall = f'<mo stretchy="{"true" if "<mfrac>" in content else "false"}">'
    return _row(f"{tall}{opening}</mo>{content}" + (f"{tall}{closing}</mo>" if closing else ""))


def _bare(term):
    """Above and below a fraction line, brackets around the whole are not shown."""
    whole = re.fullmatch(r'<mrow><mo stretchy="\w+">\(</mo>(.*)<mo stretchy="\w+">\)</mo></mrow>', term)
    depth = 0
    for bracket in re.findall(r">([()])</mo>", whole[1]) if whole else ")":
        depth += 1 if bracket == "(" else -1
        if depth < 0:                                  # `(a) (b)`: the first and last are no pair
            return term
    return _hidden("(") + whole[1] + _hidden(")")
