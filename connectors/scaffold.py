"""A new connector as a distribution of its own, whose tests pass before anything is changed."""

import keyword
import re
from pathlib import Path
from string import Template
from typing import Literal

from connectors.built_in import BUILT_IN
from connectors.errors import ConfigurationError
from connectors.plugin import PROTOCOL

Kind = Literal["http", "python"]
_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST = 30
_FILES = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "init.py.txt": "lamgate_{name}/__init__.py",
    "connector.py.txt": "lamgate_{name}/connector.py",
    "service.py.txt": "tests/{name}_service.py",
    "test.py.txt": "tests/test_{name}.py",
}


def scaffold(name: str, folder: Path, kind: Kind = "http") -> tuple[Path, ...]:
    """Write the distribution `lamgate-NAME` below a folder; its files, none of them overwritten.

    Raises `ConfigurationError` and has written nothing where the name is none, or is taken.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST or keyword.iskeyword(name):
        raise ConfigurationError(
            f"{name!r} is no connector's name: at most {_LONGEST} of a-z, 0-9 and single _ between "
            "them, a letter first, and no word of Python"
        )
    if name in BUILT_IN:
        raise ConfigurationError(
            f"{name!r} is a connector that there is already, which would win; say another name"
        )
    place = folder / f"lamgate-{name.replace('_', '-')}"
    words = {
        "name": name,
        "dash": name.replace("_", "-"),
        "Name": "".join(part.capitalize() for part in name.split("_")),
        "NAME": name.upper(),
        "protocol": str(PROTOCOL),
    }
    texts = {
        place / path.format(name=name): Template(file.read_text("utf-8")).substitute(words)
        for template, path in _FILES.items()
        if (file := _TEMPLATES / kind / template).exists()
    }
    try:
        place.mkdir(parents=True)
    except FileExistsError as error:
        raise ConfigurationError(f"{place} is there already; nothing was written") from error
    for path, text in texts.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tuple(texts)
