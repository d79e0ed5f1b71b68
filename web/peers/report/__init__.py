"""Makes the report of a run as a page, JSON and CSV; checks thresholds of a run; and compares two runs.

A program that drives a run needs only `write`, `judge`, `parse` and `compare`.
"""

from web.peers.errors import ThresholdError
from web.peers.report.comparing import compare
from web.peers.report.thresholds import judge, parse
from web.peers.report.writing import write

__all__ = ["ThresholdError", "compare", "judge", "parse", "write"]
