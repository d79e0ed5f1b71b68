"""Defines all errors of this package except those of the load tester (`web/peers/errors.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from web.api.problems import FieldProblem


class WebError(Exception):
    """The base of all errors of this package."""


# --- errors of settings and commands


class ConfigError(WebError):
    """The server cannot start with these settings; the text is one sentence for the person who started it."""


class CommandError(WebError):
    """The command is not possible; the text is a sentence for the person who called it."""


class IncompleteClusterError(CommandError):
    """A node of the store's cluster does not answer, or some hash slots have no node; a replica may soon take the
    node's place.
    """


class ServerNotReadyError(WebError):
    """A server that this program started was not ready in time, or has ended; the text is the end of its log."""


# --- errors of organisations


class OrganisationError(WebError):
    """The settings of an organisation are not valid; the text names the field and the reason."""


class FacilityError(WebError):
    """The facility cannot be added; the text is one of a few fixed sentences, and is shown to the person who tried."""


class LogoError(WebError):
    """The file cannot be used as a logo; the text is an English sentence for the sender, and pages translate it."""


class PictureError(WebError):
    """The photo cannot be accepted; the text is an English sentence for the sender, and pages translate it."""


# --- errors of accounts, and of guesses at passwords, codes and links


class AccountError(WebError):
    """An account cannot be added or changed in this way; the text is a sentence for the person who tried."""


class BlockedError(WebError):
    """There were too many wrong guesses or other attempts; the next attempt is allowed after `retry_s` seconds."""

    def __init__(self, retry_s: int) -> None:
        super().__init__(retry_s)
        self.retry_s = retry_s


class BusyError(WebError):
    """Too much work of one kind, such as checks of passwords, is in progress or waits now; a later try may
    succeed."""


# --- errors of booked visits


class TimeTakenError(WebError):
    """The chosen time of an appointment is no longer free."""


class TooManyHoldsError(WebError):
    """Visitors from this IP address already hold too many bookable times, each of them for ten minutes."""


class StaleAppointmentError(WebError):
    """A change of an appointment was not stored, because the appointment was changed after it had been read."""


class TooLateError(WebError):
    """The change of a booked visit is no longer possible: its time has come, it was cancelled, or the patient has
    checked in.
    """


# --- errors of jobs, mail and webhooks


class PermanentJobError(WebError):
    """The job cannot succeed, however often it is tried. The text is a constant of this code and may be logged."""


class PutOffError(WebError):
    """The job was not attempted, because deliveries to its receiver are paused; the job is due again at `due_ms`."""

    def __init__(self, due_ms: int) -> None:
        super().__init__(due_ms)
        self.due_ms = due_ms


class LetterError(WebError, ValueError):
    """The mail cannot be made: the template does not exist, or an address or header is not valid."""


class AddressRefusedError(WebError, OSError):
    """The server may not connect to the address, because it is not public."""


class DeliveryError(WebError):
    """The receiver did not accept the message; its job is tried again later.

    The text is the reason, a constant of this code.
    """


# --- errors of the API for other programs


class ApiKeyError(WebError):
    """The key cannot be made; the text is a constant of this code, for the person who tried."""


class ProblemError(WebError):
    """The API request is refused.

    `code` names the problem; `web.api.problems.KINDS` lists all codes. The response contains `detail`, `details` and
    `errors`, and has the `headers`.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        details: Mapping[str, Any] | None = None,
        errors: tuple[FieldProblem, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code, self.detail, self.errors = code, detail, errors
        self.details, self.headers = dict(details or {}), dict(headers or {})
