"""The lm-eval task class of the replays: refuses a run that would not be the benchmark's.

A plain YAML task cannot see these flags. It is asked after the model was loaded and before anything
is generated.
"""

from typing import Any

from lm_eval.api.task import ConfigurableTask

from panelist.panels.errors import PanelistError
from panelist.scorers.lm_eval import check_generation, check_prompt


class PanelReplay(ConfigurableTask):  # type: ignore[misc]
    """A task of a YAML file, with a check of what every request is about to say."""

    def __init__(self, config: dict[str, Any]) -> None:
        """Make the task as lm-eval makes one without a class.

        Args:
            config: the YAML file's content.
        """
        super().__init__(config={key: value for key, value in config.items() if key != "class"})

    def build_all_requests(self, **options: Any) -> None:
        """Build the requests and check each.

        Args:
            options: lm-eval's: `apply_chat_template`, `system_instruction`, `cache_requests` and
                others.

        Raises:
            PanelistError: a flag or the checkpoint's chat template makes the prompt another one.
        """
        name = str(self.config.task)
        if not options.get("apply_chat_template"):
            raise PanelistError(
                f"{name}: panelists are told their part in a system message; run lm_eval with "
                "--apply_chat_template"
            )
        if options.get("system_instruction"):
            raise PanelistError(
                f"{name}: --system_instruction would stand before the benchmark's own system "
                "message; leave it out"
            )
        if options.get("cache_requests"):
            # lm-eval's key for them knows neither tier nor bank.
            raise PanelistError(f"{name}: --cache_requests may serve another tier; leave it out")
        check_generation(name, self.config.generation_kwargs)
        if self.config.num_fewshot or self.config.repeats != 1:
            raise PanelistError(f"{name}: it takes no examples and no repeats; leave them out")
        super().build_all_requests(**options)
        for request in self.instances:
            check_prompt(f"{name}, request {request.doc_id}", request.doc, request.args[0])
