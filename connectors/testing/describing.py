"""Rules that need no call that succeeds: what a connector says it is, and that it keeps to it."""

from connectors.catalog import Catalog
from connectors.errors import Refused
from connectors.manifest import check_manifests
from connectors.plugin import protocol_flaw
from connectors.testing.service import Fault
from connectors.testing.tiers import Spared, hold, needs
from connectors.testing.trial import Overheard, Trial, members_of
from connectors.validate import validator_of


def it_speaks_this_protocol(trial: Trial) -> None:
    """A plugin for another version of the protocol would be called in ways it does not know."""
    if trial.plugin is None:
        raise Spared("it is not given as a plugin")
    flaw = protocol_flaw(trial.plugin.protocol)
    hold(flaw is None, flaw or "")


def names_begin_with_the_connection_and_are_unique(trial: Trial) -> None:
    """Two actions of one name, or of another connection, could not be told apart."""
    names = [action.name for action in trial.actions()]
    own = trial.example.connection
    hold(bool(names), "nothing is on offer")
    hold(len(set(names)) == len(names), "a name is there twice")
    for name in names:
        hold(name.partition(".")[0] == own, f"{name} does not begin with {own}.")


def schemas_can_be_read_and_inputs_are_closed(trial: Trial) -> None:
    """An open input would let an argument through that nobody knows."""
    for action in trial.actions():
        hold(
            validator_of(action.input_schema) is not None,
            f"{action.name}: its input schema cannot be read",
        )
        hold(
            action.input_schema.get("additionalProperties") is False,
            f"{action.name}: its input schema is open",
        )
        if action.output_schema is not None:
            hold(
                validator_of(action.output_schema) is not None,
                f"{action.name}: its output schema cannot be read",
            )


def every_action_says_what_it_is_for(trial: Trial) -> None:
    """A planner and an approver choose by the description."""
    for action in trial.actions():
        hold(bool(action.description.strip()), f"{action.name} has no description")


def actions_are_the_same_each_time(trial: Trial) -> None:
    """Plans and approvals are bound to an action's digest."""
    first, second = trial.actions_twice()
    digests = [action.digest for action in first]
    hold(digests == [action.digest for action in second], "asked twice, it offers something else")
    fresh = [action.digest for action in trial.actions()]
    hold(digests == fresh, "built anew, it offers something else")


def what_manifests_say_of_one_another_holds(trial: Trial) -> None:
    """What cannot be called can neither take back nor find out; a sink names an argument."""
    check_manifests(Catalog(trial.actions()))


def an_argument_that_nobody_knows_is_refused_before_anything_is_sent(trial: Trial) -> None:
    """It may be a name that a model made up."""
    chosen = trial.example.write or trial.example.read
    if chosen is None:
        needs("read")
    name, arguments = trial.fresh(chosen)
    tried = trial.call((name, {**arguments, "nobody_knows": 1}))
    hold(isinstance(tried.ended, Refused), tried.was)
    hold(tried.effects == 0 and not tried.asked, f"{name} was sent all the same")


def no_secret_is_told(trial: Trial) -> None:
    """Results, errors, logs and specs are read by people and by models."""
    example = trial.example
    if not example.good:
        needs("read")
    with Overheard() as overheard:
        told = [repr(trial.connector())]
        told += [action.model_dump_json() for action in trial.actions()]
        for call in (*example.good, *((example.refused,) if example.refused else ())):
            told.append(trial.call(call).words())
            if example.service is not None:
                told.append(trial.call(call, fault=Fault(ending="echo")).words())
    everything = "\n".join([*told, *overheard.said])
    hold(not any(each in everything for each in example.secrets), "a secret is told")


def every_output_is_typed(trial: Trial) -> None:
    """Without a schema a path into it can only be checked when it is too late to plan anew."""
    for action in trial.actions():
        hold(action.output_schema is not None, f"{action.name} has no output schema")


def every_argument_says_what_it_is(trial: Trial) -> None:
    """A planner that has to guess what goes in guesses wrong."""
    for action in trial.actions():
        for name, schema in members_of(action.input_schema):
            said = schema.get("description") if isinstance(schema, dict) else None
            hold(bool(said), f"{action.name}: the argument {name} has no description")
