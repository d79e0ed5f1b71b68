"""Tests which party is chosen as the active speaker, from levels of sound that were averaged over time."""

from __future__ import annotations

import pytest

from media.forwarding.active_speaker import STEP_S, ActiveSpeaker, Voice

LOUDEST, SPEECH, SOFT, NOISE = 40.0, 25.0, 12.0, 0.0


def steps(speaker: ActiveSpeaker, count: int, **loudness: float) -> list[str | None]:
    """Return the chosen speaker after each of `count` steps. `loudness`: that of each party, the same in each step."""
    found = []
    for _ in range(count):
        speaker.observe(loudness)
        found.append(speaker.current)
    return found


@pytest.mark.parametrize(
    ("levels", "loudness"),
    [
        ([], 0.0),
        ([30] * 10, 25.0),
        ([127] * 10, 0.0),
        ([60] * 10, 0.0),  # sound of -60 dBov counts as noise
        ([0] * 10, LOUDEST),
        ([30] * 5 + [127] * 5, 12.5),
        ([30], 6.25),  # one packet only: Opus sends few packets during silence (DTX)
    ],
)
def test_loudness_is_the_mean_of_a_step_above_the_noise(levels: list[int], loudness: float) -> None:
    voice = Voice()
    for level in levels:
        voice.add(level)
    assert voice.take() == loudness
    assert voice.take() == 0.0, "the next step begins with nothing"


def test_a_party_that_speaks_for_half_a_second_is_the_speaker_until_two_seconds_after() -> None:
    speaker = ActiveSpeaker()
    assert steps(speaker, 10, a=NOISE, b=NOISE) == [None] * 10
    assert steps(speaker, 3, a=SPEECH, b=NOISE) == [None, "a", "a"]
    assert 2 * STEP_S < 0.5
    steps(speaker, 20, a=SPEECH, b=NOISE)
    quiet = steps(speaker, 12, a=NOISE, b=NOISE)
    assert quiet == ["a"] * 7 + [None] * 5, "a pause between words changes nothing"


@pytest.mark.parametrize(("loudness", "speaker"), [(33.0, None), (34.0, "a")])
def test_a_party_that_was_not_heard_before_must_be_loud_to_be_the_speaker_at_once(
    loudness: float, speaker: str | None
) -> None:
    assert steps(ActiveSpeaker(), 1, a=loudness) == [speaker]


@pytest.mark.parametrize(("loudness", "speaker"), [(29.0, "a"), (31.0, "b")])
def test_another_party_is_the_speaker_if_it_is_half_as_loud_again(loudness: float, speaker: str) -> None:
    chosen = ActiveSpeaker()
    steps(chosen, 20, a=20.0, b=NOISE)
    assert steps(chosen, 30, a=20.0, b=loudness)[-1] == speaker


def test_a_cough_makes_no_speaker_and_a_word_in_between_does_not_change_it() -> None:
    speaker = ActiveSpeaker()
    assert steps(speaker, 1, a=SPEECH, b=NOISE) + steps(speaker, 5, a=NOISE, b=NOISE) == [None] * 6
    steps(speaker, 20, a=SPEECH, b=NOISE)
    assert set(steps(speaker, 2, a=SPEECH, b=LOUDEST)) == {"a"}


def test_a_soft_voice_is_the_speaker_once_the_other_is_silent() -> None:
    speaker = ActiveSpeaker()
    steps(speaker, 20, a=SPEECH, b=SOFT)
    assert speaker.current == "a"
    assert steps(speaker, 10, a=NOISE, b=SOFT)[-1] == "b"


def test_a_speaker_who_left_is_none_and_a_room_may_be_empty() -> None:
    speaker = ActiveSpeaker()
    steps(speaker, 20, a=SPEECH, b=NOISE)
    assert steps(speaker, 1, b=NOISE) == [None]
    speaker.observe({})
    assert speaker.current is None
