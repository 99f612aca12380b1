"""The rules in order, and the suite to subclass: pytest collects one test a rule.

A rule whose example is missing is skipped with what to say; `report` runs them all without pytest.
"""

import secrets
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar
from unittest import SkipTest

from connectors.connector import Connector
from connectors.credentials import Vault
from connectors.errors import ConfigurationError
from connectors.factories import ConnectionSettings, Given
from connectors.http import Transport
from connectors.plugin import Plugin
from connectors.spec import JsonObject
from connectors.testing import describing, promises, wire
from connectors.testing.service import Service
from connectors.testing.tiers import Broken, Report, Rule, Ruling, Tier, reported, ruled
from connectors.testing.trial import Example, Trial, Way

RULES: tuple[Rule, ...] = (
    Rule(Tier.BRONZE, describing.it_speaks_this_protocol),
    Rule(Tier.BRONZE, describing.names_begin_with_the_connection_and_are_unique),
    Rule(Tier.BRONZE, describing.schemas_can_be_read_and_inputs_are_closed),
    Rule(Tier.BRONZE, describing.every_action_says_what_it_is_for),
    Rule(Tier.BRONZE, describing.actions_are_the_same_each_time),
    Rule(Tier.BRONZE, describing.what_manifests_say_of_one_another_holds),
    Rule(Tier.BRONZE, describing.an_argument_that_nobody_knows_is_refused_before_anything_is_sent),
    Rule(Tier.BRONZE, describing.no_secret_is_told),
    Rule(Tier.SILVER, promises.a_read_changes_nothing),
    Rule(Tier.SILVER, promises.results_are_what_their_schemas_say),
    Rule(Tier.SILVER, promises.the_same_key_twice_acts_once),
    Rule(Tier.SILVER, promises.what_was_done_is_found_by_its_key_and_nothing_else_is),
    Rule(Tier.SILVER, promises.what_is_undone_is_gone),
    Rule(Tier.SILVER, promises.a_no_is_refused_and_has_no_effect),
    Rule(Tier.SILVER, promises.nothing_is_sent_after_its_time),
    Rule(Tier.SILVER, promises.silence_ends_at_the_deadline_and_is_called_what_it_is),
    Rule(Tier.SILVER, describing.every_output_is_typed),
    Rule(Tier.GOLD, describing.every_argument_says_what_it_is),
    Rule(Tier.GOLD, wire.a_no_is_told_by_its_kind),
    Rule(Tier.GOLD, wire.too_many_calls_wait_as_long_as_the_service_says),
    Rule(Tier.GOLD, wire.a_broken_service_leaves_a_write_in_doubt_and_a_read_not),
    Rule(Tier.GOLD, wire.a_lost_answer_leaves_a_write_in_doubt_and_a_read_not),
    Rule(Tier.GOLD, wire.what_was_lost_is_settled_by_its_key),
    Rule(Tier.GOLD, wire.no_connection_means_that_nothing_was_sent),
    Rule(Tier.GOLD, wire.an_answer_that_cannot_be_read_has_happened_all_the_same),
    Rule(Tier.GOLD, wire.no_request_is_sent_again),
    Rule(Tier.GOLD, wire.no_redirect_is_followed),
    Rule(Tier.GOLD, wire.an_answer_without_end_is_given_up),
)


