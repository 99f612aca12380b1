"""The tools of one connection: what was accepted of them is on offer, and nothing else.

Whoever writes plans sees accepted definitions only, so a word that a source changes reaches no
model. Whoever asks the source hands in what it lists; here is what follows from it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from connectors.errors import Kind, Refused, Unreachable
from connectors.source import Pin, Pins, Review, Skipped, Stale
from connectors.spec import ActionSpec, JsonObject
from connectors.tools.offer import (
    Offer,
    Offers,
    Terms,
    collisions,
    longest_operation,
    offers,
    operation_names,
    proposal,
    unknown_operations,
)
from connectors.tools.review import Compared, Definitions, compare, shown

_HELD = "it waits for a review: `lamgate connections review {}`"


class Toolbox:
    """What a source lists, held to its pin; `changed` is told where that is not what it was."""

    def __init__(
        self, terms: Terms, pins: Pins | None = None, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._terms = terms
        self._pins = pins
        self._changed = changed
        self._pin: Pin | None = None
        self._compared: Compared | None = None
        self._offers: Offers | None = None
        self.stale: Stale | None = None

    @property
    def is_asked(self) -> bool:
        """Whether it is known what to offer."""
        return self._offers is not None

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What cannot be offered, and what waits for a review."""
        unfit = self._offers.skipped if self._offers else ()
        waits = _HELD.format(self._terms.connection)
        held = tuple(
            Skipped(each.tool, f"{each.kind}: {each.notes[0] if each.kind == 'unfit' else waits}")
            for each in (self._compared.changes if self._compared else ())
            if each.kind != "gone"
        )
        return (*unfit, *held)

    def review(self, reached_by: tuple[str, ...]) -> Review | None:
        """What the source lists beside what was accepted; None where it was never heard."""
        if self._compared is None:
            return None
        found = self._compared
        return Review(
            digest=found.digest,
            changes=found.changes,
            definitions=found.found,
            reached_by=reached_by,
            notes=tuple(_notes(found.found, self._terms)),
        )

    def specs(self) -> tuple[ActionSpec, ...]:
        """The actions on offer."""
        return tuple(each.spec for each in self._offers.by_name.values()) if self._offers else ()

    def offer_of(self, action: ActionSpec) -> Offer:
        """What is on offer as this action now; raises `Refused`."""
        offer = self._offers.by_name.get(action.name) if self._offers else None
        if offer is None:
            told = f"{action.name} is not on offer: its tool is gone, or {_HELD}"
            raise Refused(told.format(self._terms.connection), kind=Kind.CONFLICT)
        if offer.spec.digest != action.digest:
            told = f"{action.name} is not what it was when the plan was accepted"
            raise Refused(told, kind=Kind.CONFLICT)
        return offer

    async def read_pin(self) -> bool:
        """Learn what was accepted last; True where that is not what it was."""
        before, self._pin = self._pin, None
        if self._pins is not None:
            self._pin = await self._pins(self._terms.connection)
        return self._pin != before

    def listed(self, definitions: Sequence[JsonObject]) -> None:
        """Take what the source lists now, and offer what of it was accepted."""
        compared = compare(self._pin.definitions if self._pin else {}, definitions)
        if self._compared is None or compared != self._compared:
            self._compared = compared
            self._offers = self._made(compared.offered)
            self._changed()
        elif self._offers is None or self.stale is not None:
            self._offers = self._made(compared.offered)

    def heard(self) -> None:
        """Note that the source answers."""
        self.stale = None

    def unheard(self, reason: str, fits: Callable[[JsonObject], bool] = lambda _: True) -> None:
        """Go on offering what was accepted and still fits; raises `Unreachable` without any."""
        if self._pin is None:
            raise Unreachable(reason)
        self.stale = Stale(self._pin.at, reason)
        kept = {name: each for name, each in self._pin.definitions.items() if fits(each)}
        self._offers = self._made(kept)

    def _made(self, definitions: Definitions) -> Offers:
        return offers(definitions, self._terms)


def _notes(definitions: Mapping[str, JsonObject], terms: Terms) -> Iterator[str]:
    """What concerns several tools, and what each proposes of itself."""
    names = set(operation_names(definitions, longest_operation(terms.connection)).values())
    for unknown in unknown_operations(names, terms.overlay):
        known = ", ".join(sorted(names))
        yield f"the overlay speaks of {unknown}, which is none of: {known}"
    for same in collisions(definitions):
        yield f"these differ only in what a name cannot say: {', '.join(map(shown, same))}"
    for name, each in definitions.items():
        if said := proposal(each):
            told = ", ".join(f"{key}: {value}" for key, value in said.items())
            yield f"{shown(name)} says of itself: {told}"
