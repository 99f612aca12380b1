"""The demonstration: three acts, what changed in the shop, and what to try next."""

import json
import shlex
import sys
import tempfile
import time
from pathlib import Path

from connectors.spec import JsonObject
from gateway.cli.problem import CliError
from gateway.cli.show import clean, command, divert, given, out, print_json, say, say_as_is
from gateway.demo.acts import ACT_ONE, ACT_THREE, ACT_TWO, PLATES, Act, act_one, act_three, act_two
from gateway.demo.claims import Claims
from gateway.demo.config import FILE
from gateway.demo.people import People
from gateway.demo.shop import Records
from gateway.demo.stage import KEYS, REQUESTER, Stage, stage

DRAFT = "draft.json"
OWN_WORDS = "The bowl in order 1045 is damaged, refund it."
_ACTS = ((ACT_ONE, act_one), (ACT_TWO, act_two), (ACT_THREE, act_three))


def tell(*, is_yes: bool, data: Path | None, as_json: bool) -> None:
    """Tell the whole story; `is_yes` answers and approves, and says so; raises `CliError`."""
    _check_somebody_answers(is_yes=is_yes, as_json=as_json)
    started = time.monotonic()
    folder = _new_folder(data)
    if as_json:
        divert()
    say("Starting a small shop (orders, two payment providers, mail) and a gateway over it ...")
    with stage(folder) as running:
        people = People(running, is_yes)
        before = running.shop.records()
        acts: list[Act] = []
        for title, act in _ACTS:
            _title(title)
            acts.append(act(people, Claims(folder)))
        after = running.shop.records()
        _keep_draft(acts, folder)
    _title("What changed in the shop, by its own records")
    _show_changes(before, after)
    commands = _commands(folder)
    seconds = round(time.monotonic() - started, 1)
    _title("Try next")
    for text, what in commands:
        say(f"{what}:")
        say_as_is(f"    {text}")
    say(f"\nThe demonstration took {seconds:.0f} s. All that it made is in {folder}")
    if as_json:
        told: JsonObject = {
            "acts": [each.as_json() for each in acts],
            "before": before.as_json(),
            "after": after.as_json(),
            "try_next": [text for text, _ in commands],
            "folder": str(folder),
            "seconds": seconds,
        }
        print_json(told)


def reopen(data: Path, *, as_json: bool) -> None:
    """Start shop and gateway on what an earlier demonstration left, until Ctrl-C."""
    folder = data.absolute()
    if not (folder / FILE).exists():
        fix = "Say the folder that `lamgate demo` named at its end."
        raise CliError("file-not-found", "no demonstration left anything here", str(folder), fix)
    with stage(folder, has_models=False) as running:
        if as_json:
            print_json({"ready": running.address, "folder": str(folder)})
        else:
            _show_open(running)
        try:
            while running.gateway.is_running:
                time.sleep(0.2)
        except KeyboardInterrupt:
            return
    raise CliError("demo-failed", "the gateway has ended", str(folder), "See gateway.log.")


def _check_somebody_answers(*, is_yes: bool, as_json: bool) -> None:
    if is_yes:
        return
    if as_json:
        raise CliError("bad-option", "--json leaves nobody to ask", fix="Say --yes as well.")
    if not sys.stdin.isatty():
        what = "nobody can answer here: standard input is no terminal"
        raise CliError("nobody-answers", what, fix="Say --yes, or make demo YES=1.")


def _new_folder(data: Path | None) -> Path:
    """Where everything is kept; one that holds something already would tell another story."""
    if data is None:
        return Path(tempfile.mkdtemp(prefix="lamgate-demo-"))
    folder = data.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        fix = "Say another one, or --open to start on what is there."
        raise CliError("folder-not-empty", "this folder holds something", str(folder), fix)
    return folder


def _title(text: str) -> None:
    out.print()
    out.rule(clean(text), align="left", style="bold")


def _show_changes(before: Records, after: Records) -> None:
    for sku, count in after.stock.items():
        if count != before.stock[sku]:
            say(f"  stock of {sku}: {before.stock[sku]} before, {count} now")
    for name, old, new in (
        ("refunds", before.refunds, after.refunds),
        ("notes", before.notes, after.notes),
        ("mails", before.mails, after.mails),
    ):
        say(f"  {name}: {len(old) or 'none'} before, {len(new)} now")
        for each in new[len(old) :]:
            say(f"      {each}")


def _keep_draft(acts: list[Act], folder: Path) -> None:
    """Leave the first draft of act two as a file, to be judged again without any model."""
    drafts = given(acts[1].planned.request, "drafts")
    first = drafts[0] if drafts else None
    text = str(first["text"]) if isinstance(first, dict) else "{}"
    try:
        document: JsonObject = {"request": PLATES, "plan": json.loads(text)}
    except ValueError:  # a live model wrote no JSON: that is what is wrong with it
        (folder / DRAFT).write_text(text, encoding="utf-8")
    else:
        (folder / DRAFT).write_text(json.dumps(document, indent=1), encoding="utf-8")


def _commands(folder: Path) -> list[tuple[str, str]]:
    """Three commands that work as they stand, in any shell, while nothing else is running."""
    config = ["--config", str(folder / FILE)]
    return [
        (
            command("admit", str(folder / DRAFT), *config),
            "Judge the first draft of act two once more: every reason, and no model",
        ),
        (
            command("plan", OWN_WORDS, *config),
            "Plan something in your own words; nothing runs",
        ),
        (
            command("demo", "--open", str(folder)),
            "Have shop and gateway running, to try the API, `lamgate run` and `lamgate trace`",
        ),
    ]


def _show_open(running: Stage) -> None:
    config = ["--config", str(running.data / FILE)]
    say_as_is(f"ready {running.address}  (the API's pages: {running.address}/docs)")
    say("Shop and gateway are running; Ctrl-C ends them. In another terminal:")
    for words in (["run", OWN_WORDS], ["runs"], ["trace", "RUN"], ["actions"]):
        say_as_is("    " + command(*words, *config))
    keys = running.data / KEYS
    say(f"The keys of requester-1 and approver-1 are in {keys}. For programs and curl:")
    read = f'import json; print(json.load(open({json.dumps(str(keys))}))["{REQUESTER}"])'
    key = shlex.join([sys.executable, "-c", read])
    say_as_is(f"    export LAMGATE_URL={running.address} LAMGATE_KEY=$({key})")
