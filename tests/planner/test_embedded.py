"""Planning without a model: matching, reading, asking, refusing."""

import asyncio

import pytest
from planner_cases import Drafts, a_check, a_plan, a_request
from pydantic import JsonValue

from connectors.spec import Integrity, JsonObject
from executor.check.admit import Accepted, Questions, Rejected
from executor.check.playbook import Playbook, read_playbook
from planner.embedded import EmbeddedPlanner
from planner.request import Proposal
from planner.utterances import matches

ORDER: JsonObject = {"type": "string", "pattern": "^[0-9]{4}$", "x-ask": "Which order?"}
PIECE: JsonObject = {"enum": ["vase", "plate set"]}
REMEDY: JsonObject = {"enum": ["refund", "replacement"], "x-ask": "Refund or replacement?"}


def a_playbook(
    name: str, *utterances: str, inputs: JsonObject | None = None, plan: JsonValue = None
) -> Playbook:
    content: JsonObject = {
        "name": name,
        "version": 3,
        "description": f"does {name}",
        "utterances": [*utterances],
        "inputs": inputs or {},
        "plan": plan or a_plan(),
    }
    return read_playbook(content, f"{name}.yaml")


DAMAGED = a_playbook(
    "damaged_item",
    "a {piece} from order {order} arrived broken",
    "the {piece} in order {order} is damaged",
    inputs={"order": ORDER, "piece": PIECE, "remedy": REMEDY},
)
STATUS = a_playbook(
    "order_status",
    "where is order {order}",
    "what is the status of order {order}",
    inputs={"order": ORDER},
)
MOVE = a_playbook(
    "move_stock",
    "move {quantity} pieces from shelf {source} to shelf {target} because {reason}",
    inputs={
        "quantity": {"type": "integer", "minimum": 1},
        "source": {"type": "integer"},
        "target": {"type": "integer"},
        "reason": {"type": "string"},
    },
)
ALL = (DAMAGED, STATUS, MOVE)


def propose(
    text: str, playbooks: tuple[Playbook, ...] = ALL, **more: JsonObject
) -> tuple[Proposal, Drafts]:
    request, told = a_request(text, **more), Drafts()
    planner = EmbeddedPlanner(playbooks)
    return asyncio.run(planner.propose(request, a_check(request), told.note)), told


def asked(proposal: Proposal) -> dict[str, tuple[str, ...]]:
    assert isinstance(proposal.verdict, Questions), proposal.verdict
    return {each.about: each.options for each in proposal.verdict.questions}


def values(proposal: Proposal) -> JsonObject:
    assert isinstance(proposal.verdict, Accepted), proposal.verdict
    return {key: each for key, each in proposal.verdict.inputs.values.items() if key != "today"}


def test_an_ambiguous_request_becomes_one_question_and_its_answer_a_plan() -> None:
    words = "A vase from order 1042 arrived broken. Please make it right."
    first, _ = propose(words)
    second, told = propose(words, answers={"remedy": "the refund, please"})

    assert asked(first) == {"remedy": ("refund", "replacement")}
    assert values(second) == {"order": "1042", "piece": "vase", "remedy": "refund"}
    assert [each.text for each in told] == ["playbook damaged_item, version 3"]


def test_everything_that_is_missing_is_asked_at_once() -> None:
    proposal, _ = propose("Something in an order is damaged")

    assert asked(proposal) == {
        "order": (),
        "piece": ("vase", "plate set"),
        "remedy": ("refund", "replacement"),
    }


def test_two_candidates_are_the_options_of_the_question() -> None:
    proposal, _ = propose("The vase in order 1042 or 1043 is damaged, refund it")

    assert asked(proposal) == {"order": ("1042", "1043")}


def test_the_words_of_an_answer_count_for_the_other_inputs_too() -> None:
    proposal, _ = propose(
        "Something in an order is damaged",
        answers={"order": "1042, it is the vase and they want a refund"},
    )

    assert values(proposal) == {"order": "1042", "piece": "vase", "remedy": "refund"}


def test_an_answer_that_is_not_understood_is_asked_again_and_says_so() -> None:
    proposal, _ = propose(
        "A vase from order 1042 arrived broken, refund it", answers={"order": "the blue one"}
    )
    assert isinstance(proposal.verdict, Questions)
    question = proposal.verdict.questions[0]

    assert question.about == "order"
    assert question.ask == "'the blue one' was not understood. Which order?"


def test_places_of_an_utterance_tell_two_inputs_of_one_type_apart() -> None:
    proposal, _ = propose("Please move 3 pieces from shelf 12 to shelf 14 because it is full.")

    assert values(proposal) == {"quantity": 3, "source": 12, "target": 14, "reason": "it is full"}


