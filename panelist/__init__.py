"""panelist: how language-model checkpoints behave as members of a panel."""

from panelist.version import __version__

__all__ = ["__version__"]
