"""The peers' own environment, and what a measurement in it says."""

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
HOME = Path(tempfile.gettempdir()) / "lamgate-peers"


def peers_python(home: Path) -> Path:
    """The interpreter of the peers' environment, made where it is not there."""
    python = home / "bin" / "python"
    if not (home / "installed").exists():
        venv.create(home, with_pip=True, clear=True)
        wanted = ["-r", str(HERE / "requirements.txt")]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *wanted], check=True)
        (home / "installed").touch()
    return python


def said_by(command: Sequence[str]) -> str:
    """The last line that a measurement prints; ends this process where it fails."""
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout.splitlines()[-1]
