"""Draws the steps of a story from a seed: the commands of a clinic's people, with faults at random places.

Does no I/O.
"""

from __future__ import annotations

import random
from typing import NamedTuple

MACHINES, WORKERS = 2, 2
PATIENTS, PROVIDERS = 7, 4

OF_PATIENTS = {
    "save": 24, "start": 22, "finish": 2, "hang up": 3, "withdraw": 2, "chat": 5, "join": 3, "vanish": 3,
    "reload": 2, "leave page": 2,
}  # fmt: skip
OF_PROVIDERS = {
    "claim": 16, "start": 14, "release": 6, "end": 8, "on call": 3, "transfer": 3, "reopen": 2, "chat": 4,
    "join": 3, "mark": 1, "vanish": 3, "reload": 1, "leave page": 2,
}  # fmt: skip
OF_ADMINS = {
    "assign": 8, "unassign": 2, "decline": 1, "release": 1, "claim": 1, "chat": 2, "vanish": 1,
}  # fmt: skip
FAULTS = {
    "kill": 3, "freeze": 5, "cut": 3, "stall": 3, "slow": 2, "reset": 2, "deafen": 3, "freeze the store": 1,
    "kill the machine": 1,
}  # fmt: skip


class Step(NamedTuple):
    """A step of a story. `who` and `what`: a person and a command, or "fault" and the kind of fault.

    `a` and `b`: random numbers from which the story derives the details, such as which visit, which machine,
    or the duration in ms.
    """

    who: str
    what: str
    a: int = 0
    b: int = 0

    def __str__(self) -> str:
        if self.who == "fault":
            return f"fault: {self.what} {'AB'[self.a % MACHINES]}{self.a // MACHINES % WORKERS} {self.b} ms"
        return f"{self.who}: {self.what} {self.a} {self.b}"


CALM = Step("calm", "until every screen is the store's")


def _drawn(chance: random.Random, weights: dict[str, int]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


def plan(seed: int, operations: int, chapters: int, faults: int) -> list[Step]:
    """Return the steps of a story: `operations` commands, divided among `chapters`. Each chapter also has this number
    of faults, and ends with a step that waits until all screens are right. The same `seed` gives the same steps.
    """
    chance = random.Random(seed)
    steps: list[Step] = []
    for _ in range(chapters):
        chapter: list[Step] = []
        for _ in range(operations // chapters):
            share = chance.random()
            a, b = chance.randrange(1000), chance.randrange(1000)
            if share < 0.5:
                chapter.append(
                    Step(f"patient {chance.randrange(PATIENTS)}", _drawn(chance, OF_PATIENTS), a, b)
                )
            elif share < 0.92:
                who = f"provider {chance.randrange(PROVIDERS)}"
                chapter.append(Step(who, _drawn(chance, OF_PROVIDERS), a, b))
            else:
                chapter.append(Step("admin", _drawn(chance, OF_ADMINS), a, b))
        for _ in range(faults):
            fault = Step("fault", _drawn(chance, FAULTS), chance.randrange(1000), chance.randrange(300, 2500))
            chapter.insert(chance.randrange(len(chapter) // 8, len(chapter)), fault)
        steps += [*chapter, CALM]
    return steps
