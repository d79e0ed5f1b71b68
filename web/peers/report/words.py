"""Contains the report's names for steps, gauges and thresholds, and a description of what each measures.

A step or gauge that exists only in a user's scenario is shown by its own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Words(NamedTuple):
    """The name of a figure for people, and a description of what it measures."""

    name: str
    measures: str


STEPS: Mapping[str, Words] = {
    "arrive": Words("Arrive", "from opening the calendar until it is shown"),
    "queue_seen": Words("Queue shows it", "from sending Meet Now's form to the row in a provider's queue"),
    "waited": Words("Wait", "from sending Meet Now's form to being claimed"),
    "claim": Words("Claim", "from pressing Claim to its answer"),
    "pulled_in": Words("Claim to pulled in", "from pressing Claim to the patient knowing"),
    "started": Words(
        "Start Session", "from the second press to the one who pressed first knowing that it is live"
    ),
    "first_frame": Words(
        "First frame", "from the second press of Start Session to the first picture, on each side"
    ),
    "back": Words("Back", "from losing the WebSocket until it is open again, with all its topics"),
    "longest_gap": Words(
        "Longest gap", "the longest time of a call without a picture or a packet, on each side"
    ),
    "hang_up": Words("Hang up", "from ending the call to the patient knowing"),
    "journey": Words("Whole visit", "from opening the calendar to the end of the visit"),
}
GAUGES: Mapping[str, str] = {
    "waiting": "waiting",
    "in_call": "in call",
    "server_cpu": "server",
    "store_cpu": "store",
    "driver_cpu": "driver",
    "driver_lag": "driver",
    "machine_cpu": "whole machine",
    "server_rss": "server",
    "store_rss": "store",
}


def step_words(name: str) -> Words:
    """Return the name and the description that the report shows for the step `name`."""
    return STEPS.get(name) or Words(name.replace("_", " ").capitalize(), "a step of this scenario's own")
