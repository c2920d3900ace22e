"""The one exception that tells a user what to mend."""


class EcgtlError(ValueError):
    """A mistake that the user can mend: one line, naming what is wrong and the remedy.

    The command line prints it without a traceback and exits with status 2; a notebook shows the line alone.
    """

    def _render_traceback_(self):
        # IPython's hook: in a notebook (so under papermill too) the message stands without a stack.
        return [f"{type(self).__name__}: {self}"]
