"""The protocol's sampling settings as Inspect takes them."""

from inspect_ai.model import GenerateConfig

from panelist.panels.protocol import SETTINGS

SAMPLING = GenerateConfig.model_validate(dict(SETTINGS))
"""Sampling settings of the benchmark, for focal and partner alike, unless the user gives others."""
