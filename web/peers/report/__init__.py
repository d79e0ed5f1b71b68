"""The report of a run: one page, JSON and CSV; thresholds that break it; and what is better or worse than in another.

`write`, `judge`, `parse` and `compare` are all that a driver needs. Knows observations and files; how people are driven
is no concern of it.
"""

from web.peers.errors import ThresholdError
from web.peers.report.comparing import compare
from web.peers.report.thresholds import judge, parse
from web.peers.report.writing import write

__all__ = ["ThresholdError", "compare", "judge", "parse", "write"]
