"""The operator's playbooks: every `*.yaml` of a folder."""

from pathlib import Path

from connectors.document import read_document
from connectors.errors import ConfigurationError
from executor.check.expand import Playbooks
from executor.check.playbook import Playbook, PlaybookError, read_playbook
from gateway.settings import Settings


def load_playbooks(settings: Settings) -> Playbooks:
    """Those of the configured folder, if there is one; raises what `playbooks_in` raises."""
    if settings.playbooks.path is None:
        return {}
    folder = settings.at(settings.playbooks.path)
    if not folder.is_dir():
        raise ConfigurationError(f"playbooks.path: there is no folder {folder}")
    return playbooks_in(folder)


def playbooks_in(folder: Path) -> Playbooks:
    """By the name under which each is called; raises `PlaybookError` with the flaws of all."""
    found: dict[str, Playbook] = {}
    flaws: list[str] = []
    for file in sorted(folder.glob("*.yaml")):
        try:
            playbook = read_playbook(read_document(text_of(file).encode(), str(file)), str(file))
        except (PlaybookError, ConfigurationError) as error:
            flaws.append(str(error))
            continue
        if playbook.action in found:
            flaws.append(f"{file}: there is another playbook named {playbook.name}")
        found[playbook.action] = playbook
    if flaws:
        raise PlaybookError("\n".join(flaws))
    return found


def text_of(file: Path) -> str:
    """The text of a file of the operator's."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error
