"""Defines the types of a tag, and of an answer to the survey after a visit. Does no I/O."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Tag = Annotated[str, Meta(min_length=1, max_length=40)]
"""A word that staff attach to a visit, to find the visit again."""


class SurveyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The patient's answer to the survey.

    `choice`: the number of the chosen option, from 1. `text`: the patient's own words.
    """

    choice: int
    text: str
    at_ms: int
