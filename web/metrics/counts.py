"""Counts jobs, tokens and requests in this worker since it started.

`signalling/counts.py` has the counts of signalling.
"""

from collections import Counter

JOBS: Counter[tuple[str, str]] = Counter()
"""The number of attempts at jobs, by (kind of the job, result): "sent", "retried" (tried again later) or "failed"."""
TOKENS_REFUSED: Counter[str] = Counter()
"""The number of links and other tokens that were refused as wrong, by kind of token."""
NEWCOMERS: Counter[str] = Counter()
"""The number of new visitors of a calendar or the patient information form, by result: "admitted", or "waits" if
there was too much work.
"""
REQUESTS: Counter[tuple[str, str]] = Counter()
"""The number of answered requests, by (method, class of the status such as "2xx")."""
