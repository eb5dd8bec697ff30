"""One rehearsal of the whole road, shared by the tests that read its log."""

from pathlib import Path

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import GenerateConfig, get_model

from panelist.panels.rehearsal import rehearse
from panelist.tasks.panel_hedging import panel_hedging


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
