"""The day of a request: an input that every plan has, fixed at admission and asked of no clock."""

from connectors.spec import JsonObject

DATE: JsonObject = {"type": "string", "format": "date"}


def with_today(schema: JsonObject) -> JsonObject:
    """The inputs' schema with `today`."""
    properties = schema.get("properties")
    own: JsonObject = properties if isinstance(properties, dict) else {}
    dated: JsonObject = {"today": DATE}
    required = schema.get("required")
    names = required if isinstance(required, list) else []
    return schema | {
        "type": "object",
        "properties": own | dated,
        "required": [*names, *([] if "today" in names else ["today"])],
    }
