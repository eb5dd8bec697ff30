"""Answers of a made-up judge, and what it was asked about."""

import json
from typing import Any


def verdict(score: Any, *quotes: str) -> str:
    return json.dumps({"quotes": quotes, "score": score})


def reply_in(prompt: str) -> str:
    code = prompt.split("<<PARTNER ", 1)[1].split(">>", 1)[0]
    return prompt.split(f"<<REPLY {code}>>\n", 1)[1].split(f"\n<<END REPLY {code}>>", 1)[0]
