"""Makes ended visits for tests, by the commands that patients and providers send."""

from __future__ import annotations

from typing import Any

import msgspec

from signalling.service import Accepted, new_id
from signalling.store import keys
from signalling.visit import commands as c
from signalling.visit.call_quality import Tally
from signalling.visit.record import Actor, ChatMessage
from tests.signalling.clinic import ANA, ORG, Clinic

ANSWERS: tuple[tuple[str, Any], ...] = (
    ("allergies", "penicillin"),
    ("fever", False),
    ("since", "2026-01-01"),
    ("consent", {"agreed": True, "signature": "Ana Ruiz"}),
)
CHAT = (
    "Hello, I am here.",
    "Good morning! Can you see me well?",
    "Yes, the picture is fine.",
    "How long have you had the rash?",
    "Since three days, on both arms. It itches at night.",
    "Did you use a new soap or eat something unusual?",
    "A new washing powder, I think, last week.",
    "Please stop using it; I will send you a prescription for a cream.",
    "Thank you. How often do I use it?",
    "Twice a day for a week. Come back if it does not get better.",
)


def tally(party: str, name: str) -> Tally:
    """Return the quality of a call of ten minutes. `party`: the party's key in the visit. `name`: the person's name."""
    seen = {
        "heard_lost": {0: 250, 1: 30, 4: 3},
        "round_trip": {31: 90, 32: 120, 40: 70},
        "picture": {840: 260, 350: 20},
    }
    return Tally(party=party, name=name, connected_ms=600_000.0, seen=seen)


async def whole_visit(desk: Clinic, provider: Actor) -> Actor:
    """Play a whole visit, and return its patient.

    The patient arrives, answers the setup guide, and talks and chats with the provider. Then the visit ends.
    """
    service, store = desk.workers[0].service, desk.workers[0].service.store
    patient = await desk.arrive(0)
    visit = str(patient.visit)

    async def do(actor: Actor, command: c.Command) -> None:
        assert isinstance(await service.command(actor, visit, command), Accepted)

    for step, answer in ANSWERS:
        await do(patient, c.Save(step, answer, True))
    await do(patient, c.Finish())
    await do(provider, c.Claim())
    await do(provider, c.Start())
    await do(patient, c.Start())
    for number, text in enumerate(CHAT):
        sender, party = ((patient, "patient"), (provider, "provider"))[number % 2]
        message = ChatMessage(
            id=new_id("m"), visit=visit, at_ms=service.clock_ms(), party=party, name=sender.name, text=text
        )
        await service.write(ORG, message, sender.person)
    await do(provider, c.End())
    parts = [tally("patient", ANA.name), tally("provider", provider.name)]
    await store.redis.hset(
        keys.CALLS(ORG, visit),
        mapping={
            f"room/{number}": store.seal.close(msgspec.msgpack.encode(part), f"{ORG}/calls/{visit}")
            for number, part in enumerate(parts)
        },
    )
    return patient
