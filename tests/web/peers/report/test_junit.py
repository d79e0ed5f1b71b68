"""Tests the JUnit XML of a run."""

from __future__ import annotations

from xml.etree import ElementTree

from tests.web.peers.runs import run
from web.peers.report.figures import figures
from web.peers.report.junit import junit
from web.peers.report.thresholds import verdicts


def test_each_threshold_is_a_test_and_a_broken_one_is_a_failure_with_its_sentence() -> None:
    seen = run(lost=3)
    seen.about.plan["server"] = "https://visits.example/a&b"
    judged = verdicts(seen, ["errors>0", "claim.p99>10s"])
    suite = ElementTree.fromstring(junit(figures(seen), judged).encode())
    assert (suite.tag, suite.get("tests"), suite.get("failures")) == ("testsuite", "2", "1")
    broken, held = suite.findall("testcase")
    assert (broken.get("name"), held.get("name")) == ("not errors>0", "not claim.p99>10s")
    failure = broken.find("failure")
    assert failure is not None
    assert failure.get("message") == "errors>0: it was 3"
    assert held.find("failure") is None
    plan = {one.get("name"): one.get("value") for one in suite.iterfind("properties/property")}
    assert plan["server"] == "https://visits.example/a&b"
    assert plan["patients"] == "400"


def test_a_control_character_in_a_name_leaves_the_xml_readable() -> None:
    seen = run()
    seen.about.plan["scenario"] = "a\x01b\ufffe.toml"
    judged = verdicts(seen, ["errors.\x1f>0"])
    suite = ElementTree.fromstring(junit(figures(seen), judged).encode())
    plan = {one.get("name"): one.get("value") for one in suite.iterfind("properties/property")}
    assert plan["scenario"] == "a\ufffdb\ufffd.toml"
