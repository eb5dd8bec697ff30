"""What nobody wants to publish: keys, home paths, e-mail addresses. Found by those who read a
submission, masked by those who make one: by a rule, so that nobody edits a reply."""

import re
from collections.abc import Iterator
from typing import Any

from panelist.leaderboard.check_json import texts
from panelist.leaderboard.faults import Fault, shown
from panelist.leaderboard.submission import MANIFEST, RUN

SECRETS = (
    r"\b(hf_)[A-Za-z0-9]{20,}|\b(sk-)[A-Za-z0-9_-]{20,}|\b(AKIA)[A-Z0-9]{16}\b"
    r"|\b(ghp_)[A-Za-z0-9]{30,}"
    r"|(-----BEGIN )[A-Z ]*PRIVATE KEY\w*(?:-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----|$))?"
)
"""Keys and tokens; a group is what stays of one where it is masked."""

_SECRETS = re.compile(
    # A word of a model's own may begin like that; a key mixes digits and capitals in.
    SECRETS.replace(r"\b(sk-)", r"\b(sk-)(?=[\w-]*[0-9])(?=[\w-]*[A-Z])")
)
_PERSONAL = re.compile(
    # Errors are kept with their backslashes doubled.
    r"(/home/)\w[\w.+-]*|(/Users/)\w[\w.+-]*|[A-Za-z]:\\+Users\\+[\w.+-]*"
    r"|(?<![\w.+-])[\w.+-]+@[\w-]+\.[A-Za-z]{2,}[\w.+-]*",
    re.ASCII,
)

_MENDS = {
    MANIFEST: "leave it out",
    RUN: "pack the run again: `panelist submit` masks it",
}


def secret(text: str) -> bool:
    """Whether a text holds what looks like a key or token."""
    return _SECRETS.search(text) is not None


def mask_keys(text: str) -> str:
    """A text of which `secret` finds nothing.

    >>> mask_keys("Call it with sk-proj-aB3dEfGhIjKlMnOpQrStUv.")
    'Call it with sk-[masked].'
    """
    return _SECRETS.sub(_masked, text)


def mask_private(text: str) -> str:
    """A text in which `check_private` finds nothing.

    >>> mask_private("No such file: /Users/ann/x, ask ann@example.org")
    'No such file: /Users/[masked]/x, ask [masked]'
    """
    return mask_keys(_PERSONAL.sub(_masked, text))


def _masked(found: re.Match[str]) -> str:
    return (found[found.lastindex] if found.lastindex else "") + "[masked]"


def check_private(name: str, value: Any) -> Iterator[Fault]:
    """Keys, home paths and e-mail addresses, which nobody wants to publish."""
    for field, text in texts(value):
        if secret(text):
            yield Fault("secret-in-text", name, field, mend="Revoke it, and " + _MENDS[name])
        elif found := _PERSONAL.search(text):
            mend = _MENDS[name].capitalize()
            yield Fault("personal-data", name, field, None, shown(found[0]), mend=mend)
