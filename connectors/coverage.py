"""Which vendor offers what of each unified model, as the tables of `docs/connectors/unified.md`.

They are written from what the connectors read and promise: `python -m connectors.coverage`
prints them, a test holds the page against them.
"""

from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from connectors.builtin.caldav.fields import CALDAV
from connectors.builtin.payments.charges import MINOR, STRIPE
from connectors.builtin.payments.decimals import DECIMAL
from connectors.builtin.payments.paypal import PAYPAL
from connectors.builtin.roundup.fields import ROUNDUP
from connectors.builtin.scim.fields import SCIM
from connectors.builtin.sendgrid import SENDGRID
from connectors.builtin.slack import SLACK
from connectors.builtin.smtp import SMTP
from connectors.builtin.tryton.accounting_table import TRYTON_ACCOUNTING
from connectors.builtin.tryton.commerce_table import TRYTON_COMMERCE
from connectors.spec import JsonObject
from connectors.unified.model import Model
from connectors.unified.vendor import At, Vendor

VENDORS: tuple[Vendor, ...] = (
    STRIPE,
    PAYPAL,
    MINOR,
    DECIMAL,
    SMTP,
    SENDGRID,
    SLACK,
    ROUNDUP,
    SCIM,
    CALDAV,
    TRYTON_COMMERCE,
    TRYTON_ACCOUNTING,
)
"""Every vendor of a model that ships, model by model."""

_SECONDS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def tables(vendors: Sequence[Vendor] = VENDORS) -> str:
    """The tables of every model, in the order of their vendors."""
    models = {each.model.name: each.model for each in vendors}
    return "\n\n".join(
        "\n".join(_of_model(model, [each for each in vendors if each.model.name == name]))
        for name, model in models.items()
    )


def _of_model(model: Model, vendors: Sequence[Vendor]) -> Iterator[str]:
    yield f"### {model.name}"
    yield ""
    yield from _row("action", *(f"`{each.name}`" for each in vendors))
    yield from _row(*["---"] * (len(vendors) + 1))
    for operation in model.operations:
        offers = (_offer(vendor, operation) for vendor in vendors)
        yield from _row(f"`{operation}`", *offers)
    for record, fields in model.records.items():
        yield ""
        yield from _row(f"field of {record}", *(f"`{each.name}`" for each in vendors))
        yield from _row(*["---"] * (len(vendors) + 1))
        for name in (*fields, "version", "url", "created_at", "updated_at"):
            yield from _row(f"`{name}`", *(_place(each, record, name) for each in vendors))


def _row(*cells: str) -> Iterator[str]:
    yield "| " + " | ".join(cells) + " |"


def _offer(vendor: Vendor, operation: str) -> str:
    """What a vendor promises of an operation, or why it is not there."""
    said = vendor.promises.get(operation)
    if said is None:
        return _gap(vendor, operation)
    manifest = {**vendor.model.operations[operation], **said}
    told = [str(manifest.get("effect", "blind"))]
    window = _member(manifest, "idempotency", "window_s")
    if isinstance(window, int | float):
        told.append(f"key for {_span(window)}")
    settle = manifest.get("settle_s")
    if isinstance(settle, int | float) and settle:
        told.append(f"settled after {_span(settle)}")
    undo = _member(manifest, "undo", "action")
    if undo is not None:
        told.append(f"undone by `{undo}`")
    return ", ".join(told)


def _place(vendor: Vendor, record: str, name: str) -> str:
    """Where a vendor has a field, or why it has not."""
    place: At | None = vendor.fields.get(record, {}).get(name)
    if place is None:
        return _gap(vendor, f"{record}.{name}")
    return place.said or (f"`{place.path}`" if place.path else "made of several")


def _gap(vendor: Vendor, name: str) -> str:
    why = vendor.gaps.get(name)
    return f"none: {why}" if why else "none"


def _member(manifest: JsonObject, name: str, inner: str) -> JsonValue:
    found = manifest.get(name)
    return found.get(inner) if isinstance(found, dict) else None


def _span(seconds: float) -> str:
    size, unit = next((each for each in _SECONDS if seconds >= each[0]), _SECONDS[-1])
    return f"{seconds / size:g} {unit}"


if __name__ == "__main__":
    print(tables())
