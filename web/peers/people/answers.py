"""Makes the texts of synthetic people: patient information that is clearly made up, and answers to any setup guide.

PROTOCOL.md#case describes the steps of a setup guide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Answer = str | bool | dict[str, Any] | None


def information(number: int, language: str = "en", **fields: str) -> dict[str, str]:
    """Return a filled-in patient information form of a person who is clearly not real.

    `number`: makes the name unique. The phone number is in the range reserved for fiction (555-0100 to 555-0199).
    `fields` replace the default values.
    """
    made_up = {
        "name": f"Synthetic Patient {number}",
        "birth_date": f"{1950 + number % 50}-{1 + number % 12:02}-{1 + number % 28:02}",
        "phone": f"+1 512 555 01{number % 100:02}",
        "email": f"patient{number}@example.org",
        "state": "TX",
        "reason": "A load test, no real request",
        "language": language,
        "filled_in_by": "",
    }
    return made_up | fields


def asked(steps: Sequence[Mapping[str, Any]], answers: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the steps of a setup guide that apply to a person with these answers, in order.

    A step with a condition `only_if` applies only if the person must answer the earlier step `only_if["step"]`, and has
    answered it with `only_if["answer"]`.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for step in steps:
        on = step.get("only_if")
        if on is None or (on["step"] in found and answers.get(on["step"]) == on["answer"]):
            found[step["id"]] = step
    return list(found.values())


def plausible(step: Mapping[str, Any], name: str) -> Answer:
    """Return an answer that this step accepts. `name`: the name with which the person signs a consent."""
    answers: dict[str, Answer] = {
        "text": "None that I know of",
        "choice": step["options"][0] if step["options"] else None,
        "yes_no": False,
        "date": "2026-01-31",
        "consent": {"agreed": True, "signature": name},
        "device_check": {"camera": "on", "microphone": "on", "speaker": "on", "network": "good"},
    }
    return answers.get(step["kind"])
