"""A play: shops and payers who act in a world, each payment a story of its own.

A story says what one merchant does about one payment. It sees through the world's walls to know
when to go on, so that waiting costs no calls; what it asks, it asks through the API.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.simulation.endpoints import Endpoint
from infra.simulation.in_service import set_watermarks
from infra.simulation.invariants.books import Books
from infra.simulation.kernel import Task
from infra.simulation.shops import GaveUpError, Shop
from infra.simulation.world import World
from riel.app import App
from riel.services.merchants import seed_merchant

FIRST_PORT = 20_000
LOOK_SECONDS = 0.25
"""How often a story looks whether it can go on."""
PATIENCE_SECONDS = 900.0
"""Then it goes on all the same."""

Behave = Callable[[int], tuple[int, float]]


class Play:
    """All stories of a run."""

    def __init__(self, world: World, books: Books, operator: App, payments: Sequence[int]) -> None:
        self.world = world
        self.books = books
        self.payments = payments
        self.shops: list[Shop] = []
        self.tasks: list[Task] = []
        self.gave_up = 0
        self.last_act_at = 0.0
        self.operator = operator
        self._promised: dict[str, frozenset[str]] = {}

    def shop(self, number: int) -> Shop:
        """Return a shop; it is opened when it is first asked for."""
        while len(self.shops) <= number:
            self.shops.append(self._open(len(self.shops)))
        return self.shops[number]

    def begin(self, story: Story, shop: int, name: str) -> Task:
        """Let a story begin; its name begins those of all its calls."""
        scene = Scene(self, self.shop(shop), name)
        return self.act(name, lambda: story(scene))

    def act(self, name: str, work: Callable[[], None]) -> Task:
        """Let somebody do something; a client may give up, but nothing else may go wrong."""

        def acting() -> None:
            try:
                work()
            except GaveUpError:
                self.gave_up += 1
            self.last_act_at = self.world.kernel.elapsed

        task = self.world.spawn(name, acting)
        self.tasks.append(task)
        return task

    @property
    def is_over(self) -> bool:
        """Whether everybody has done what they had to do."""
        return all(task.is_done for task in self.tasks)

    def promise(self, payment_id: str, statuses: tuple[str, ...]) -> None:
        """Say how a payment ends, if nothing goes wrong."""
        self._promised[payment_id] = frozenset(statuses)

    def broken_promises(self) -> list[str]:
        """Say which payments ended in another way than their stories say."""
        told = []
        for payment_id, statuses in self._promised.items():
            payment = self.books.payments.get(payment_id)
            status = str(payment.status) if payment else "absent"
            if status not in statuses:
                told.append(f"{payment_id} is {status}, not {' or '.join(sorted(statuses))}")
        return told

    def _open(self, number: int) -> Shop:
        name = f"shop{number}"
        secret = "whsec_" + base64.b64encode(f"{name}'s webhook secret".encode()).decode()
        endpoint = self.world.endpoints.add(Endpoint(f"127.0.0.1:{9000 + number}", name))
        shop = Shop(name, f"sk_test_{name}", secret, endpoint, self.world.kernel, self.world.edge)
        seed_merchant(
            self.operator,
            merchant_id=name,
            name=name.title(),
            api_key=shop.api_key,
            webhook_secret=secret,
        )
        return shop


@dataclass
class Scene:
    """Where one story is told: its shop, and a name that no other story has."""

    play: Play
    shop: Shop
    name: str
    _parts: int = field(default=0)

    def beside(self, work: Callable[[], Any]) -> Task:
        """Do something at the same time."""
        self._parts += 1
        return self.play.act(f"{self.name}+{self._parts}", work)

    def together(self, *works: Callable[[], Any]) -> None:
        """Do some things at the same time, and wait for all of them."""
        for task in [self.beside(work) for work in works]:
            self.play.world.kernel.join(task)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.play.world.kernel.sleep(seconds)

    def draw(self, *names: object) -> float:
        """Draw a number in [0, 1) for this story."""
        return self.play.world.kernel.draw("story", self.name, *names)

    def pay(
        self, outcome: str = "tok_ok", *, ends: tuple[str, ...] = ("completed",), **fields: Any
    ) -> str:
        """Ask for this story's payment; raises GaveUpError when it is refused.

        `outcome` is the simulated PSP's token, and `ends` how it ends when nothing goes wrong.
        """
        payment_id = self.shop.pay(self.name, payment_method_token=outcome, **fields)
        if payment_id is None:
            raise GaveUpError(f"{self.name}: refused")
        self.play.promise(payment_id, ends)
        return payment_id

    def wait_for(self, payment_id: str, *statuses: str) -> str:
        """Wait until a payment has one of these statuses, or for long; return what it has."""

        def status() -> str:
            payment = self.play.books.payments.get(payment_id)
            return str(payment.status) if payment else ""

        self.wait_until(lambda: status() in statuses)
        return status()

    def wait_until(self, is_so: Callable[[], bool]) -> bool:
        """Wait until something is so, or for long; return whether it is."""
        ends = self.play.world.kernel.elapsed + PATIENCE_SECONDS
        while not is_so() and self.play.world.kernel.elapsed < ends:
            self.sleep(LOOK_SECONDS)
        return is_so()

    def listen(self, behave: Behave) -> str:
        """Let an endpoint of this story's own listen; return its URL."""
        endpoints = self.play.world.endpoints
        address = f"127.0.0.1:{FIRST_PORT + len(endpoints.all)}"
        endpoints.add(Endpoint(address, self.shop.merchant_id, behave))
        return f"http://{address}/hooks"

    def days_pass(self, days: float) -> None:
        """Let days go by in which nothing happens, but that DynamoDB deletes what has expired."""
        world = self.play.world
        self.wait_until(
            lambda: (
                not any(world.functions.running.values())
                and not world.gate.in_flight
                # What it has waits for a moment at most; in days it would lose it.
                and world.stream.is_idle
            )
        )
        world.kernel.skip(days * 86_400)
        world.dynamodb.expire()
        # Not from this task, whose calls take time: as if the sweeper had gone on all the while.
        world.kernel.after(0, lambda: set_watermarks(self.play.operator))
        self.sleep(LOOK_SECONDS)

    def claim(self, is_so: bool, otherwise: str) -> None:
        """Say what must be so in this story, whatever fails."""
        if not is_so:
            self.shop.complaints.append(f"{self.name}: {otherwise}")

    def payer_pays(self, payment_id: str, minor: int | None = None, deposit: str = "") -> None:
        """Let the payer bring money to the PSP, a part or what is left."""
        body = {"deposit_id": deposit or f"{self.name}-deposit"}
        self._at_psp(f"/payments/{payment_id}/pay", body | ({"amount": minor} if minor else {}))

    def decide(self, payment_id: str, token: str) -> None:
        """Let the PSP decide a payment by another token from now on."""
        self._at_psp(f"/payments/{payment_id}/outcome", {"token": token})

    def _at_psp(self, path: str, body: dict[str, Any]) -> None:
        # Whoever stands at a counter whose PSP is down tries again.
        while self.play.world.psp.answer("POST", path, {}, json.dumps(body).encode())[0] >= 500:
            self.sleep(LOOK_SECONDS)


Story = Callable[[Scene], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens in a run. `leaves_letters` tells that dead letters are its end."""

    name: str
    play: Callable[[Play], None]
    leaves_letters: bool = False


def told_once(name: str, story: Story, *, leaves_letters: bool = False) -> Scenario:
    """Make a scenario of one story."""

    def play(whole: Play) -> None:
        whole.begin(story, 0, "p0")

    return Scenario(name, play, leaves_letters)
