"""What the API answers, held against its own document."""

import json
import re
from functools import cached_property
from typing import Any

import httpx2
import jsonschema_rs

Validator = jsonschema_rs.Draft202012Validator


class Published:
    """The document, and what it promises of each call."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._validators: dict[tuple[str, str, int], Validator] = {}

    async def check(self, answer: httpx2.Response) -> None:
        """Fail if an answer in JSON is not what the document promises of it."""
        if answer.headers.get("content-type") != "application/json":
            return
        await answer.aread()
        method, path = answer.request.method, answer.request.url.path
        template = next((name for name, each in self._paths if each.fullmatch(path)), None)
        if template is None:
            return  # the document itself
        flaws = [
            f"{'/'.join(map(str, flaw.instance_path))}: {flaw.message[:200]}"
            for flaw in self._validator(template, method.lower(), answer.status_code).iter_errors(
                json.loads(answer.content)
            )
        ]
        assert flaws == [], f"{method} {path}: {flaws}"

    @cached_property
    def _paths(self) -> list[tuple[str, re.Pattern[str]]]:
        """Those without parameters first, as they are routed."""
        templates = sorted(self._document["paths"], key=lambda path: path.count("{"))
        return [(each, re.compile(re.sub(r"\{\w+\}", "[^/]+", each))) for each in templates]

    def _validator(self, template: str, method: str, status: int) -> Validator:
        place = (template, method, status)
        if place not in self._validators:
            told = self._document["paths"][template][method]["responses"].get(str(status))
            assert told is not None, f"{method} {template}: {status} is not published"
            schema = told["content"]["application/json"]["schema"]
            whole = {**schema, "components": self._document["components"]}
            self._validators[place] = Validator(whole, offline=True)
        return self._validators[place]
