"""Split reasoning off a reply, before a partner sees it and before it is scored.

Inspect already separates the reasoning of the providers that mark it. What is left are templates
that open the block inside the prompt (only `</think>` comes back), engines that return it
verbatim, and replies cut off inside the block.
"""

import re

_BLOCK = re.compile(r"<(think|thinking|reasoning)>(.*?)(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_HEADLESS = re.compile(r"\A(.*)</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)


def split_reasoning(text: str, *, cut: bool = False) -> tuple[str, str]:
    """The visible reply and the reasoning, both stripped.

    With `cut`, a text without any mark is reasoning throughout: the reply of a reasoning model
    whose template opens the block, cut off at the limit before the block was closed.

    >>> split_reasoning("<think>2 or 3?</think>Three.")
    ('Three.', '2 or 3?')
    >>> split_reasoning("so it is 3</think> Three.")
    ('Three.', 'so it is 3')
    >>> split_reasoning("<think>never closed")
    ('', 'never closed')
    >>> split_reasoning("cut at the limit", cut=True)
    ('', 'cut at the limit')
    """
    if cut and not _BLOCK.search(text) and not _HEADLESS.match(text):
        return "", text.strip()
    thoughts = [match.group(2) for match in _BLOCK.finditer(text)]
    visible = _BLOCK.sub("", text)
    if headless := _HEADLESS.match(visible):
        thoughts.insert(0, headless.group(1))
        visible = visible[headless.end() :]
    return visible.strip(), "\n".join(t.strip() for t in thoughts).strip()
