"""Which gateways a payment may go to."""

from __future__ import annotations

import pytest

from riel.domain.payment import Method
from riel.errors import ConfigurationError, MethodUnavailableError
from riel.gateways.registry import CAPABILITIES
from riel.gateways.routing import candidates, choose, parse_routes

ROUTES = parse_routes("card/USD=standby;card=simulator>standby;oxxo=simulator")


def all_on(_switch: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("method", "currency", "names"),
    [
        (Method.CARD, "MXN", ("simulator", "standby")),
        (Method.CARD, "USD", ("standby",)),
        (Method.OXXO, "MXN", ("simulator",)),
        (Method.OXXO, "USD", ()),
        (Method.SPEI, "MXN", ()),
        (Method.CRYPTO, "USD", ()),
    ],
)
def test_the_first_route_that_fits_counts(
    method: Method, currency: str, names: tuple[str, ...]
) -> None:
    assert candidates(ROUTES, method, currency, livemode=False) == names


def test_live_keys_never_reach_play_money() -> None:
    assert candidates(ROUTES, Method.CARD, "MXN", livemode=True) == ()
    with pytest.raises(MethodUnavailableError):
        choose(ROUTES, Method.CARD, "MXN", livemode=True, is_on=all_on)


def test_without_a_route_the_method_is_unavailable() -> None:
    with pytest.raises(MethodUnavailableError):
        choose((), Method.CARD, "MXN", livemode=False, is_on=all_on)


def test_what_is_switched_off_may_be_back_and_what_is_not_configured_may_not() -> None:
    def refused(method: Method, *, is_on: bool) -> str:
        with pytest.raises(MethodUnavailableError) as error:
            choose(ROUTES, method, "MXN", livemode=False, is_on=lambda _: is_on)
        return str(error.value)

    off = "no gateway takes oxxo payments in MXN in test mode just now"
    assert refused(Method.OXXO, is_on=False) == off
    assert refused(Method.SPEI, is_on=True) == "no gateway takes spei payments in MXN in test mode"


def test_a_new_payment_goes_to_the_first_gateway_that_is_switched_on() -> None:
    def chosen(*off: str) -> str:
        is_on = set(off).isdisjoint
        return choose(ROUTES, Method.CARD, "MXN", livemode=False, is_on=lambda n: is_on({n}))

    assert chosen() == "simulator"
    assert chosen("gateway.simulator") == "standby"
    assert chosen("method.oxxo", "gateway.standby") == "simulator"
    for off in (["method.card"], ["gateway.simulator", "gateway.standby"]):
        with pytest.raises(MethodUnavailableError):
            chosen(*off)


@pytest.mark.parametrize("text", ["card", "card=", "card=stripe", "cheque=simulator", "=simulator"])
def test_a_route_that_can_not_be_read_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match=repr(text)):
        parse_routes(text)


def test_every_gateway_that_is_configured_says_which_methods_it_refunds() -> None:
    for name, capabilities in CAPABILITIES.items():
        assert capabilities.refunds <= set(capabilities.methods), name
