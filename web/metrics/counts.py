"""Counts jobs, tokens and requests in this worker since it started.

`signalling/counts.py` has the counts of signalling.
"""

from collections import Counter

JOBS: Counter[tuple[str, str]] = Counter()
"""Attempts at jobs, by kind and result: "sent", "retried" or "failed"."""
TOKENS_REFUSED: Counter[str] = Counter()
"""Links and other tokens that were refused as wrong, by kind."""
NEWCOMERS: Counter[str] = Counter()
"""New visitors of a calendar or the form, by result: "admitted", or "waits" if there was too much work."""
REQUESTS: Counter[tuple[str, str]] = Counter()
"""Answered requests, by method and by class of the status, such as "2xx"."""
