"""What a model thinks aloud before it answers is no part of its answer.

Providers leave thoughts in the text, and some leave only their end: the beginning stood in the
prompt's template. Thoughts may quote a draft, which is not offered. An answer begins with a brace,
a bracket or a fence, so what begins so is no thought.
"""

import re

_NAMES = r"(?:think(?:ing)?|thoughts?|reasoning)"
_THOUGHTS = re.compile(
    rf"\A\s*(?:<{_NAMES}>|\[think\]|(?![\s{{\[`])).*?(?:</{_NAMES}>|\[/think\])",
    re.DOTALL | re.IGNORECASE,
)


def answered(text: str) -> str:
    """The text without the thoughts that it begins with."""
    return _THOUGHTS.sub("", text, count=1).strip()
