"""Inspect tasks, one a file, each named for what it measures."""
