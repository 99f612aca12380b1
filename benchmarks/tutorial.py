"""A page for beginners, followed to the letter in an empty folder: minutes of each block.

python -m benchmarks.tutorial            a fresh machine: everything is downloaded and installed
python -m benchmarks.tutorial --linked   what Lamgate needs is taken from this environment instead
python -m benchmarks.tutorial --page FILE   another page

Every `sh` block of the page runs in order in one shell, which ends at the first failure; every line
of a `text` block has to have been said by the block before it.
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "connectors" / "tutorial.md"
PORTS = ("8765", "8766")
WORDS_A_MINUTE = 200
_BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DONE = "--- block done"
_ENDED = "--- the shell ended"  # what it began may still hold its output open


@dataclass(frozen=True)
class Block:
    """One block that was run: what it says first, what it took, what it said."""

    first: str
    seconds: float
    said: str


def follow(folder: Path, page: Path = PAGE, *, is_linked: bool) -> Iterator[Block]:
    """Run a page in an empty folder; raises `AssertionError` with what was said."""
    (folder / "lamgate").symlink_to(ROOT, target_is_directory=True)
    written = page.read_text(encoding="utf-8")
    for port, free in zip(PORTS, _free_ports(len(PORTS)), strict=True):
        written = written.replace(port, free)
    shell = subprocess.Popen(
        ["bash", "-e"],
        cwd=folder,
        env=_environment(folder, is_linked=is_linked),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said = _said(shell, f"trap 'echo \"{_ENDED}\"' EXIT")
        for kind, text in _BLOCK.findall(written):
            if kind == "text":
                for line in text.splitlines():
                    assert line in said, f"not said: {line}\n{said}"
                continue
            began = time.monotonic()
            if is_linked and "bin/activate" in text:
                text = text.replace(". .venv/bin/activate\n", f". .venv/bin/activate\n{_LINK}\n")
            said = _said(shell, text)
            yield Block(text.splitlines()[0], time.monotonic() - began, said)
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()


def _said(shell: "subprocess.Popen[str]", text: str) -> str:
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write(f"{text}\necho '{_DONE}'\n")
    shell.stdin.flush()
    said = []
    for line in shell.stdout:
        if _ENDED in line:
            break
        before, done, _ = line.partition(_DONE)
        said.append(before)
        if done:
            return "".join(said)
    raise AssertionError(f"this failed:\n{text}\n{''.join(said)}")


# A path file, so that what is installed here comes after what the page installs.
_LINK = (
    'echo "$LAMGATE_LINKED" > "$(python -c "import sysconfig; '
    "print(sysconfig.get_path('purelib'))\")/linked.pth\""
)


def _environment(folder: Path, *, is_linked: bool) -> dict[str, str]:
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "HTTPS_PROXY")
    own = {name: os.environ[name] for name in kept if name in os.environ}
    own["HOME"] = str(folder)
    # The page says python3: the one that runs this.
    own["PATH"] = f"{Path(sys.executable).resolve().parent}{os.pathsep}{own['PATH']}"
    if is_linked:
        own |= {
            "LAMGATE_LINKED": str(_linked(folder)),
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # as pip reads it: no isolation
            "PIP_NO_COMPILE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
    return own


def _linked(folder: Path) -> Path:
    """What is installed here, but Lamgate itself: that is what the page installs."""
    found = folder / ".linked"
    found.mkdir()
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if "lamgate" not in each.name:
            (found / each.name).symlink_to(each, target_is_directory=each.is_dir())
    return found


def _free_ports(count: int) -> list[str]:
    with ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [str(each.getsockname()[1]) for each in found]


def main() -> None:
    """Follow the page and print the minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--linked", action="store_true")
    parser.add_argument("--page", type=Path, default=PAGE)
    asked = parser.parse_args()
    total = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for block in follow(Path(folder), asked.page, is_linked=asked.linked):
            total += block.seconds
            print(f"{block.seconds / 60:6.2f} min  {block.first}", flush=True)
        words = len(asked.page.read_text(encoding="utf-8").split())
        print(f"{total / 60:6.2f} min  the machine's part")
        minutes = words / WORDS_A_MINUTE
        print(f"{minutes:6.2f} min  to read {words} words, at {WORDS_A_MINUTE} a minute")


if __name__ == "__main__":
    main()
