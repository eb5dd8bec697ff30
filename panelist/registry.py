"""The doors that Inspect opens: tasks, scorers and the embedded model provider."""

from panelist.panels.embedded_provider import panelist_provider
from panelist.scorers.hedging import hedging
from panelist.scorers.judge import judge
from panelist.tasks.panel_hedging import panel_hedging

__all__ = ["hedging", "judge", "panel_hedging", "panelist_provider"]
