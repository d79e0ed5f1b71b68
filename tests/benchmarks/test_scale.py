"""Tests that the simulation of a cluster plays its queues as the theory says, and agrees with the arithmetic."""

import pytest

from tests.benchmarks.scale import CLUSTERS, Cluster, Costs, Queue, load, play

NOTHING = Costs(0, 0, 0, 0, 0, 0, 0, 0, 0)


def test_a_queue_serves_in_turn_and_counts_how_long_it_works() -> None:
    queue = Queue()
    assert [round(queue.serve(at_s, 1e6), 6) for at_s in (0.0, 0.5, 5.0)] == [1.0, 2.0, 6.0]
    assert queue.busy_s == pytest.approx(3.0)


def test_the_same_seed_gives_the_same_run_and_another_one_a_run_like_it() -> None:
    cluster = CLUSTERS["50 workers, 50 clinics"]
    one, again, other = (play(cluster, Costs(), seed=seed) for seed in (3, 3, 4))
    assert one == again
    assert one != other
    assert one.node == pytest.approx(other.node, rel=0.1)


@pytest.mark.parametrize("name", ["14 workers (16 cores), 30 clinics", "50 workers, 50 clinics"])
def test_the_run_is_as_busy_as_the_arithmetic_says(name: str) -> None:
    found, run = load(CLUSTERS[name], Costs()), play(CLUSTERS[name], Costs(), seconds=10.0)
    assert run.worker == pytest.approx(sum(found.worker.values()), rel=0.1)
    assert run.node == pytest.approx(sum(found.node.values()), rel=0.1)


@pytest.mark.parametrize("busy", [0.3, 0.8])
def test_commits_wait_at_a_node_as_the_formula_of_pollaczek_and_khinchine_says(busy: float) -> None:
    """With Poisson arrivals and equal service times s, the mean wait is s * busy / (2 * (1 - busy))."""
    service_s = 0.001
    cluster = Cluster(1, 1, round(busy / service_s), wait_s=1.0, talk_s=0.0, commits=1, deliveries=0.0)
    run = play(cluster, NOTHING._replace(node_commit=service_s * 1e6), seconds=60.0)
    assert run.mean_s - service_s == pytest.approx(service_s * busy / (2 * (1 - busy)), rel=0.15)


def test_what_each_worker_does_for_all_clinics_grows_and_the_rest_does_not() -> None:
    ten, hundred = (load(Cluster(number, number, 100 * number), Costs()) for number in (10, 100))
    for cause, times in (("events", 10), ("commands", 1), ("media", 1), ("fan-out", 1)):
        assert hundred.worker[cause] == pytest.approx(times * ten.worker[cause])
    for cause, times in (("commits", 10), ("events", 100)):
        assert hundred.node[cause] == pytest.approx(times * ten.node[cause])


def test_in_a_large_cluster_not_every_worker_checks_every_clinic_in_each_sweep() -> None:
    three, many = Cluster(3, 10, 1_000), Cluster(100, 10, 1_000)
    assert three.looks_s == pytest.approx(10 * 3 * 2)
    assert 10 * 3 * 2 < many.looks_s < 10 * 100 * 2 / 3


def test_cells_share_the_clinics_the_patients_and_the_workers() -> None:
    cell = Cluster(1_000, 1_000, 100_000, nodes=20, cells=20).cell
    assert cell == Cluster(50, 50, 5_000, nodes=1)
    assert load(cell, Costs()) == load(Cluster(1_000, 1_000, 100_000, nodes=20, cells=20), Costs())
