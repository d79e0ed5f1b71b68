"""What becomes of the queue as a whole: the rules that its pages follow.

Pure. The state is a record of its own (`record.Watch`), so that a change is one event on all workers.
"""

from __future__ import annotations

from msgspec.structs import replace

from signalling.visit.record import Policy, Watch


def watched(watch: Watch, policy: Policy) -> Watch:
    """Return the watch as it has to be now; the same if nothing has changed."""
    return replace(watch, rules=policy.queue_rules)
