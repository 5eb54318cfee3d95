"""Finding the answers of exercises in code, and taking them out: by name, and by what they compute.

Two functions compute the same in the same way if most of the expressions of one occur in the other, whatever the
variables are called, and whether it is NumPy or PyTorch.
"""
import ast
import copy
import re
import warnings

ALIKE = 0.5             # share of an answer's expressions above which a function is a copy of it
LARGE = 9               # nodes of a syntax tree that make an expression worth comparing
TORCH = {"dim": "axis", "keepdim": "keepdims", "amax": "max", "transpose": "swapaxes"}
BLOCK = re.compile(r"^```python([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Answers:
    """The answers to take out.

    sources: {role, such as softmax_forward: text of ours}. named: {full name: role} of what is one by its name.
    """

    def __init__(self, sources, named):
        self.expressions = {role: expressions(ast.parse(text)) for role, text in sources.items()}
        self.named = named

    def found(self, source, module=""):
        """(function, answer) of each in a text of Python that gives an answer away; none if it does not parse.

        module: the full name of the module that the text is, for those that are known by name.
        """
        found = []
        for node, name in functions(source):
            role = self.named.get(f"{module}.{name}") or self._alike(node)
            if role and not is_empty(node):
                found.append((node, role))
        return found

    def _alike(self, node):
        mine = expressions(node)
        alike = {role: len(theirs & mine) / len(theirs) for role, theirs in self.expressions.items() if theirs}
        best = max(alike, key=alike.get, default=None)
        return best if best and alike[best] > ALIKE else None


def expressions(node):
    """What a function computes: each of its larger expressions, without the names of variables."""
    values = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Assign | ast.AugAssign | ast.Return)]
    return {ast.dump(_Plain().visit(copy.deepcopy(value))) for value in values
            if value is not None and sum(1 for _ in ast.walk(value)) >= LARGE}


class _Plain(ast.NodeTransformer):
    """Names of variables, and what NumPy and PyTorch call differently, made equal."""

    def visit_Name(self, node):
        return ast.Name("_")

    def visit_Call(self, node):
        name = node.func.id if isinstance(node.func, ast.Name) else None
        self.generic_visit(node)
        if name:                                       # which function is called does matter
            node.func = ast.Name(name)
        return node

    def visit_Attribute(self, node):
        self.generic_visit(node)
        return ast.Attribute(node.value, TORCH.get(node.attr, node.attr))

    def visit_keyword(self, node):
        self.generic_visit(node)
        return ast.keyword(TORCH.get(node.arg, node.arg), node.value)


def is_empty(function):
    """Whether a function has no body but ..., or says that it is yours to write."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return all(isinstance(node, ast.Pass | ast.Raise | ast.ImportFrom)
               or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
               or any(mark in ast.unparse(node) for mark in ("yours(", "left_out(")) for node in body)


def without(source, found, body):
    """A text of Python in which the functions found have another body; all else stays, byte for byte.

    body: function of (node, answer) -> lines without indentation.
    """
    lines = source.splitlines(keepends=True)
    for node, role in sorted(found, key=lambda pair: -pair[0].lineno):
        first = node.body[0]
        docstring = ast.get_docstring(node, clean=False) is not None
        start = first.end_lineno if docstring else first.lineno - 1
        if not docstring and first.lineno == node.lineno:              # def f(x): return x
            lines[start] = lines[start][:first.col_offset].rstrip() + "\n"
            start += 1
        indent = " " * (node.col_offset + 4)
        lines[start:node.end_lineno] = [f"{indent}{line}\n" for line in body(node, role)]
    return "".join(lines)


def call(node):
    """How a function would call another with its own arguments: "q, k, causal=causal"."""
    args = node.args
    parts = [a.arg for a in (*args.posonlyargs, *args.args)] + ([f"*{args.vararg.arg}"] if args.vararg else [])
    parts += [f"{a.arg}={a.arg}" for a in args.kwonlyargs] + ([f"**{args.kwarg.arg}"] if args.kwarg else [])
    return ", ".join(parts)


def functions(source):
    """(node, name within the module) of the functions of a text, and of its classes; not those inside functions."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")            # of what is no Python after all
            waiting = [(ast.parse(re.sub("^%.*", "", source, flags=re.MULTILINE)), "")]          # %%triton
    except (SyntaxError, ValueError):
        return []
    found = []
    while waiting:
        node, prefix = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                found.append((child, f"{prefix}{child.name}"))
            else:
                waiting.append((child, f"{prefix}{child.name}." if isinstance(child, ast.ClassDef) else prefix))
    return found
