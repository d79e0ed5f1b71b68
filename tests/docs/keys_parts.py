"""Makes the table of the store's keys in docs/OPERATIONS.md from `signalling/store/keys.py`."""

from __future__ import annotations

from signalling.store import keys


def _row(key: keys.Key) -> str:
    erased = f"{key.erasure}: {key.until}" if key.until else key.erasure
    return f"| `{key.pattern}` | {key.type} | {key.holds} | {'yes' if key.patient else ''} | {erased} |"


def parts() -> dict[str, str]:
    """Return the parts of docs/OPERATIONS.md that this file generates: name of a part -> its text."""
    head = ["| key | type | holds | patient data | erased |", "|---|---|---|---|---|"]
    return {"keys": "\n".join([*head, *map(_row, keys.ALL)])}
