"""The exceptions that the command line says in one line: bad input, and what is left to the user to write."""


class InputError(ValueError):
    """Bad input. The message is one line: what is wrong, the value, and the way out.

    The command line prints that line on stderr and exits with status 2; it never shows a traceback, and nor
    does a notebook.
    """

    def _render_traceback_(self):
        """What IPython shows in the place of a traceback: a list of lines."""
        return [f"{type(self).__name__}: {self}"]


class Assigned(Exception):
    """In a release, what is left to the student is needed. No ValueError, which a test may take for a refusal."""
