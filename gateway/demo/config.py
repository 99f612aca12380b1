"""The shop's own configuration in the demonstration's folder, on the ports that were free."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from connectors.spec import JsonObject
from gateway.cli.problem import CliError

FILE, PORTS_FILE, DOCUMENT = "lamgate.toml", "ports.json", "orders.openapi.json"
COPIED = ("overlays", "playbooks", "policies")
# The shop's fixed ports, as its own lamgate.toml has them, and whose they are.
PORTS = {
    "orders": "8711",
    "pay_minor": "8712",
    "pay_decimal": "8713",
    "mail": "8714",
    "smtp": "8715",
}
# Kept beside the file, so that plans can be made and runs explained while the shop is closed.
_DOCUMENT_LINE = f'[connections.orders]\ndocument = "{DOCUMENT}"'


def write_config(source: Path, data: Path, ports: Mapping[str, str], document: JsonObject) -> None:
    """Put the shop's configuration there, or move the one that is there to new ports."""
    file, kept = data / FILE, data / PORTS_FILE
    before: Mapping[str, str] = PORTS
    if file.exists() and kept.exists():
        before = json.loads(kept.read_text(encoding="utf-8"))
        text = file.read_text(encoding="utf-8")
    else:
        for folder in COPIED:
            shutil.copytree(source / folder, data / folder)
        text = (source / FILE).read_text(encoding="utf-8")
        text = text.replace("[connections.orders]", _DOCUMENT_LINE)
    new = {before[service]: port for service, port in ports.items()}
    moved = re.sub(
        r"(?<=127\.0\.0\.1:)\d+", lambda found: new.get(found.group(), found.group()), text
    )
    file.write_text(moved, encoding="utf-8")
    kept.write_text(json.dumps(dict(ports)), encoding="utf-8")
    (data / DOCUMENT).write_text(json.dumps(document), encoding="utf-8")


def shop_dir() -> Path:
    """The shop, in the checkout or in the installed distribution."""
    here = Path(__file__).resolve().parent
    for found in (here.parent.parent / "examples" / "shop", here / "shop"):
        if (found / "start.py").exists():
            return found
    raise CliError(
        "demo-incomplete", "the shop's files are missing", str(here), "Run it from a checkout."
    )
