"""What every answer is, and what something new is answered with."""

from pydantic import BaseModel, ConfigDict

from connectors.spec import JsonObject


class Told(BaseModel):
    """One answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def as_json(self) -> JsonObject:
        """The same as JSON."""
        return self.model_dump(mode="json")


class Made(Told):
    """Something new, or asked for, by its id."""

    id: str
