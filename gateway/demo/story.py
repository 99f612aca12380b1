"""x"""

from pathlib import Path


def tell(*, yes: bool, data: Path | None) -> None:
    """X"""
