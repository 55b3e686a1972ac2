"""The operator: sends dead letters back and decides what is in review, by Riel's own services."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError

from infra.simulation.chance import Chance
from infra.simulation.deployment import QUEUE_URL
from infra.simulation.endpoints import well
from infra.simulation.plays import Play
from infra.simulation.seams import SimulatedApp
from infra.simulation.world import World
from riel.config import Config
from riel.domain.payment import Status
from riel.domain.refund import RefundStatus
from riel.errors import InvalidStateError, StoreUnavailableError
from riel.services.dead_letters import DeadLetterQueue
from riel.services.redrive_dead_letters import RedriveOrder, redrive_dead_letters
from riel.services.resolve_payment import resolve_payment
from riel.services.resolve_refund import resolve_refund
from riel.store.queues import Queue

ROUNDS = 24
"""A second letter about the same is not sent back in the same round, and an event may have many."""
RETRY_SECONDS = 40.0
"""Longer than a letter that was looked at stays hidden."""
WHO, WHY = "operator", "looked at the PSP"


def new_app(world: World) -> SimulatedApp:
    """Open the stage as an operator does: with all names that any function has."""
    deployment = world.deployment
    environment: dict[str, str] = {}
    for spec in deployment.functions.values():
        environment |= spec.environment
    config = Config.from_environment(environment)
    return SimulatedApp(config, random=Chance(world.kernel))


def work(play: Play, has_letters: bool) -> int:
    """Let the operator do a shift, if there is work; return how many decisions there are."""
    books = play.books
    payments = [p for p in books.payments.values() if p.status == Status.IN_REVIEW]
    refunds = [r for r in books.refunds.values() if r.status == RefundStatus.IN_REVIEW]
    reviews = len(payments) + len(refunds)
    if has_letters or reviews:
        play.act("operator", lambda: _shift(play))
    return reviews


def _shift(play: Play) -> None:
    app = new_app(play.world)
    for endpoint in play.world.endpoints.all:
        # Whoever sends webhooks back has first had the endpoint mended.
        endpoint.behave = well
    dead = [q for q in play.world.sqs.queues.values() if not q.spec.dead_letters]
    for _ in range(ROUNDS):
        for queue in dead:
            if queue.messages:
                _again(play, partial(_redrive, play, app, queue.spec.name))
        if not any(queue.messages for queue in dead):
            break
        # A receive whose answer was lost hides a letter from the next look.
        play.world.kernel.sleep(RETRY_SECONDS)
    _again(play, partial(_decide, play, app))


def _again(play: Play, command: Callable[[], None]) -> None:
    """Give a command, and give it again where AWS did not answer: the command line says so."""
    for _ in range(ROUNDS):
        try:
            command()
        except (StoreUnavailableError, ClientError, BotoCoreError):
            play.world.kernel.sleep(RETRY_SECONDS)
        else:
            break


def _redrive(play: Play, app: SimulatedApp, name: str) -> None:
    short = name.removeprefix(f"{play.world.deployment.prefix}-").removesuffix("-dlq")
    source = DeadLetterQueue(short, Queue(app.sqs, QUEUE_URL + name))
    redrive_dead_letters(app, source, RedriveOrder())


def _decide(play: Play, app: SimulatedApp) -> None:
    """Decide by what the PSP has done; what has left its review meanwhile needs no decision."""
    books = play.books
    for payment in list(books.payments.values()):
        if payment.status == Status.IN_REVIEW:
            moved = books.charges_of(payment.payment_id)
            outcome = Status.COMPLETED if moved else Status.FAILED
            with suppress(InvalidStateError):
                resolve_payment(app, payment.payment_id, outcome, WHO, WHY)
    for refund in list(books.refunds.values()):
        if refund.status == RefundStatus.IN_REVIEW:
            was_made = refund.refund_id in books.refunds_made()
            end = RefundStatus.COMPLETED if was_made else RefundStatus.FAILED
            with suppress(InvalidStateError):
                resolve_refund(app, refund.payment_id, refund.refund_id, end, WHO, WHY)
