"""Tests the figures of a claim race, from what the providers and the patient's pages received."""

from __future__ import annotations

from tests.benchmarks.claim import PROVIDERS, Round, judge


def test_a_claim_that_did_not_reach_the_page_on_the_other_worker_counts_as_unseen() -> None:
    races = [
        Round(1, PROVIDERS - 1, version=7, worker="a", sent_ns=1_000_000),
        Round(1, PROVIDERS - 1, version=9, worker="b", sent_ns=5_000_000),
        Round(2, PROVIDERS - 2, version=11, worker="b", sent_ns=9_000_000),
    ]
    seen = {7: {"a": 1_500_000, "b": 3_000_000}, 9: {"a": 6_000_000, "b": 9_000_000}, 11: {"b": 9_500_000}}
    figures = {figure.id: figure.value for figure in judge(races, seen)}
    assert figures["claim_p99_ms"] == 2.0
    assert figures["claim_p50_ms"] == 1.0
    assert figures["claim_wrong"] == 1
    assert figures["claim_unseen"] == 1
