"""The scripted model server as its users start it."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from planner.scripted import read_script

COMMAND = [sys.executable, "-m", "planner.scripted", "--replies"]
ROOT = Path(__file__).parents[2]


@contextmanager
def served(replies: Path, stdin: int) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    process = subprocess.Popen(
        [*COMMAND, str(replies)], cwd=ROOT, stdin=stdin, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        ready, _, url = process.stdout.readline().partition(" ")
        assert ready == "ready"
        yield process, url.strip()
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def ask(url: str) -> str:
    request = urllib.request.Request(
        f"{url}/chat/completions",
        json.dumps({"model": "m", "messages": []}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)["choices"][0]["message"]["content"])


def test_it_plays_its_script_and_shows_what_it_was_asked(tmp_path: Path) -> None:
    file = tmp_path / "replies.json"
    file.write_text('[{"text": "one"}, {"json": {"two": 2}}]')
    # Standard input is no pipe here, as in a container: the server goes on.
    with served(file, subprocess.DEVNULL) as (_, url):
        said = [ask(url) for _ in range(3)]
        with urllib.request.urlopen(f"{url.removesuffix('/v1')}/requests") as answer:
            asked = json.load(answer)

    assert said == ["one", '{"two": 2}', '{"two": 2}']
    assert asked == [{"model": "m", "messages": []}] * 3


def test_it_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    file = tmp_path / "replies.json"
    file.write_text('[{"text": "one"}]')
    with served(file, subprocess.PIPE) as (process, _):
        assert process.stdin is not None
        process.stdin.close()

        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "the list of replies is empty"),
        ('[{"txt": "one"}]', "0/txt: Extra inputs are not permitted"),
        ("nonsense", "Invalid JSON"),
    ],
)
def test_a_script_that_cannot_be_played_is_told_with_its_place(
    tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "replies.json"
    file.write_text(text)
    answer = subprocess.run([*COMMAND, str(file)], cwd=ROOT, capture_output=True, text=True)

    assert answer.returncode == 2
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_demonstrations_recorded_replies_can_be_played() -> None:
    for file in (ROOT / "examples" / "shop" / "recorded").glob("*.json"):
        assert read_script(file.read_bytes())
