"""Which actions a model is shown: those whose words meet the request's, or all of a few."""

from itertools import islice

from connectors.spec import ActionSpec
from planner.request import PlanRequest
from planner.search import Search


def shortlist(request: PlanRequest, limit: int, search: Search) -> tuple[ActionSpec, ...]:
    """At most `limit` actions, best first; the order is stable."""
    if len(request.catalog) <= limit:
        return tuple(request.catalog)
    said = [request.text, *request.answers.values(), *request.inputs]
    found = search.best(request.catalog, said, limit)
    # Where the words say too little, the first ones of the catalogue fill the list.
    names = {each.name for each in found}
    rest = (each for each in islice(request.catalog, 2 * limit) if each.name not in names)
    return (*found, *rest)[:limit]
