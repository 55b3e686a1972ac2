"""What is sent to a PSP, and what its answer means."""

from __future__ import annotations

from tests.simulation.mutants.mutant import FAULTS, Mutant, Place

CHARGING = (
    Mutant(
        "no-look-after-a-death",
        "only a counted doubt is looked up, not that of a worker that died",
        "riel/services/gateway_step.py",
        "    if item.quiet_since_ms:\n",
        "    if item.unknown_outcomes:\n",
    ),
    Mutant(
        "late-send-not-checked",
        "a thread that was frozen sends when it goes on, whoever has the lease by then",
        "riel/services/gateway_step.py",
        "    if sent_at >= errand.until:\n",
        "    if sent_at >= max(sent_at, errand.until) + errand.until.resolution:\n",
        Place(FAULTS, "card-timeout-before-charge", 40),
    ),
    Mutant(
        "new-key-after-doubt",
        "the charge number grows with every lost answer",
        "riel/domain/payment.py",
        "        return 1 + len(self.declines)\n",
        "        return 1 + len(self.declines) + self.unknown_outcomes\n",
        Place(scenario="card-timeout-after-charge"),
    ),
    Mutant(
        "not-found-is-proof",
        "what the PSP does not know yet was never sent",
        "riel/services/doubt.py",
        "    is_proven = now_ms >= item.quiet_since_ms + can.longest_request_seconds * 1000\n",
        "    is_proven = now_ms >= item.quiet_since_ms\n",
        Place(scenario="card-error-then-charge"),
    ),
    Mutant(
        "fall-back-in-doubt",
        "a payment goes to the other gateway although the first may have charged it",
        "riel/services/fallback.py",
        "    is_in_doubt = payment.quiet_since_ms or payment.unknown_outcomes\n",
        "    is_in_doubt = False\n",
        Place(scenario="card-silent-then-down"),
    ),
    Mutant(
        "declined-charge-again",
        "the charge after a soft decline has the declined one's key",
        "riel/domain/payment.py",
        "        declines=(*payment.declines, code),\n",
        "        declines=payment.declines or (),\n",
        Place(scenario="card-softly-declined"),
    ),
    Mutant(
        "psp-is-believed",
        "what the PSP says is not compared with what was asked",
        "riel/services/outcomes.py",
        "        verdict = mismatch(payment, outcome)"
        " or _BY_STATUS[payment.status](payment, outcome, now)\n",
        "        verdict = _BY_STATUS[payment.status](payment, outcome, now)\n",
        Place(scenario="card-wrong-amount"),
    ),
    Mutant(
        "voucher-not-due",
        "a voucher is not entered in the index of what is due",
        "riel/services/outcomes.py",
        "        return replace(verdict, due_at=verdict.next_action.expires_at + grace)\n",
        "        return verdict\n",
        Place(scenario="voucher-paid"),
    ),
)
