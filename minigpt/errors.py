"""The one exception that means: the user gave us something we cannot use."""


class InputError(ValueError):
    """Bad input. The message is one line: what is wrong, the value, and the way out.

    The command line prints that line on stderr and exits with status 2; it never shows a traceback, and nor
    does a notebook.
    """

    def _render_traceback_(self):
        """What IPython shows in the place of a traceback: a list of lines."""
        return [f"{type(self).__name__}: {self}"]
