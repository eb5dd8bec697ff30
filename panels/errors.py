"""The one error that bad input raises, whatever the room it is met in."""

import click


class PanelistError(click.ClickException, ValueError):
    """Bad input. The message names the file, field and value, and says how to mend it.

    It is a click exception, so that `inspect eval` and `panelist` alike end with the message and a
    non-zero exit code, without a traceback; and a ValueError for callers from Python.
    """

    def __str__(self) -> str:
        return self.message
