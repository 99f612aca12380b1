"""What a reason has to be, whoever takes it: the API, or a command that writes the database."""

from connectors.text import visible

MOST_REASON = 2_000  # characters


def says_something(text: str) -> bool:
    """Whether there is anything in it that can be read."""
    return bool(visible(text, len(text)))