def test_a_number_that_is_an_order_is_no_quantity() -> None:
    write_off = a_playbook(
        "write_off",
        "write off damaged pieces",
        inputs={"order": ORDER, "quantity": {"type": "integer"}},
    )
    proposal, _ = propose("Write off 2 damaged pieces of order 1042", (write_off,))

    assert values(proposal) == {"order": "1042", "quantity": 2}


@pytest.mark.parametrize(
    "words", ["Cancel order 1042", "Book a flight", "", "order", "Is the shop open today?"]
)
def test_what_no_playbook_does_is_refused_with_what_can_be_done(words: str) -> None:
    proposal, told = propose(words)

    assert isinstance(proposal.verdict, Questions)
    assert proposal.verdict.questions == ()
    assert proposal.verdict.unable is not None
    assert all(f"{each.name}: does {each.name}" in proposal.verdict.unable for each in ALL)
    assert told == []


def test_a_tie_is_asked_and_the_answer_taken() -> None:
    other = a_playbook("parcel", "where is order {order}", inputs={"order": ORDER})
    first, _ = propose("Where is order 1042?", (STATUS, other))
    second, told = propose("Where is order 1042?", (STATUS, other), answers={"playbook": "Parcel"})
    none, _ = propose("Where is order 1042?", (STATUS, other), answers={"playbook": "none"})

    assert asked(first) == {"playbook": ("order_status", "parcel", "none of these")}
    assert values(second) == {"order": "1042"}
    assert told[0].text == "playbook parcel, version 3"
    assert isinstance(none.verdict, Questions)
    assert none.verdict.unable is not None


def test_the_playbook_that_explains_more_of_the_words_is_meant() -> None:
    more = a_playbook("track", "where is order {order} and who carries it", inputs={"order": ORDER})
    found = matches((STATUS, more), "Where is order 1042 and who carries it?")
    proposal, told = propose("Where is order 1042 and who carries it?", (STATUS, more))

    assert [each.playbook.name for each in found] == ["track", "order_status"]
    assert isinstance(proposal.verdict, Accepted)
    assert told[0].text == "playbook track, version 3"


def test_inputs_that_were_given_need_no_words_but_must_be_valid() -> None:
    words = "A vase arrived broken from an order"
    good, _ = propose(words, inputs={"order": "1042", "remedy": "refund"})
    bad, _ = propose(words, inputs={"order": 1042, "remedy": "refund"})
    unknown, _ = propose(words, inputs={"colour": "blue"})

    assert values(good) == {"order": "1042", "piece": "vase", "remedy": "refund"}
    assert asked(bad) == {"order": ()}
    assert isinstance(unknown.verdict, Questions)
    assert "no input called colour" in (unknown.verdict.unable or "")


def test_a_default_stands_where_nothing_was_said_and_not_where_two_things_were() -> None:
    remedy: JsonObject = {**REMEDY, "default": "refund"}
    kind = a_playbook("damaged", "a vase arrived broken", inputs={"remedy": remedy})
    silent, _ = propose("A vase arrived broken", (kind,))
    torn, _ = propose("A vase arrived broken: refund or replacement", (kind,))
    misheard, _ = propose("A vase arrived broken", (kind,), answers={"remedy": "a hug"})
    mistaken, _ = propose("A vase arrived broken", (kind,), inputs={"remedy": "hug"})

    assert values(silent) == {"remedy": "refund"}
    assert isinstance(silent.verdict, Accepted)
    assert silent.verdict.inputs.labels["remedy"].integrity is Integrity.CONFIG
    assert asked(torn) == {"remedy": ("refund", "replacement")}
    assert asked(misheard) == asked(mistaken) == asked(torn)


def test_half_of_the_words_are_not_enough() -> None:
    reset = a_playbook("reset", "reset password")

    assert matches((reset,), "Reset my phone") == ()
    assert [each.score for each in matches((reset,), "My password: reset it")] == [1.0]


def test_a_playbook_is_admitted_like_any_plan() -> None:
    wrong = a_playbook("wrong", "do the wrong thing", plan=a_plan("payments.wipe"))
    proposal, told = propose("Do the wrong thing", (wrong,))

    assert isinstance(proposal.verdict, Rejected)
    assert [each.code for each in told[0].violations] == ["unknown-action"]


def test_the_same_words_give_the_same_proposal() -> None:
    words = "A vase from order 1042 arrived broken, refund it"

    assert propose(words) == propose(words)


def test_without_playbooks_nothing_can_be_done() -> None:
    proposal, _ = propose("Where is order 1042?", ())

    assert isinstance(proposal.verdict, Questions)
    assert "No playbook is configured" in (proposal.verdict.unable or "")
