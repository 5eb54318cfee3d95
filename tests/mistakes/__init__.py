"""Typical wrong answers, one file a concept. The contract of a concept must reject each of them.

    @mistake("softmax_forward", "the softmax runs over the first axis; it belongs on the last (softmax, 2)")
    def wrong_axis(x): ...

The other functions of the room stay the reference's. On a failure, `check` looks here for a mistake that
gives the same answers as the student, and shows its sentence.
"""


def mistake(replaces, says):
    """Mark a wrong answer: the function (or class) of the room that it replaces, and what to tell a student."""
    def mark(function):
        function.replaces, function.says = {replaces: function}, says
        return function
    return mark
