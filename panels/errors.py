"""The one error that bad input raises, whatever the room it is met in."""


class PanelistError(ValueError):
    """Bad input. The message names the file, field and value, and says how to mend it."""
