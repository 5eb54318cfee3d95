"""The answers of the package that a student's process does not give: who calls one of them is told so.

An exercise withholds the package's own functions for the roles that it asks for, while that exercise is judged, and
no others: an answer to masked_lm.2 may call the package's cross-entropy. It is the function itself that is changed,
so it does not matter how it was reached: `from minigpt.reference.attention import attention_forward as ours`, a
wrapper around it, importlib, an import inside of the function. Not seen: source text that was copied, a second copy
of a module that was loaded under another name, and whoever undoes this, which runs in the same process. Marks that
must withstand that come from releases, variants and hidden tests.
Needs the standard library only: the student's process has this file, and not the package's others.
"""
import importlib.abc
import importlib.machinery
import inspect
import sys


class NotYours(BaseException):
    """A call of an answer that the package has. No `except Exception` of the student's stops it."""


class Withheld(importlib.abc.MetaPathFinder):
    """Withholds functions, {"module.name"}, in the modules that are there and in those that are imported later."""

    def __init__(self):
        self.names, self.changed = frozenset(), []
        sys.meta_path.insert(0, self)

    def withhold(self, names):
        """From now on these, and no others."""
        if self.names == frozenset(names):
            return
        while self.changed:
            function, (function.__code__, function.__kwdefaults__) = self.changed.pop()
        self.names = frozenset(names)
        for name in sorted(self.modules() & set(sys.modules)):
            self._change(sys.modules[name])

    def modules(self):
        """The names of the modules that hold what is withheld."""
        return {name.rpartition(".")[0] for name in self.names}

    def find_spec(self, name, path, target=None):
        """The usual spec of a module, with a loader that changes it when it was executed."""
        if name not in self.modules() or (spec := importlib.machinery.PathFinder.find_spec(name, path)) is None:
            return None
        usual = spec.loader.exec_module

        def exec_module(module):
            usual(module)
            self._change(module)

        spec.loader.exec_module = exec_module
        return spec

    def _change(self, module):
        for full in sorted(self.names):
            home, _, name = full.rpartition(".")
            function = inspect.unwrap(getattr(module, name, None)) if home == module.__name__ else None
            if inspect.isfunction(function) and not function.__code__.co_freevars:
                self.changed.append((function, (function.__code__, function.__kwdefaults__)))
                function.__code__ = _refuse.__code__
                function.__kwdefaults__ = {"_said": f"{full} is the package's own answer, not yours", "_kind": NotYours}


def _refuse(*args, _said, _kind, **options):
    raise _kind(_said)
