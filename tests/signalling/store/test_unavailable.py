"""Tests the reported reason if the store refuses a command or does not answer, and that a reason is logged once a
minute.
"""

from __future__ import annotations

import errno
import os

import pytest
from redis._parsers import BaseParser
from redis.exceptions import ConnectionError, RedisError, ResponseError
from redis.exceptions import TimeoutError as LateAnswer
from structlog.testing import capture_logs

from signalling import repeated
from signalling.errors import UnavailableError
from signalling.store.unavailable import answering, log_unavailable, reason_of

ANSWERS = [
    ("OOM command not allowed when used memory > 'maxmemory'.", "OOM"),
    ("READONLY You can't write against a read only replica.", "READONLY"),
    ("NOPERM User default has no permissions to run the 'set' command", "NOPERM"),
    ("ERR ACL failure in script: User default has no permissions to run the 'set' command", "NOPERM"),
    (
        "MISCONF Valkey is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "MISCONF",
    ),
    (f"MISCONF Errors writing to the AOF file: {os.strerror(errno.ENOSPC)}", "ENOSPC"),
    ("NOREPLICAS Not enough good replicas to write.", "NOREPLICAS"),
    ("CLUSTERDOWN Hash slot not served", "CLUSTERDOWN"),
    ("BUSY Valkey is busy running a script.", "BUSY"),
    ("ERR unknown command", "ResponseError"),
]


@pytest.mark.parametrize(("text", "reason"), ANSWERS, ids=[text.partition(":")[0] for text, _ in ANSWERS])
async def test_r33_each_refusal_of_the_store_has_a_reason(text: str, reason: str) -> None:
    refusal: RedisError = BaseParser.parse_error(text)  # type: ignore[no-untyped-call]
    assert reason_of(refusal) == reason
    with pytest.raises(UnavailableError) as raised:
        async with answering():
            raise refusal
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    "problem", [ConnectionError("gone"), LateAnswer("late"), ConnectionRefusedError(), TimeoutError()]
)
async def test_r33_a_store_that_does_not_answer_has_not_refused(problem: Exception) -> None:
    with pytest.raises(UnavailableError) as raised:
        async with answering():
            raise problem
    assert (raised.value.reason, raised.value.refused) == (type(problem).__name__, False)


def test_r33_an_error_that_has_a_reason_keeps_it() -> None:
    assert reason_of(UnavailableError("READONLY")) == "READONLY"


def test_r33_a_reason_is_logged_once_a_minute_and_another_one_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repeated, "_repeated", repeated.Repeated())
    with capture_logs() as told:
        for problem in (TimeoutError(), TimeoutError(), ConnectionError("gone"), TimeoutError()):
            log_unavailable(problem)
    assert [event["reason"] for event in told] == ["TimeoutError", "ConnectionError"]


@pytest.mark.parametrize(
    ("problem", "level"), [(ResponseError("NOPERM no right"), "error"), (ConnectionError("gone"), "warning")]
)
def test_r33_a_refusal_is_logged_as_an_error_and_an_absence_as_a_warning(
    problem: Exception, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeated, "_repeated", repeated.Repeated())
    with capture_logs() as told:
        log_unavailable(problem)
    assert [event["log_level"] for event in told] == [level]
