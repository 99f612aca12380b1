"""What is secret of a credential: sealed for one row, and hidden from the moment it is opened."""

import json
from dataclasses import dataclass, field

from connectors.redact import Redactor
from executor.store.credentials import CredentialRow
from gateway.cipher import KeyRing


@dataclass(frozen=True)
class Material:
    """What is secret of a credential."""

    secret: str | None = None  # the key, the password, or our secret at an authorisation server
    access: str | None = None
    refresh: str | None = None

    def text(self) -> str:
        """As it is sealed."""
        return json.dumps({name: value for name, value in vars(self).items() if value is not None})


@dataclass(frozen=True)
class Seals:
    """Seals and opens what is secret; whatever passes here is hidden wherever it comes up."""

    ring: KeyRing
    redactor: Redactor = field(repr=False)

    def open(self, row: CredentialRow) -> Material:
        """Open a row, and hide what was in it from now on; raises `CannotOpenError`."""
        found = Material(**json.loads(self.ring.open(row.sealed, row.tenant, row.id)))
        self._learn(row.tenant, row.id, found)
        return found

    def seal(self, tenant: str, name: str, material: Material) -> str:
        """Seal for one row."""
        self._learn(tenant, name, material)
        return self.ring.seal(material.text(), tenant, name)

    def _learn(self, tenant: str, name: str, material: Material) -> None:
        """Hide these wherever they come up."""
        for member, each in vars(material).items():
            if each is not None:
                self.redactor.learn(each, f"{tenant}/{name}/{member}")
