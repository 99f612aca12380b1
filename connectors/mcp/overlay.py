"""The operator's words on a server: which tools, what each does to the world, how to sign in."""

from pydantic import BaseModel, ConfigDict, Field

from connectors.overlay import SourceOverlay


class HeaderCredential(BaseModel):
    """Which header the connection's secret travels in, and how it is written there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
    form: str = Field(default="Bearer {secret}", pattern=r"\{secret\}")


class McpOverlay(SourceOverlay):
    """The same as for any tools, and how the connection signs in."""

    credential: HeaderCredential | None = None
