"""The read tools of tau2's retail and airline, answered from the sets' databases."""

import ast
import operator
from collections.abc import Callable

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.plan.types import as_list, as_object

Read = Callable[[JsonObject, JsonObject], JsonValue]
_SIGNS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def answer(tool: str, database: JsonObject, arguments: JsonObject) -> JsonValue:
    """What a read gives; raises `LookupError` where the tool would refuse."""
    if tool not in _READS:
        raise LookupError(f"{tool} is not replayed")
    return _READS[tool](database, arguments)


def is_replayed(tool: str) -> bool:
    """Whether this file knows the tool."""
    return tool in _READS


def _by_id(table: str, name: str) -> Read:
    def read(database: JsonObject, arguments: JsonObject) -> JsonValue:
        return as_object(database[table])[str(arguments[name])]

    return read


def _user_by_email(database: JsonObject, arguments: JsonObject) -> JsonValue:
    wanted = str(arguments["email"]).lower()
    return _user(database, lambda user: str(user["email"]).lower() == wanted)


def _user_by_name(database: JsonObject, arguments: JsonObject) -> JsonValue:
    wanted = [str(arguments[each]).lower() for each in ("first_name", "last_name")]

    def is_meant(user: JsonObject) -> bool:
        name = as_object(user["name"])
        same = [str(name[each]).lower() for each in ("first_name", "last_name")] == wanted
        return same and as_object(user["address"])["zip"] == arguments["zip"]

    return _user(database, is_meant)


def _user(database: JsonObject, is_meant: Callable[[JsonObject], bool]) -> JsonValue:
    users = as_object(database["users"])
    found = next((key for key, user in users.items() if is_meant(as_object(user))), None)
    if found is None:
        raise LookupError("no such user")
    return found


def _item(database: JsonObject, arguments: JsonObject) -> JsonValue:
    for product in as_object(database["products"]).values():
        variants = as_object(as_object(product)["variants"])
        if str(arguments["item_id"]) in variants:
            return variants[str(arguments["item_id"])]
    raise LookupError("no such item")


def _product_types(database: JsonObject, _: JsonObject) -> JsonValue:
    products = [as_object(each) for each in as_object(database["products"]).values()]
    return {str(each["name"]): each["product_id"] for each in products}


def _direct_flights(database: JsonObject, arguments: JsonObject) -> JsonValue:
    return [*_flights(database, arguments["origin"], arguments["destination"], arguments["date"])]


def _flights(
    database: JsonObject, origin: JsonValue, destination: JsonValue, date: JsonValue
) -> list[JsonObject]:
    found: list[JsonObject] = []
    for each in map(as_object, as_object(database["flights"]).values()):
        day = as_object(as_object(each["dates"]).get(str(date)))
        is_meant = each["origin"] == origin and destination in (None, each["destination"])
        if is_meant and day.get("status") == "available":
            kept = {name: value for name, value in each.items() if name != "dates"}
            found.append(kept | day)
    return found


def _onestop_flights(database: JsonObject, arguments: JsonObject) -> JsonValue:
    found: list[JsonValue] = []
    date = arguments["date"]
    for first in _flights(database, arguments["origin"], None, date):
        landed = str(first["scheduled_arrival_time_est"])
        on = f"{str(date)[:-2]}{int(str(date)[-2:]) + 1:02}" if "+1" in landed else date
        for second in _flights(database, first["destination"], arguments["destination"], on):
            if landed <= str(second["scheduled_departure_time_est"]):
                found.append([first | {"date": date}, second | {"date": on}])
    return found


def _flight_status(database: JsonObject, arguments: JsonObject) -> JsonValue:
    flight = as_object(as_object(database["flights"])[str(arguments["flight_number"])])
    return as_object(as_object(flight["dates"])[str(arguments["date"])])["status"]


def _calculate(_: JsonObject, arguments: JsonObject) -> JsonValue:
    return str(round(_number(ast.parse(str(arguments["expression"]), mode="eval").body), 2))


def _number(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _SIGNS:
            return _SIGNS[type(sign)](_number(left), _number(right))
        case _:
            raise LookupError("no arithmetic")


_READS: dict[str, Read] = {
    "find_user_id_by_email": _user_by_email,
    "find_user_id_by_name_zip": _user_by_name,
    "get_user_details": _by_id("users", "user_id"),
    "get_order_details": _by_id("orders", "order_id"),
    "get_product_details": _by_id("products", "product_id"),
    "get_item_details": _item,
    "list_all_product_types": _product_types,
    "get_reservation_details": _by_id("reservations", "reservation_id"),
    "search_direct_flight": _direct_flights,
    "search_onestop_flight": _onestop_flights,
    "get_flight_status": _flight_status,
    "calculate": _calculate,
}


def samples(tool: str, database: JsonObject) -> list[JsonValue]:
    """Results of a read over the whole database: what an operator would look at."""
    table = {
        "get_user_details": "users",
        "get_order_details": "orders",
        "get_product_details": "products",
        "get_reservation_details": "reservations",
    }.get(tool)
    if table is not None:
        return [*as_object(database[table]).values()]
    match tool:
        case "get_item_details":
            products = [as_object(each) for each in as_object(database["products"]).values()]
            return [item for each in products for item in as_object(each["variants"]).values()]
        case "list_all_product_types":
            return [_product_types(database, {})]
        case "search_direct_flight" | "search_onestop_flight":
            return _some_flights(tool, database)
        case "calculate" | "get_flight_status":
            return ["1.0"]
        case _:
            return [*as_object(database["users"])] if tool.startswith("find_user") else []


def _some_flights(tool: str, database: JsonObject) -> list[JsonValue]:
    flights = [as_object(each) for each in as_object(database["flights"]).values()]
    days = sorted({day for each in flights for day in as_object(each["dates"])})[-3:]
    routes = sorted({(str(each["origin"]), str(each["destination"])) for each in flights})
    if tool == "search_onestop_flight":
        routes, days = routes[:20], days[:1]
    found = [
        _READS[tool](database, {"origin": origin, "destination": destination, "date": day})
        for origin, destination in routes
        for day in days
    ]
    return [each for each in found if as_list(each)]
