"""From `[models.NAME]` to planners, and to what reads texts in a run."""

from connectors.credentials import Vault
from connectors.errors import ConfigurationError
from executor.check.expand import Playbooks
from gateway.hiding import HiddenFromModel
from gateway.settings import EMBEDDED, ModelEntry, Settings
from planner.embedded import EmbeddedPlanner
from planner.extract import Extractor
from planner.models.base import Model, ModelUnavailable
from planner.models.build import ModelSettings, build_model
from planner.propose import ModelPlanner
from planner.request import Planner
from planner.search import Search


def planners_of(
    settings: Settings, playbooks: Playbooks, vault: Vault, search: Search
) -> dict[str, Planner]:
    """The embedded planner, and one for each model that is set."""
    planners: dict[str, Planner] = {EMBEDDED: EmbeddedPlanner(tuple(playbooks.values()))}
    for name, each in settings.models.items():
        planners[name] = ModelPlanner(
            _model(name, each, vault),
            search=search,
            deadline_s=each.timeout_s,
            most_tokens=settings.budgets.planning_tokens,
        )
    return planners


def _model(name: str, entry: ModelEntry, vault: Vault) -> Model:
    """A model that is told no secret of the gateway's."""
    model = build_model(
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
    return HiddenFromModel(model, vault.redactor)


def _key(name: str, reference: str | None, vault: Vault) -> str | None:
    try:
        return vault.secret_of(reference) if reference else None
    except ConfigurationError as error:
        raise ConfigurationError(f"models.{name}.api_key: {error}") from error


def extractor_of(settings: Settings, vault: Vault) -> Extractor | None:
    """What reads texts in a run, if the operator has turned it on."""
    name = settings.extract.model
    if name is None:
        return None
    entry = settings.models[name]
    return Extractor(_model(name, entry, vault), entry.timeout_s, settings.extract.tokens)


def planner_of(planners: dict[str, Planner], name: str) -> Planner:
    """The planner of a name; one that was taken out of the settings is unavailable, not a crash."""
    if name not in planners:
        known = ", ".join(sorted(planners))
        raise ModelUnavailable(f"there is no model {name} any more; there are: {known}")
    return planners[name]
