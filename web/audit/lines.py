"""Writes entries of the audit log as lines of JSON, and chooses entries by time, actor and visit."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from signalling.visit.audit_entries import Entry


class Chosen(NamedTuple):
    """Describes which entries of the audit log are wanted. 0 or "" sets no condition.

    `since_ms`: only entries from this time on. `who`: only entries with this actor's id. `visit`: only entries that
    are about the visit with this id, or whose actor is its patient.
    """

    since_ms: int = 0
    who: str = ""
    visit: str = ""

    def fits(self, entry: "Entry") -> bool:
        """Return whether an entry of the audit log meets all these conditions (`since_ms`, `who` and `visit`)."""
        act = entry.act
        of_visit = self.visit in ("", act.about) or act.who == f"patient:{self.visit}"
        return act.at_ms >= self.since_ms and self.who in ("", act.who) and of_visit


def line(entry: "Entry") -> str:
    """Return an entry as one JSON object in one line, without a line break at the end.

    The fields `about` and `to` are left out if they are empty.
    """
    act = entry.act
    at = datetime.fromtimestamp(act.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    fields = {"number": entry.number, "at": at, "kind": act.kind, "who": act.who, "what": act.what}
    return json.dumps(
        fields | {key: value for key, value in (("about", act.about), ("to", act.to)) if value},
        ensure_ascii=False,
    )
