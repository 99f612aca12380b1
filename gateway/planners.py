"""From `[models.NAME]` to planners, and to what reads texts in a run."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.credentials import Vault
from connectors.errors import ConfigurationError, NotSet
from connectors.spec import JsonObject
from executor.check.expand import Playbooks
from gateway.hiding import HiddenFromModel
from gateway.settings import EMBEDDED, ModelEntry, Settings
from planner.embedded import EmbeddedPlanner
from planner.extract import Extractor
from planner.models.base import Completion, Message, Model, ModelKeyless, ModelUnavailable
from planner.models.build import ModelSettings, build_model
from planner.propose import ModelPlanner
from planner.request import Planner
from planner.search import Search

_log = logging.getLogger("lamgate.models")


@dataclass(frozen=True)
class Keyless:
    """A model whose key is not there: it keeps nobody from what needs no model."""

    name: str
    reason: str

    async def complete(
        self, messages: Sequence[Message], *, schema: JsonObject | None, deadline_s: float
    ) -> Completion:
        """Say what is missing."""
        raise ModelKeyless(self.reason)


def models_of(settings: Settings, vault: Vault) -> dict[str, Model]:
    """Each model that is set, told no secret of the gateway's; raises `ConfigurationError`."""
    models: dict[str, Model] = {}
    for name, entry in settings.models.items():
        try:
            models[name] = HiddenFromModel(_model(name, entry, vault), vault.redactor)
        except NotSet as error:
            reason = str(error)
            models[name] = Keyless(name, reason)
            _log.warning("%s; nobody can ask it before the gateway is started with it", reason)
    return models


def lacking(models: Mapping[str, Model]) -> dict[str, str | None]:
    """All that plans, by name, with what keeps it from being asked, if anything does."""
    found = {
        name: each.reason if isinstance(each, Keyless) else None for name, each in models.items()
    }
    return {EMBEDDED: None, **found}


def planners_of(
    settings: Settings, playbooks: Playbooks, models: Mapping[str, Model], search: Search
) -> dict[str, Planner]:
    """The embedded planner, and one for each model that is set."""
    planners: dict[str, Planner] = {EMBEDDED: EmbeddedPlanner(tuple(playbooks.values()))}
    for name, each in settings.models.items():
        planners[name] = ModelPlanner(
            models[name],
            search=search,
            deadline_s=each.timeout_s,
            most_tokens=settings.budgets.planning_tokens,
        )
    return planners


def _model(name: str, entry: ModelEntry, vault: Vault) -> Model:
    return build_model(
        ModelSettings(
            name=name,
            adapter=entry.adapter,
            model=entry.model,
            base_url=entry.base_url,
            api_key=_key(name, entry.api_key, vault),
            structured=entry.structured,
            timeout_s=entry.timeout_s,
            chat_model=entry.chat_model,
            options=entry.options,
        )
    )


def _key(name: str, reference: str | None, vault: Vault) -> str | None:
    try:
        return vault.secret_of(reference) if reference else None
    except ConfigurationError as error:
        raise type(error)(f"models.{name}.api_key: {error}") from error


def extractor_of(settings: Settings, models: Mapping[str, Model]) -> Extractor | None:
    """What reads texts in a run, if the operator has turned it on."""
    name = settings.extract.model
    if name is None:
        return None
    return Extractor(models[name], settings.models[name].timeout_s, settings.extract.tokens)


def planner_of(planners: dict[str, Planner], name: str) -> Planner:
    """The planner of a name; one that was taken out of the settings is unavailable, not a crash."""
    if name not in planners:
        known = ", ".join(sorted(planners))
        raise ModelUnavailable(f"there is no model {name} any more; there are: {known}")
    return planners[name]
