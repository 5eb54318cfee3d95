"""Typical wrong answers, one file a concept. The contract of a concept must reject each of them.

    @mistake("softmax_forward", "the softmax runs over the first axis; it belongs on the last (softmax, 2)")
    def wrong_axis(x): ...

The other functions of the room stay the reference's. On a failure, `check` looks here for a mistake that
gives the same answers as the student, and shows its sentence. A wrong kernel is best written as ours with one piece
of its text changed:

    @instead(softmax_forward_kernel, ', other=-float("inf")', "")
    def load_without_other():
        ...                                            # its docstring: "the load has a mask and no `other`"
"""
import inspect
import linecache
import sys


def mistake(replaces, says):
    """Mark a wrong answer: the function (or class) of the room that it replaces, and what to tell a student."""
    def mark(function):
        function.replaces, function.says = {replaces: function}, says
        return function
    return mark


def instead(kernel, *changes):
    """Mark a kernel of ours with pieces of its text replaced: ours, wrong, ours, wrong ...

    What is decorated gives its name, and its docstring says what is wrong.
    Raises ValueError unless each piece is there exactly once.
    """
    def mark(function):
        name, source = kernel.fn.__name__, inspect.getsource(kernel.fn)
        for ours, wrong in zip(changes[::2], changes[1::2], strict=True):
            if source.count(ours) != 1:
                raise ValueError(f"{name} has {source.count(ours)} times {ours!r}, not once")
            source = source.replace(ours, wrong)
        source = source.replace(f"def {name}(", f"def {function.__name__}(")
        file = f"<{function.__name__} of {function.__module__}>"
        linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file     # Triton reads the source
        names = vars(sys.modules[kernel.fn.__module__]) | {"__name__": function.__module__}
        exec(compile(source, file, "exec"), names)
        return mistake(name, function.__doc__)(names[function.__name__])
    return mark
