"""What nobody wants to publish: keys, home paths, e-mail addresses."""

import re
from collections.abc import Iterator
from typing import Any

from panelist.leaderboard.check_json import texts
from panelist.leaderboard.faults import Fault, shown

SECRETS = (
    r"\bhf_[A-Za-z0-9]{20,}|\bsk-[A-Za-z0-9_-]{20,}|\bAKIA[A-Z0-9]{16}\b|\bghp_[A-Za-z0-9]{30,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
)
"""Keys and tokens."""

_SECRETS = re.compile(
    # A word of a model's own may begin like that; a key mixes digits and capitals in.
    SECRETS.replace(r"\bsk-", r"\bsk-(?=[\w-]*[0-9])(?=[\w-]*[A-Z])")
)
_PERSONAL = re.compile(
    r"/home/\w+|/Users/\w+|[A-Za-z]:\\Users\\|(?<![\w.+-])[\w.+-]+@[\w-]+\.[A-Za-z]{2,}", re.ASCII
)


def secret(text: str) -> bool:
    """Whether a text holds what looks like a key or token."""
    return _SECRETS.search(text) is not None


def check_private(name: str, value: Any) -> Iterator[Fault]:
    """Keys, home paths and e-mail addresses, which nobody wants to publish."""
    for field, text in texts(value):
        if secret(text):
            yield Fault("secret-in-text", name, field, mend="Revoke it, and leave it out")
        elif found := _PERSONAL.search(text):
            yield Fault("personal-data", name, field, None, shown(found[0]), mend="Leave it out")
