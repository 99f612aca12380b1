"""Composio's connectors meet what every connector promises, whichever interface they ask."""

from pathlib import Path

import pytest
from composio_world import PYTHON, Project, all_of, connector_of, settings_of
from connector_cases import NO_TLS
from reviewed import Pins

from connectors.connector import Connector
from connectors.http import Transport
from connectors.testing import Example, HttpConformance, Service


class OverComposio(HttpConformance):
    """What both suites share."""

    kind = "composio"
    connection = "desk"

    @pytest.fixture(autouse=True)
    def _overlay(self, tmp_path: Path) -> None:
        text = "version: 1\nactions: {notes_find: {effect: read}, notes_time: {effect: read}}\n"
        (tmp_path / "overlay.yaml").write_text(text, "utf-8")
        self.folder = tmp_path

    def service(self) -> Service:
        self.project = Project()
        return self.project.service()

    def connector(self) -> Connector:
        self._ways.append(Transport(frozenset({self.served.host}), tls=NO_TLS))
        more = {"accounts": {"notes": "ca_1"}, "overlay": "overlay.yaml"}
        settings = settings_of(self.kind, self.served.url, self.folder, **more)
        self.project.key = self._canary
        pins = Pins(all_of(self.project, self.kind))
        self.built = connector_of(settings, self._ways[-1], pins, self._canary)
        return self.built

    async def close(self) -> None:
        await self.built.aclose()  # type: ignore[attr-defined]
        await super().close()

    def example(self) -> Example:
        async def effects() -> int:
            return len(self.project.notes)

        return Example(
            read=("desk.notes_find", {"text": "hello"}),
            keyed=("desk.notes_add", {"text": "hello"}),  # any write: none takes a key
            refused=("desk.notes_refuse", {"text": "hello"}),
            effects=effects,
        )


class TestCurrent(OverComposio):
    """Over v3.1."""


@pytest.mark.skipif(not PYTHON, reason="LAMGATE_COMPOSIO_PYTHON names no interpreter")
class TestCore(OverComposio):
    """Over the package composio-core."""

    kind = "composio-core"
