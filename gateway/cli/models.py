"""`models`: what plans, by the names that `--model` takes."""

from gateway.cli.connect import Target, connect
from gateway.cli.options import AsJson, Config, Key, Url
from gateway.cli.show import print_json, say


def models(
    config: Config = None, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """List what plans, by the names that --model takes; and what keeps one from being asked."""
    with connect(Target(config, url, key)) as client:
        found = client.things("/v1/models")
    if as_json:
        print_json([*found])
        return
    for row in found:
        what = f"{row['adapter']} {row['model']}" if row["model"] else "needs no model"
        default = "; plans what names none" if row["is_default"] else ""
        standing = "ready" if row["reason"] is None else f"absent: {row['reason']}"
        say(f"{row['name']:<16} {what:<32} {standing}{default}")
