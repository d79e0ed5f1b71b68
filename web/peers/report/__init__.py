"""The report of a run as a page, JSON and CSV; thresholds that a run may break; and the comparison of two runs.

A program that drives a run needs only `write`, `judge`, `parse` and `compare`.
"""

from web.peers.errors import ThresholdError
from web.peers.report.comparing import compare
from web.peers.report.thresholds import judge, parse
from web.peers.report.writing import write

__all__ = ["ThresholdError", "compare", "judge", "parse", "write"]
