"""Accepted plans, as they were sealed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, Row, bindparam, select, tuple_, update

from connectors.spec import JsonObject
from executor.store.hiding import cleaned
from executor.store.statement import Query, addition
from executor.store.tables import plans
from executor.store.text import to_object, to_text

_GET = select(plans).where(plans.c.tenant == bindparam("tenant"), plans.c.id == bindparam("id"))
_ADD = addition(plans)
_PAGE = (
    select(plans.c.tenant, plans.c.id, plans.c.accepted)
    .where(tuple_(plans.c.tenant, plans.c.id) > tuple_(bindparam("tenant"), bindparam("id")))
    .order_by(plans.c.tenant, plans.c.id)
    .limit(20)  # each may be as large as a plan gets
)
_SEALED = Query(_GET.with_only_columns(plans.c.accepted), str)


@dataclass(frozen=True)
class PlanRow:
    """One accepted plan; `accepted` is what `executor.check.admit.restore` takes."""

    tenant: str
    id: str
    digest: str
    principal: str
    request: str | None
    accepted: JsonObject
    created_at: float


def add(c: Connection, row: PlanRow) -> bool:
    """Keep an accepted plan; False where a secret was taken out of it, which breaks its seal."""
    words = str(row.accepted.get("request", ""))
    values = vars(row) | {"words": words, "accepted": to_text(row.accepted)}
    _ADD.once(c, values)
    return cleaned(c, values) is values


def get(c: Connection, tenant: str, plan: str) -> PlanRow | None:
    """One plan of a tenant."""
    row = c.execute(_GET, {"tenant": tenant, "id": plan}).one_or_none()
    return None if row is None else _row(row)


def sealed(c: Connection, tenant: str, plan: str) -> str | None:
    """The text of one plan as it was sealed."""
    return _SEALED.one(c, {"tenant": tenant, "id": plan})


def reseal(
    c: Connection, anew: Callable[[JsonObject], JsonObject | None]
) -> tuple[int, tuple[str, ...]]:
    """Have every plan be what `anew` gives for it; how many, and the ids of the others."""
    count, left = 0, list[str]()
    place = ("", "")
    while page := c.execute(_PAGE, {"tenant": place[0], "id": place[1]}).all():
        place = (page[-1].tenant, page[-1].id)
        for row in page:
            fresh = anew(to_object(row.accepted))
            if fresh is None:
                left.append(row.id)
                continue
            which = (plans.c.tenant == row.tenant, plans.c.id == row.id)
            c.execute(update(plans).where(*which).values(accepted=to_text(fresh)))
            count += 1
    return count, tuple(left)


def words_of(c: Connection, tenant: str, ids: Iterable[str]) -> dict[str, str]:
    """What was asked for in words, by the plans' ids; those that came without are left out."""
    asked = select(plans.c.id, plans.c.words).where(
        plans.c.tenant == tenant, plans.c.id.in_([*ids]), plans.c.words != ""
    )
    return {row.id: row.words for row in c.execute(asked)}


def _row(row: Row[tuple[object, ...]]) -> PlanRow:
    return PlanRow(
        row.tenant,
        row.id,
        row.digest,
        row.principal,
        row.request,
        to_object(row.accepted),
        row.created_at,
    )
