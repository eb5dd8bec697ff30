"""The two version numbers that a result carries."""

__version__ = "0.1.0"
"""Version of the package."""
