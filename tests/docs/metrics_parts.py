"""Makes the table of metrics in docs/OPERATIONS.md from `web/metrics/table.py`."""

from __future__ import annotations

from web.metrics.table import METRICS, Metric


def _row(metric: Metric) -> str:
    return f"| `{metric.name}` | {metric.kind} | {', '.join(metric.all_labels)} | {metric.help} |"


def parts() -> dict[str, str]:
    """Return the parts of docs/OPERATIONS.md that this file generates: name of a part -> its text."""
    head = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    return {"metrics": "\n".join([*head, *map(_row, METRICS)])}
