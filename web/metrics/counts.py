"""What this worker has counted of jobs, tokens and requests since it started; see `signalling/counts.py`."""

from collections import Counter

JOBS: Counter[tuple[str, str]] = Counter()
"""Attempts at jobs, by kind and result: "sent", "retried" or "failed"."""
TOKENS_REFUSED: Counter[str] = Counter()
"""Wrong links and other wrong tokens, by kind."""
REQUESTS: Counter[tuple[str, str]] = Counter()
"""Answered requests, by method and class of the status, as in "2xx"."""
