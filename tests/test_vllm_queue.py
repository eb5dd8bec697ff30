"""Several callers share vLLM's engine, on one that is made up; the real one: tox run -e vllm."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier, Event
from time import sleep
from typing import Any

import pytest

from panelist.panels.errors import PanelistError
from panelist.panels.vllm_queue import VllmQueue


@dataclass
class Output:
    request_id: str
    text: str
    finished: bool = True


class MadeUp:
    """Every step tells one token of each running chat; a chat has as many as its params say."""

    def __init__(self) -> None:
        self.llm_engine = self
        self.running: dict[str, list[Any]] = {}
        self.groups: set[frozenset[Any]] = set()
        self.count = self.most = 0
        self.dies = False
        self.steps = Event()
        self.steps.set()

    def enqueue_chat(
        self, messages: Sequence[Any], params: Sequence[int], lora_request: Any, use_tqdm: bool
    ) -> list[str]:
        if 0 in params:
            raise ValueError("no room for a token")
        names = []
        for message, length in zip(messages, params, strict=True):
            self.running[str(self.count)] = [length, message[0]["content"], lora_request]
            names.append(f"{self.count}-0a1b")
            self.count += 1
        self.most = max(self.most, len(self.running))
        return names

    def step(self) -> list[Output]:
        self.steps.wait(5)
        if self.dies:
            raise RuntimeError("engine core died")
        self.groups.add(frozenset(chat[2] for chat in self.running.values()))
        for chat in self.running.values():
            chat[0] -= 1
        ended = [name for name, chat in self.running.items() if not chat[0]]
        half = [Output(name, "", False) for name in self.running if name not in ended]
        return half + [Output(name, self.running.pop(name)[1].upper()) for name in reversed(ended)]


def chat(queue: VllmQueue, words: Sequence[str], lengths: Sequence[int]) -> list[str]:
    messages = [[{"role": "user", "content": word}] for word in words]
    return [output.text for output in queue.chat(messages, lengths, None)]


def test_answers_come_in_the_order_of_the_questions() -> None:
    assert chat(VllmQueue(MadeUp()), "abcd", [3, 1, 2, 1]) == list("ABCD")
    assert chat(VllmQueue(MadeUp()), "", []) == []


def test_callers_share_the_engine() -> None:
    llm = MadeUp()
    llm.steps.clear()
    queue = VllmQueue(llm)

    def call(number: int) -> list[str]:
        return chat(queue, f"{number}a{number}b", [50 * number, 1, 2, 3])

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(call, number) for number in range(1, 5)]
        while llm.count // 4 + queue._calls.qsize() < 4:  # all of them wait
            sleep(0.001)
        llm.steps.set()
        made = [call.result(5) for call in calls]
    assert made == [list(f"{n}A{n}B") for n in range(1, 5)]
    assert llm.most > 4
    assert not llm.running


def test_groups_never_share_a_step() -> None:
    llm = MadeUp()
    queue, together = VllmQueue(llm), Barrier(4)

    def call(number: int) -> list[str]:
        together.wait()
        messages = [[{"role": "user", "content": word}] for word in "ab"]
        lora = number % 2
        return [output.text for output in queue.chat(messages, [3, 9], lora, str(lora))]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(call, range(4))) == [["A", "B"]] * 4
    assert llm.groups == {frozenset({0}), frozenset({1})}


def test_a_refused_call_harms_no_other() -> None:
    llm = MadeUp()
    llm.steps.clear()
    queue = VllmQueue(llm)
    with ThreadPoolExecutor(2) as pool:
        good = pool.submit(chat, queue, "ab", [1, 2])
        bad = pool.submit(chat, queue, "ab", [1, 0])
        llm.steps.set()
        assert good.result(5) == ["A", "B"]
        with pytest.raises(ValueError, match="no room"):
            bad.result(5)


def test_a_dead_engine_is_told_to_all() -> None:
    llm = MadeUp()
    llm.dies = True
    queue = VllmQueue(llm)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="died"):
            chat(queue, "ab", [1, 2])


def test_an_old_vllm_is_refused() -> None:
    with pytest.raises(PanelistError, match=r"needs 0\.32 or newer"):
        VllmQueue(object())
