"""The doors that Inspect opens: tasks, scorers and the embedded model provider."""

from panelist.panels.embedded_provider import panelist_provider
from panelist.scorers.behaviour import challenge, hedging, repair
from panelist.scorers.judge import judge
from panelist.tasks.panel_challenge import panel_challenge
from panelist.tasks.panel_hedging import panel_hedging
from panelist.tasks.panel_openings import panel_openings
from panelist.tasks.panel_repair import panel_repair

__all__ = [
    "challenge",
    "hedging",
    "judge",
    "panel_challenge",
    "panel_hedging",
    "panel_openings",
    "panel_repair",
    "panelist_provider",
    "repair",
]
