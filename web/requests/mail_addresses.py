"""Checks email addresses: to which addresses a mail can be sent, and how they are written for mail servers."""

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

LONGEST = 254


def mail_address(text: str, *, public: bool = True) -> str:
    """Return an email address in the form in which it is stored; "" if no mail can be sent to it.

    A domain with letters beyond ASCII, such as `bücher.example`, keeps these letters. A domain without a dot belongs
    to the clinic's own network, so "" is returned for it if the address must be `public`.
    """
    found = _read(text)
    return "" if found is None or (public and "." not in found.domain) else found.normalized


def on_the_envelope(text: str) -> str:
    """Return an email address in ASCII, for mail servers; "" if no mail can be sent to it.

    The domain of the returned address is in A-labels (RFC 5890).
    """
    found = _read(text)
    return "" if found is None else found.ascii_email or ""


def _read(text: str) -> ValidatedEmail | None:
    """Return an email address in its parts, or None if no mail can be sent to it.

    Only the domain may have characters beyond ASCII, because mail servers do not deliver other addresses.
    """
    if len(text) > LONGEST:
        return None
    try:
        return validate_email(
            text, allow_smtputf8=False, check_deliverability=False, globally_deliverable=False
        )
    except EmailNotValidError:
        return None
