"""Tests that no observation of a run gets lost: in a file, in limited memory, and when
those of several processes are joined.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from web.peers.errors import ObservationsError
from web.peers.run.observations import EXAMPLE_LENGTH, EXAMPLES, OTHER, Observations


class Clock:
    """A clock that a test sets; it does not move by itself."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def seen() -> tuple[Observations, Clock]:
    """Return (the observations of a small run, their clock)."""
    clock = Clock()
    observations = Observations(clock=clock)
    clock.now += 1.5
    observations.step("claim", 0.004)
    observations.count("retries", 2)
    observations.error("42901", "claim: too many at once")
    observations.gauge("waiting", 3)
    clock.now += 0.5
    observations.step("claim", 0.006)
    observations.gauge("waiting", 2)
    return observations, clock


def test_each_observation_has_its_second() -> None:
    observations, _ = seen()
    assert list(observations.steps["claim"]) == [(1.5, 0.004), (2.0, 0.006)]
    assert list(observations.counts["retries"]) == [(1.5, 2)]
    assert list(observations.gauges["waiting"][0]) == [(1.5, 3), (2.0, 2)]
    assert observations.duration_s == 2.0


def test_a_saved_run_is_read_as_it_was(tmp_path: Path) -> None:
    observations, _ = seen()
    observations.about.plan = {"patients": "200"}
    observations.save(tmp_path / "run.jsonl")
    read = Observations.load(tmp_path / "run.jsonl")
    assert read.started_at == observations.started_at
    assert read.about == observations.about
    assert list(read.steps["claim"]) == list(observations.steps["claim"])
    assert list(read.counts["retries"]) == list(observations.counts["retries"])
    assert [list(series) for series in read.gauges["waiting"].values()] == [[(1.5, 3), (2.0, 2)]]
    assert read.examples == {"42901": ["claim: too many at once"]}


def test_a_line_that_was_not_written_to_its_end_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    observations, _ = seen()
    observations.save(path)
    path.write_bytes(path.read_bytes()[:-5])
    assert Observations.load(path).steps["claim"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "expected observations"),
        (b"<html>", "expected observations"),
        (b'{"greenroom":"observations","format":7,"started_at":1,"about":{}}\n', "found 7"),
        (b'{"greenroom":"observations","format":1,"started_at":1,"about":{}}\n[1]\n', "line 1"),
        (
            b'{"greenroom":"observations","format":1,"started_at":1,"about":{}}\n["step","../x",1,1,null]\n',
            "line 1",
        ),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(content)
    with pytest.raises(ObservationsError, match=says) as told:
        Observations.load(path)
    assert str(path) in str(told.value)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ObservationsError, match="No such file"):
        Observations.load(tmp_path / "none.jsonl")


def test_several_parts_become_one_on_the_first_ones_clock() -> None:
    (first, _), (second, _) = seen(), seen()
    second.started_at = first.started_at + 10
    merged = Observations.merge([second, first])
    assert [at for at, _ in merged.steps["claim"]] == [1.5, 2.0, 11.5, 12.0]
    assert len(merged.gauges["waiting"]) == 2
    assert merged.examples == {"42901": ["claim: too many at once"]}
    with pytest.raises(ObservationsError):
        Observations.merge([])


def test_a_process_sends_only_what_is_new_and_another_takes_it_in() -> None:
    observations, clock = seen()
    shown = Observations()
    shown.gauge("waiting", 1)
    shown.absorb(observations.news(), source=1)
    assert observations.news() == b""
    clock.now += 1
    observations.gauge("waiting", 0)
    observations.error("42901", "claim: still too many")
    shown.absorb(observations.news(), source=1)
    assert sorted(shown.gauges["waiting"]) == [0, 1]
    assert [value for _, value in shown.gauges["waiting"][1]] == [3, 2, 0]
    assert shown.examples["42901"] == ["claim: too many at once", "claim: still too many"]


def test_one_who_takes_part_in_a_run_counts_from_its_beginning() -> None:
    assert Observations(clock=Clock(), ago_s=5).now_s == 5
    assert Observations(clock=Clock(), ago_s=-3).now_s == -3


def test_what_machines_use_while_they_wait_for_the_begin_is_no_part_of_the_run() -> None:
    clock = Clock()
    observations = Observations(clock=clock, ago_s=-3)
    for cores in (0.1, 0.2):
        observations.gauge("server_cpu", cores)
        clock.now += 3
    observations.gauge("server_cpu", 2.0)
    assert list(observations.gauges["server_cpu"][0]) == [(0.0, 0.2), (3.0, 2.0)]


def test_errors_of_a_broken_server_do_not_fill_the_memory() -> None:
    observations = Observations()
    for number in range(1000):
        observations.error(f"code {number}", "long\n" * 1000)
        observations.error("same", f"example {number}")
    assert len(observations.errors) < 210
    assert len(observations.errors[OTHER]) > 700
    assert len(observations.examples["same"]) <= EXAMPLES
    assert max(len(one) for kept in observations.examples.values() for one in kept) <= EXAMPLE_LENGTH


def test_half_a_character_in_a_servers_error_can_be_sent_and_saved(tmp_path: Path) -> None:
    seen = Observations()
    seen.error("odd\ud800", "text \udfff")
    other = Observations()
    other.absorb(seen.news())
    assert other.examples == {"odd?": ["text ?"]}
    seen.save(tmp_path / "run.jsonl")
    assert Observations.load(tmp_path / "run.jsonl").examples == other.examples


def test_fifty_thousand_observations_cost_little() -> None:
    observations = Observations()
    began = time.process_time()
    for _ in range(50_000):
        observations.step("claim", 0.004)
    assert time.process_time() - began < 1.0
