"""What people write beside the operator's file, JSON or YAML, read as plain data or as a model.

The text may be a stranger's, so its size, its depth and YAML's aliases have bounds.
"""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from connectors.body import BodyError, read_json
from connectors.errors import ConfigurationError
from connectors.flaws import all_told
from connectors.yaml_text import YAMLError, read_yaml

MOST_DOCUMENT_BYTES = 32 * 1024 * 1024
_MOST_MEMBERS = 1_000_000  # of what an operator names; the largest in use have a quarter

_Model = TypeVar("_Model", bound=BaseModel)


def read_document(body: bytes, where: str) -> JsonValue:
    """Read JSON or YAML as plain data; raises `ConfigurationError`."""
    if len(body) > MOST_DOCUMENT_BYTES:
        raise ConfigurationError(f"{where}: larger than {MOST_DOCUMENT_BYTES} bytes")
    try:
        if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            return read_json(body, _MOST_MEMBERS)
        return read_yaml(body)
    except (BodyError, YAMLError, ValueError, RecursionError) as error:
        told = " ".join(str(error).split())[:300] or "it is nested too deeply"
        raise ConfigurationError(f"{where} is neither JSON nor YAML: {told}") from error


def read_overlay(path: Path, model: type[_Model]) -> _Model:
    """Read the operator's words on a source; an empty file says nothing. Raises the same."""
    try:
        found = read_document(path.read_bytes(), f"overlay {path}")
        return model.model_validate({} if found is None else found)
    except OSError as error:
        raise ConfigurationError(f"overlay {path}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigurationError(f"overlay {path}: {'; '.join(all_told(error))}") from error
