"""The write tools of tau2's retail and airline: what each leaves in a database, and answers.

Each record that changes is replaced, so that the database that was read in stays as it is. Only
what a later read shows is kept: money is not moved.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from benchmarks.admission.tau2_reads import answer
from connectors.spec import JsonObject
from executor.plan.types import as_list, as_object

NOW = "2024-05-15T15:00:00"
_NEW_IDS = ("HATHAT", "HATHAU", "HATHAV")
_ADDRESS = ("address1", "address2", "city", "state", "country", "zip")


@dataclass
class World:
    """A database under one run's writes."""

    tables: dict[str, JsonObject]
    booked: int = field(default=0)

    @classmethod
    def of(cls, database: JsonObject) -> "World":
        """A copy that shares every record which nobody writes."""
        return cls({name: dict(as_object(table)) for name, table in database.items()})

    @property
    def database(self) -> JsonObject:
        """What reads are answered from."""
        return {**self.tables}

    def answer(self, tool: str, arguments: JsonObject) -> JsonValue:
        """Answer a read or make a change; `LookupError` where the tool would not find it."""
        if is_written(tool):
            return _WRITES[tool](self, arguments)
        return answer(tool, self.database, arguments)

    def change(self, table: str, key: str, **members: JsonValue) -> JsonObject:
        """Replace some members of one record."""
        found = as_object(self.tables[table][key]) | members
        self.tables[table][key] = found
        return found

    def record(self, table: str, key: str) -> JsonObject:
        """One record."""
        return as_object(self.tables[table][key])


Write = Callable[[World, JsonObject], JsonValue]


def is_written(tool: str) -> bool:
    """Whether this file knows the tool."""
    return tool in _WRITES


def _order(status: str | None) -> Write:
    def write(world: World, given: JsonObject) -> JsonValue:
        more: JsonObject = {} if status is None else {"status": status}
        return world.change("orders", str(given["order_id"]), **more)

    return write


def _address(given: JsonObject) -> JsonObject:
    return {name: given[name] for name in _ADDRESS}


def _order_address(world: World, given: JsonObject) -> JsonValue:
    return world.change("orders", str(given["order_id"]), address=_address(given))


def _user_address(world: World, given: JsonObject) -> JsonValue:
    return world.change("users", str(given["user_id"]), address=_address(given))


def _order_items(world: World, given: JsonObject) -> JsonValue:
    order = world.record("orders", str(given["order_id"]))
    items = [as_object(each) for each in as_list(order["items"])]
    for old, new in zip(as_list(given["item_ids"]), as_list(given["new_item_ids"]), strict=True):
        place = next(at for at, each in enumerate(items) if each["item_id"] == old)
        product = world.record("products", str(items[place]["product_id"]))
        variant = as_object(as_object(product["variants"])[str(new)])
        taken = {name: variant[name] for name in ("item_id", "price", "options")}
        items[place] = items[place] | taken
    changed: list[JsonValue] = [*items]
    return world.change(
        "orders", str(order["order_id"]), items=changed, status="pending (item modified)"
    )


def _order_payment(world: World, given: JsonObject) -> JsonValue:
    order = world.record("orders", str(given["order_id"]))
    history = as_list(order["payment_history"])
    paid = as_object(history[0]) | {"payment_method_id": given["payment_method_id"]}
    return world.change("orders", str(order["order_id"]), payment_history=[*history, paid])


def _cancel_reservation(world: World, given: JsonObject) -> JsonValue:
    return world.change("reservations", str(given["reservation_id"]), status="cancelled")


def _flights(world: World, cabin: str, given: Sequence[JsonValue]) -> list[JsonValue]:
    found: list[JsonValue] = []
    for each in map(as_object, given):
        flight = world.record("flights", str(each["flight_number"]))
        day = as_object(as_object(flight["dates"]).get(str(each["date"])))
        price = as_object(day.get("prices")).get(cabin, 0)
        route = {name: flight[name] for name in ("origin", "destination")}
        named = {name: each[name] for name in ("flight_number", "date")}
        found.append({**named, **route, "price": price})
    return found


def _update_flights(world: World, given: JsonObject) -> JsonValue:
    cabin = str(given["cabin"])
    flights = _flights(world, cabin, as_list(given["flights"]))
    key = str(given["reservation_id"])
    return world.change("reservations", key, cabin=cabin, flights=flights)


def _update(*names: str) -> Write:
    def write(world: World, given: JsonObject) -> JsonValue:
        members = {name: given[name] for name in names}
        return world.change("reservations", str(given["reservation_id"]), **members)

    return write


def _book(world: World, given: JsonObject) -> JsonValue:
    key = _NEW_IDS[world.booked]
    world.booked += 1
    names = (
        "user_id", "origin", "destination", "flight_type", "cabin", "passengers", "total_baggages",
        "nonfree_baggages", "insurance",
    )  # fmt: skip
    booked: JsonObject = {"reservation_id": key, **{name: given[name] for name in names}}
    booked |= {
        "flights": _flights(world, str(given["cabin"]), as_list(given["flights"])),
        "payment_history": given["payment_methods"],
        "created_at": NOW,
    }
    world.tables["reservations"][key] = booked
    user = world.record("users", str(given["user_id"]))
    listed = [*as_list(user["reservations"]), key]
    world.change("users", str(given["user_id"]), reservations=listed)
    return booked


def _certificate(world: World, given: JsonObject) -> JsonValue:
    world.record("users", str(given["user_id"]))
    return f"Certificate of {given['amount']} sent to {given['user_id']}."


_WRITES: dict[str, Write] = {
    "cancel_pending_order": _order("cancelled"),
    "modify_pending_order_address": _order_address,
    "modify_pending_order_items": _order_items,
    "modify_pending_order_payment": _order_payment,
    "return_delivered_order_items": _order("return requested"),
    "exchange_delivered_order_items": _order("exchange requested"),
    "modify_user_address": _user_address,
    "cancel_reservation": _cancel_reservation,
    "update_reservation_flights": _update_flights,
    "update_reservation_baggages": _update("total_baggages", "nonfree_baggages"),
    "update_reservation_passengers": _update("passengers"),
    "book_reservation": _book,
    "send_certificate": _certificate,
}
