"""All errors of this package except the load tester's (`web/peers/errors.py`). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from web.api.problems import FieldProblem


class WebError(Exception):
    """The base of all errors of this package."""


# --- settings and commands


class ConfigError(WebError):
    """The server cannot start with these settings; the text is one sentence for the person who started it."""


class CommandError(WebError):
    """The command is not possible; the text is a sentence for the person who called it."""


class ServerNotReadyError(WebError):
    """The server did not start; the text is the end of its log."""


# --- organisations


class OrganisationError(WebError):
    """The settings are not valid; the text names the field and the reason."""


class FacilityError(WebError):
    """The facility cannot be added; the text is a constant of this code, for the person who tried."""


class LogoError(WebError):
    """The file cannot be a logo; the text is an English sentence for the person who sent it, and pages translate it."""


class PictureError(WebError):
    """The photo cannot be accepted; the text is an English sentence for the sender, and pages translate it."""


# --- accounts, and guesses of passwords, codes and links


class AccountError(WebError):
    """An account cannot be added or changed in this way; the text is a sentence for the person who tried."""


class BlockedError(WebError):
    """There were too many wrong guesses; the next guess is checked after `retry_s` seconds."""

    def __init__(self, retry_s: int) -> None:
        super().__init__(retry_s)
        self.retry_s = retry_s


class BusyError(WebError):
    """Too many guesses are being checked now; a later try may succeed."""


# --- booked visits


class TimeTakenError(WebError):
    """The time is no longer free."""


class TooManyHoldsError(WebError):
    """A visitor from this address already holds too many times."""


class StaleAppointmentError(WebError):
    """The record has changed since it was read."""


class TooLateError(WebError):
    """The change is no longer possible: the booked time has come, or the visit was cancelled."""


# --- jobs, mail and webhooks


class PermanentJobError(WebError):
    """The job cannot succeed, however often it is tried. The text is a constant of this code and may be logged."""


class PutOffError(WebError):
    """The job was not attempted, because the breaker of its receiver is open; it is due again at `due_ms`."""

    def __init__(self, due_ms: int) -> None:
        super().__init__(due_ms)
        self.due_ms = due_ms


class LetterError(WebError, ValueError):
    """The mail cannot be made: the template does not exist, or an address or header is not valid."""


class AddressRefusedError(WebError, OSError):
    """The address may not be called."""


class DeliveryError(WebError):
    """The receiver did not accept the message; it is tried again. The text is a constant of this code: the reason."""


# --- the API for other programs


class ApiKeyError(WebError):
    """The key cannot be made; the text is a constant of this code, for the person who tried."""


class ProblemError(WebError):
    """The request is refused. `code` is one of `web.api.problems.KINDS`; the rest is in the response."""

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
