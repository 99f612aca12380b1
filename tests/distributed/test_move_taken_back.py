"""A move is taken back exactly until something starts on the server, and whoever moves is told."""

import signal
from pathlib import Path

from commands import Lamgate
from servers import Server
from test_moved_runs import gateway


def test_whoever_moves_is_told_until_when_it_can_be_taken_back_and_so_it_is(
    tmp_path: Path, postgres: Server
) -> None:
    (tmp_path / "lamgate.toml").write_text("", encoding="utf-8")
    operator = Lamgate(tmp_path)
    made = operator("keys", "create", "somebody", "--role", "requester", "--json")
    url = postgres.new_database()
    moved = operator("move", "--to", url)
    back = operator("move", "--undo", "--to", url)
    again = operator("move", "--to", url, "--json")
    operator.more["LAMGATE_SECRET"] = Path(again.document["secret"]).read_text().strip()
    operator.more["LAMGATE_DATABASE__URL"] = url
    with gateway(operator, signal.SIGTERM):
        pass
    del operator.more["LAMGATE_DATABASE__URL"]
    too_late = operator("move", "--undo", "--to", url, "--json")

    assert made.code == 0
    assert "Until a gateway or a worker first starts there" in moved.out
    assert back.code == 0
    assert again.document["undo"] in " ".join(moved.out.split())
    assert (too_late.code, too_late.document["code"]) == (2, "database-moved")
