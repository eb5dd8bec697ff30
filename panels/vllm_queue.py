"""vLLM's offline engine for several callers at once.

`LLM.chat` serves one call to its end: while the last replies of a batch are generated, most of the
engine's slots are empty, which costs a third and more where batches are small against the slots.
Here one thread adds what every caller asks for as it comes, and steps the engine; a call that is in
its tail shares the engine with the next one.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from panelist.panels.batch import Message
from panelist.panels.errors import PanelistError
from panelist.panels.runtime import version_of


class _Call:
    """The chats of one caller, until all are answered."""

    def __init__(
        self,
        messages: Sequence[list[Message]],
        params: Sequence[Any],
        loras: Sequence[Any] | None,
        group: str,
    ) -> None:
        self.messages, self.params, self.loras = list(messages), list(params), loras
        self.group = group
        self.outputs: list[Any] = [None] * len(messages)
        self.left = len(messages)
        self.done: Future[list[Any]] = Future()


class VllmQueue:
    """Chats for a `vllm.LLM`; nobody else may use it meanwhile."""

    def __init__(self, llm: Any) -> None:
        """Begin to serve.

        Raises:
            PanelistError: this vLLM is too old.
        """
        if not hasattr(llm, "enqueue_chat"):
            raise PanelistError(
                f"vLLM {version_of('vllm')}: the Ray engine needs 0.32 or newer; pip install -U "
                "vllm, or run without --engine ray"
            )
        self._llm = llm
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._running: dict[str, tuple[_Call, int]] = {}
        Thread(target=self._serve, name="vllm-queue", daemon=True).start()

    def chat(
        self,
        messages: Sequence[list[Message]],
        params: Sequence[Any],
        loras: Sequence[Any] | None,
        group: str = "",
    ) -> list[Any]:
        """As `LLM.chat`, from any thread.

        Args:
            messages: of N chats.
            params: SamplingParams of each.
            loras: LoRARequest or None of each; None where no adapter is loaded.
            group: calls of two groups never share a step of the engine.

        Returns:
            N outputs of vLLM, in order.

        Raises:
            ValueError: vLLM refuses a chat; none of the call is answered.
        """
        call = _Call(messages, params, loras, group)
        if call.left:
            self._calls.put(call)
            call.done.result()
        return call.outputs

    def _serve(self) -> None:
        held: _Call | None = None
        group = ""
        while True:
            if held is None:
                with suppress(Empty):
                    held = self._calls.get(block=not self._running)
            if held is not None and (held.group == group or not self._running):
                group = held.group
                self._add(held)
                held = None
                continue  # as many callers as there are, before the next step
            try:
                for output in self._llm.llm_engine.step():
                    if output.finished:
                        self._answer(output)
            except Exception as ex:
                # The engine is dead; what it was asked for has no answer.
                calls = {id(call): call for call, _ in self._running.values()}
                self._running.clear()
                for call in calls.values():
                    call.done.set_exception(ex)

    def _add(self, call: _Call) -> None:
        try:
            names = self._llm.enqueue_chat(
                call.messages, call.params, lora_request=call.loras, use_tqdm=False
            )
        except Exception as ex:
            call.done.set_exception(ex)
            return
        for place, name in enumerate(names):
            # Outputs go by the number before the random part of a name.
            self._running[name.partition("-")[0]] = call, place

    def _answer(self, output: Any) -> None:
        call, place = self._running.pop(output.request_id)
        call.outputs[place] = output
        call.left -= 1
        if not call.left:
            call.done.set_result(call.outputs)
