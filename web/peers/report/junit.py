"""Makes the JUnit XML of a run, which continuous integration shows beside its other tests: one test for each threshold.

This module does no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from web.peers.report.figures import Figures
from web.peers.report.thresholds import Verdict

SUITE = "greenroom peers"
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A character that no XML document may have (XML 1.0 §2.2), such as most control characters."""


def junit(found: Figures, judged: Sequence[Verdict]) -> str:
    """Return the JUnit XML. Each broken threshold is a failed test, with the sentence about it as the message.

    `found`: the figures of the run; `judged`: the results of the thresholds. The plan is in the XML's
    `properties`.
    """
    broken = [verdict for verdict in judged if verdict.broken]
    suite = ElementTree.Element(
        "testsuite",
        name=SUITE,
        tests=str(len(judged)),
        failures=str(len(broken)),
        errors="0",
        time=f"{found.duration_s:.3f}",
        timestamp=found.started,
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in found.about.plan.items():
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for verdict in judged:
        case = ElementTree.SubElement(suite, "testcase", classname=SUITE, name=f"not {verdict.expression}")
        if verdict.broken:
            ElementTree.SubElement(case, "failure", message=verdict.says)
    ElementTree.indent(suite)
    text = NOT_IN_XML.sub("\ufffd", ElementTree.tostring(suite, "unicode"))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'
