"""The source of functions as a file that runs by itself: with what they import, and the functions that they call."""
import ast
import builtins
import dis
import inspect
import math
import pathlib
import sys
import textwrap
import types

import numpy as np
import torch

OURS = pathlib.Path(__file__).parents[1]
PLACES = (np, torch, torch.nn.functional, math)        # where functions live that do not know their module
PLAIN = (bool, float, int, str, type(None))


class Unsaveable(ValueError):
    """Why functions cannot be written into a file."""


def module_of(functions):
    """The text of a module that defines functions, {name: function}, under these names.

    Raises Unsaveable if their source is unknown, or they use what neither can be imported nor is a function, a named
    tuple or a plain value.
    """
    parts = Parts()
    for name, function in functions.items():
        if function.__name__ == name:
            parts.add(name, function)
        else:
            parts.add(function.__name__, function)
            parts.claim(name, function)
            parts.code.append(f"{name} = {function.__name__}")
    head = "\n".join(sorted(parts.imports, key=lambda line: (line.startswith("from"), line)))
    values = "\n".join(parts.values)
    return "\n\n\n".join(part for part in (head, values, *parts.code) if part) + "\n"


class Parts:
    """Pieces of a module, each after what it needs."""

    def __init__(self):
        self.imports, self.values, self.code, self.known = set(), [], [], {}

    def claim(self, name, value):
        """Whether a name is new. Raises Unsaveable if it stands for something else already."""
        if name in self.known and self.known[name] is not value:
            raise Unsaveable(f"the name {name} stands for two different things")
        new = name not in self.known
        self.known[name] = value
        return new

    def add(self, name, value):
        """Add what a name stands for."""
        if not self.claim(name, value):
            return
        if isinstance(value, types.ModuleType):
            alias = "" if name == value.__name__ else f" as {name}"
            self._import(value.__name__, f"import {value.__name__}{alias}")
        elif isinstance(value, types.FunctionType) and not _is_installed(value.__module__):
            self._define(name, inspect.unwrap(value))
        elif isinstance(value, PLAIN) or (isinstance(value, tuple) and all(isinstance(v, PLAIN) for v in value)):
            self.values.append(f"{name} = {_written(value)}")
        elif _is_own_namedtuple(value):
            self.imports.add("from collections import namedtuple")
            self.values.append(f"{name} = namedtuple({value.__name__!r}, {' '.join(value._fields)!r})")
        else:
            module, its_name = _home(name, value)
            alias = "" if name == its_name else f" as {name}"
            self._import(module, f"from {module} import {its_name}{alias}")

    def _import(self, module, line):
        if not _is_installed(module):
            raise Unsaveable(f"{module} is a file of yours, which is not found from another folder")
        self.imports.add(line)

    def _define(self, name, function):
        if function.__code__.co_freevars:
            raise Unsaveable(f"{name} uses {function.__code__.co_freevars[0]} of the function around it")
        source, tree = _source(function)
        for used in sorted(_globals_of(function.__code__) | _outside(tree)):
            if used in function.__globals__:
                self.add(used, function.__globals__[used])
            elif not hasattr(builtins, used):
                raise Unsaveable(f"{name} uses {used}, which is not defined")
        self.code.append(source)
        if name != tree.name:                          # a helper under another name
            self.claim(tree.name, function)
            self.code.append(f"{name} = {tree.name}")


def is_in(folder, function):
    """Whether a function was written in a file of a folder, or of one below it."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code is not None and folder in pathlib.Path(code.co_filename).resolve().parents


def _source(function):
    """(text, syntax tree) of a function that was written with def."""
    try:
        source = textwrap.dedent(inspect.getsource(function)).rstrip()
        tree = ast.parse(source).body[0]
    except (OSError, SyntaxError, TypeError):
        raise Unsaveable(f"Python does not know the source of {function.__name__}: write it in a notebook or in a "
                         "file") from None
    if not isinstance(tree, ast.FunctionDef):
        raise Unsaveable("a lambda cannot be kept: write it with def")
    return source, tree


def _globals_of(code):
    """Names that a function's code, and the functions inside it, look up outside of them."""
    names = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return names.union(*(_globals_of(inner) for inner in code.co_consts if isinstance(inner, types.CodeType)))


def _outside(tree):
    """Names that the first lines of a definition look up: decorators, defaults and annotations."""
    arguments = ast.walk(tree.args)
    nodes = [*tree.decorator_list, *tree.args.defaults, *filter(None, [*tree.args.kw_defaults, tree.returns]),
             *(a.annotation for a in arguments if isinstance(a, ast.arg) and a.annotation)]
    return {leaf.id for node in nodes for leaf in ast.walk(node) if isinstance(leaf, ast.Name)}


def _is_own_namedtuple(value):
    return (isinstance(value, type) and issubclass(value, tuple) and "_fields" in vars(value)
            and not value._field_defaults and not _is_installed(value.__module__))


def _is_installed(module):
    """Whether a module can be imported from anywhere: it belongs to Python, to this package, or to an installed one."""
    top = module.partition(".")[0]
    file = pathlib.Path(getattr(sys.modules.get(top), "__file__", None) or "")
    return top != "__main__" and (top in sys.stdlib_module_names or OURS in file.parents
                                  or bool({"site-packages", "dist-packages"} & set(file.parts)))


def _home(name, value):
    """(module, name) that a value can be imported from."""
    its_name = getattr(value, "__name__", name)
    for module in (sys.modules.get(getattr(value, "__module__", None) or ""), *PLACES):
        if module is not None and _is_installed(module.__name__) and getattr(module, its_name, None) is value:
            return module.__name__, its_name
    kind = "class: a tuple or a namedtuple can be kept" if isinstance(value, type) else (
        f"{type(value).__name__}, which is neither imported nor a function")
    raise Unsaveable(f"{name} is a {kind}")


def _written(value):
    if isinstance(value, tuple):
        return f"({''.join(f'{_written(v)}, ' for v in value)})"
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else f'float("{value}")'
    return repr(value)
