"""Examples of rules with their drawn parts filled in, so that no file holds a string that looks like a secret."""

import random
import re
import string
from typing import Final

_ALPHABETS: Final = {
    "an": string.ascii_letters + string.digits,
    "AN": string.ascii_uppercase + string.digits,
    "al": string.ascii_letters,
    "lan": string.ascii_lowercase + string.digits,
    "h": "0123456789abcdef",
}


def drawn(example: str, *, seed: int = 1) -> str:
    """Fill ``{an:36}`` and its like with drawn characters."""
    draw = random.Random(seed)  # noqa: S311 - reproducible on purpose
    return re.sub(
        r"\{(an|AN|al|lan|h):(\d+)\}", lambda one: "".join(draw.choices(_ALPHABETS[one[1]], k=int(one[2]))), example
    )
