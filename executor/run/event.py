"""What every event is: frozen, of a type and a version, and stored as JSON.

Answers and arguments may be large, and are JSON already: they are taken and stored as they are,
not looked through and copied each time that an event is made, written or read.
"""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, JsonValue, SkipValidation

from connectors.spec import JsonObject

AsItIs = Annotated[JsonValue, SkipValidation]
"""JSON that nobody else holds, or will change."""


class EventData(BaseModel):
    """The data of one event; `as_it_is` names the members that are `AsItIs`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    v: ClassVar[int] = 1
    type: str
    as_it_is: ClassVar[tuple[str, ...]] = ()

    def data(self) -> JsonObject:
        """What is stored beside type and version."""
        told = self.model_dump(mode="json", exclude={"type", *self.as_it_is})
        return told | {name: getattr(self, name) for name in self.as_it_is}
