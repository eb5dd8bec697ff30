"""One rehearsal of the whole road, shared by the tests that read its log."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import GenerateConfig, get_model

from panelist.panels.rehearsal import rehearse
from panelist.tasks.panel_hedging import panel_hedging

# The default suite tries the same examples every time, like every other seed in it; the search for
# new ones is `HYPOTHESIS_PROFILE=search tox run -e tests`.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("search", derandomize=False, deadline=None, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(scope="session")
def rehearsal_log(tmp_path_factory: pytest.TempPathFactory) -> EvalLog:
    """The log of a demo run on the mock model, with derived sampling seeds."""
    folder = tmp_path_factory.mktemp("logs")
    model = get_model(
        "mockllm/model", custom_outputs=rehearse, config=GenerateConfig(seed=1), memoize=False
    )
    [log] = inspect_eval(panel_hedging, model=model, log_dir=str(folder), display="none")
    assert log.status == "success"
    return log


@pytest.fixture(scope="session")
def rehearsal_path(rehearsal_log: EvalLog) -> Path:
    """Where that log lies."""
    return Path(rehearsal_log.location)