class ConnectorConformance:
    """Subclass it, say `connector` and `example`, and let pytest collect it.

    Each call has a loop of its own, so `connector` has to give a fresh one each time; `close`
    is called in the loop that used it. Rules above the tier that it `aims_at` are skipped where
    they are not kept. `whole` has each failure tried at each request of each call; without it each
    is tried at some, for a service that takes its time.
    """

    aims_at = Tier.SILVER
    plugin: Plugin | None = None
    whole = True
    _known: ClassVar[dict[int, Way]]

    def __init_subclass__(cls) -> None:
        """Keep for all its rules how the calls of its example go."""
        cls._known = {}

    def connector(self) -> Connector:
        """A fresh connector."""
        raise TypeError("say which connector to test: override connector()")

    async def close(self) -> None:
        """Close what `connector` opened, if anything."""

    def example(self) -> Example:
        """What to try it with."""
        raise TypeError("say what to try it with: override example()")

    def setup_method(self) -> None:
        """Begin one rule."""

    def teardown_method(self) -> None:
        """End it."""

    def trial(self) -> Trial:
        """The connector and its example, as the rules take them."""
        example, known = self.example(), self._known
        return Trial(self.connector, self.close, example, self.plugin, known, self.whole)

    def report(self, rules: Sequence[Rule] = RULES) -> Report:
        """What becomes of these rules, each begun and ended as pytest would."""

        def each() -> Iterator[Ruling]:
            for rule in rules:
                self.setup_method()
                try:
                    yield ruled(rule, self.trial())
                finally:
                    self.teardown_method()

        return reported(each())

    def _keep(self, name: str) -> None:
        (rule,) = (each for each in RULES if each.name == name)
        ruling = ruled(rule, self.trial())
        is_above = [*Tier].index(rule.tier) > [*Tier].index(self.aims_at)
        if ruling.standing == "untried" or (is_above and not ruling.is_fine):
            raise SkipTest(ruling.why)
        if ruling.standing == "broken":
            raise Broken(f"{ruling.why}. {rule.sentence}")

    def test_it_speaks_this_protocol(self) -> None:
        self._keep("it_speaks_this_protocol")

    def test_names_begin_with_the_connection_and_are_unique(self) -> None:
        self._keep("names_begin_with_the_connection_and_are_unique")

    def test_schemas_can_be_read_and_inputs_are_closed(self) -> None:
        self._keep("schemas_can_be_read_and_inputs_are_closed")

    def test_every_action_says_what_it_is_for(self) -> None:
        self._keep("every_action_says_what_it_is_for")

    def test_actions_are_the_same_each_time(self) -> None:
        self._keep("actions_are_the_same_each_time")

    def test_what_manifests_say_of_one_another_holds(self) -> None:
        self._keep("what_manifests_say_of_one_another_holds")

    def test_an_argument_that_nobody_knows_is_refused_before_anything_is_sent(self) -> None:
        self._keep("an_argument_that_nobody_knows_is_refused_before_anything_is_sent")

    def test_no_secret_is_told(self) -> None:
        self._keep("no_secret_is_told")

    def test_a_read_changes_nothing(self) -> None:
        self._keep("a_read_changes_nothing")

    def test_results_are_what_their_schemas_say(self) -> None:
        self._keep("results_are_what_their_schemas_say")

    def test_the_same_key_twice_acts_once(self) -> None:
        self._keep("the_same_key_twice_acts_once")

    def test_what_was_done_is_found_by_its_key_and_nothing_else_is(self) -> None:
        self._keep("what_was_done_is_found_by_its_key_and_nothing_else_is")

    def test_what_is_undone_is_gone(self) -> None:
        self._keep("what_is_undone_is_gone")

    def test_a_no_is_refused_and_has_no_effect(self) -> None:
        self._keep("a_no_is_refused_and_has_no_effect")

    def test_nothing_is_sent_after_its_time(self) -> None:
        self._keep("nothing_is_sent_after_its_time")

    def test_silence_ends_at_the_deadline_and_is_called_what_it_is(self) -> None:
        self._keep("silence_ends_at_the_deadline_and_is_called_what_it_is")

    def test_every_output_is_typed(self) -> None:
        self._keep("every_output_is_typed")

    def test_every_argument_says_what_it_is(self) -> None:
        self._keep("every_argument_says_what_it_is")

    def test_a_no_is_told_by_its_kind(self) -> None:
        self._keep("a_no_is_told_by_its_kind")

    def test_too_many_calls_wait_as_long_as_the_service_says(self) -> None:
        self._keep("too_many_calls_wait_as_long_as_the_service_says")

    def test_a_broken_service_leaves_a_write_in_doubt_and_a_read_not(self) -> None:
        self._keep("a_broken_service_leaves_a_write_in_doubt_and_a_read_not")

    def test_a_lost_answer_leaves_a_write_in_doubt_and_a_read_not(self) -> None:
        self._keep("a_lost_answer_leaves_a_write_in_doubt_and_a_read_not")

    def test_what_was_lost_is_settled_by_its_key(self) -> None:
        self._keep("what_was_lost_is_settled_by_its_key")

    def test_no_connection_means_that_nothing_was_sent(self) -> None:
        self._keep("no_connection_means_that_nothing_was_sent")

    def test_an_answer_that_cannot_be_read_has_happened_all_the_same(self) -> None:
        self._keep("an_answer_that_cannot_be_read_has_happened_all_the_same")

    def test_no_request_is_sent_again(self) -> None:
        self._keep("no_request_is_sent_again")

    def test_no_redirect_is_followed(self) -> None:
        self._keep("no_redirect_is_followed")

    def test_an_answer_without_end_is_given_up(self) -> None:
        self._keep("an_answer_without_end_is_given_up")


class HttpConformance(ConnectorConformance):
    """The same over HTTP: say `plugin`, the `service` that stands in, and `example`.

    The plugin is built as the gateway builds it, with a canary for a credential that only the way
    out can put in place. `served` is the running service; it is fresh for each rule.
    """

    aims_at = Tier.GOLD
    options: JsonObject = {}
    connection = "own"
    path = ""  # of the base address, below the service's own

    def secret(self) -> str:
        """The connection's credential; one that a real service knows has to be said."""
        return f"canary-{secrets.token_hex(16)}"

    def service(self) -> Service:
        """A fresh stand-in for the plugin's service, not started."""
        raise TypeError("say what stands in for its service: override service()")

    def setup_method(self) -> None:
        """Start the service."""
        self.served = self.service()
        self.served.start()
        self._canary = self.secret()
        self._ways: list[Transport] = []

    def teardown_method(self) -> None:
        """Stop it."""
        self.served.stop()

    def connector(self) -> Connector:
        """The plugin's connector, on a connection to the service."""
        if self.plugin is None:
            raise ConfigurationError("say what to test: plugin = ...")
        vault = Vault(lambda _: self._canary)
        # The stand-in is plain HTTP: to read the system's certificates for it takes long.
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._ways.append(Transport(frozenset({self.served.host}), tls=tls))
        url = self.served.url + self.path
        settings = ConnectionSettings(self.connection, "own", url, "env:CANARY", self.options)
        given = Given(self._ways[-1].carrying(vault), vault.stand_in)
        return self.plugin.connect(settings, given)

    async def close(self) -> None:
        """Close the ways out."""
        while self._ways:
            await self._ways.pop().aclose()

    def trial(self) -> Trial:
        """The example with the service and the canary in it."""
        trial = super().trial()
        told = replace(
            trial.example,
            connection=self.connection,
            service=self.served,
            secrets=(*trial.example.secrets, self._canary),
        )
        return replace(trial, example=told)
