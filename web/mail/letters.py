"""Writes mails, as text and as HTML, in one language, with an organisation's name and colour.

The only I/O is the reading of templates. A line break in a header is refused, so that no visitor can add
headers.
"""

import re
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import markupsafe
import msgspec
from babel.dates import get_timezone_location

from web.errors import LetterError
from web.languages import i18n
from web.organisations.settings import Organisation
from web.requests.mail_addresses import on_the_envelope

TEMPLATES = Path(__file__).parent.parent / "templates"
NAMES = tuple(sorted(path.stem for path in (TEMPLATES / "mail").glob("*.jinja")))
"""The names of all mails. Each has one template, which is used in the text layout and in the HTML layout."""

DARKEST_CONTRAST = 5.0
BRAND = "#0f6d5f"


class Attachment(msgspec.Struct, frozen=True, array_like=True):
    """A file in a mail. `kind` is its content type with parameters, such as "text/calendar; method=REQUEST"."""

    name: str
    kind: str
    data: bytes


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A mail to write.

    `context`: the values for its template, which are texts, numbers, flags, and times in ms.
    """

    name: str
    to: str
    language: str
    context: dict[str, Any] = {}
    attachments: tuple[Attachment, ...] = ()


def moment(ms: float, timezone: str) -> datetime:
    """Return a time (ms since the epoch) in the organisation's time zone. Templates use it as a filter."""
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(timezone))


def city(timezone: str) -> str:
    """Return the place that a time zone is named after, in the current language: "Chicago"."""
    return get_timezone_location(timezone, locale=i18n.locale(), return_city=True)


def _environment(*, html: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=html,  # noqa: S701 - plain text must not be escaped
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    i18n.install(environment)
    environment.filters["moment"] = moment
    environment.filters["city"] = city
    environment.filters["lines"] = _html_lines if html else str
    return environment


def _html_lines(text: str) -> markupsafe.Markup:
    return markupsafe.Markup("<br>").join(text.split("\n"))


TEXT, HTML = _environment(html=False), _environment(html=True)


def written(
    letter: Letter, organisation: Organisation, *, sender: str, origin: str, message_id: str, now: datetime
) -> EmailMessage:
    """Return the mail as a message that can be sent.

    `sender`: the From address; `origin`: the beginning of links, such as "https://host"; `now`: the date of
    the mail. Raises LetterError if an address or a header is not valid.
    """
    if letter.name not in NAMES:
        raise LetterError("there is no such letter")
    with i18n.using(letter.language):
        values = {
            "org": organisation,
            "home": f"{origin}/{organisation.id}",
            "origin": origin,
            "lang": i18n.current(),
            "dir": i18n.direction(),
            "accent": readable(organisation.accent or BRAND),
            **letter.context,
        }
        text, html = (
            environment.get_template(f"mail/{letter.name}.jinja").render(
                values,
                layout=f"mail/layout.{kind}",
                part=environment.get_template(f"mail/parts.{kind}").make_module({"accent": values["accent"]}),
            )
            for environment, kind in ((TEXT, "txt"), (HTML, "html"))
        )
    subject, _, text = text.partition("\n")
    message = EmailMessage(policy=SMTP)
    try:
        message["Subject"] = subject.strip()
        message["From"] = Address(_plain(organisation.name), addr_spec=sender)
        message["To"] = Address(addr_spec=_recipient(letter))
        if organisation.reply_to:
            message["Reply-To"] = Address(addr_spec=organisation.reply_to)
        message["Date"] = format_datetime(now.astimezone(UTC))
        message["Message-ID"] = message_id
        # This header prevents out-of-office answers (RFC 3834).
        message["Auto-Submitted"] = "auto-generated"
        for header in ("From", "To"):
            if message[header].defects or "\n" in str(message[header]):
                raise LetterError(f"{header} cannot be an address")
    except (ValueError, IndexError, HeaderParseError) as problem:
        raise LetterError(f"a header cannot be written ({type(problem).__name__})") from None
    message.set_content(_paragraphs(text), cte="quoted-printable")
    message.add_alternative(html.strip() + "\n", subtype="html", cte="quoted-printable")
    for attachment in letter.attachments:
        # A calendar entry is added twice: some mail programs look for it in an alternative part, other programs among
        # the attachments.
        if attachment.kind.startswith("text/calendar"):
            _also_as(message, attachment)
    for attachment in letter.attachments:
        _attach(message, attachment)
    return message


def _recipient(letter: Letter) -> str:
    """Return the address of the recipient in ASCII. Raises LetterError if no mail can be sent to it."""
    address = on_the_envelope(letter.to)
    if not address:
        raise LetterError("To cannot be an address")
    return address


def _also_as(message: EmailMessage, attachment: Attachment) -> None:
    """Add an attachment's text to the message as one more part of its multipart/alternative."""
    _, sub, parameters = _kind(attachment)
    charset = parameters.pop("charset", "utf-8")
    message.add_alternative(
        attachment.data.decode(charset), subtype=sub, charset=charset, cte="base64", params=parameters
    )


def _kind(attachment: Attachment) -> tuple[str, str, dict[str, str]]:
    """Return the content type of an attachment: its two parts, such as "text" and "calendar", and its parameters."""
    kind, _, rest = attachment.kind.partition(";")
    main, _, sub = kind.strip().partition("/")
    return main, sub, dict(re.findall(r"([\w-]+)=([\w.-]+)", rest))


def _attach(message: EmailMessage, attachment: Attachment) -> None:
    main, sub, parameters = _kind(attachment)
    message.add_attachment(attachment.data, main, sub, filename=attachment.name, params=parameters)


def _paragraphs(text: str) -> str:
    """Return the text with at most one empty line between paragraphs. A filled template can have several."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in text.strip().splitlines())) + "\n"


def _plain(name: str) -> str:
    return " ".join(name.split())


def readable(colour: str) -> str:
    """Return the colour, darkened until white text on it is readable (WCAG 2.2, 1.4.3).

    On pages, `static/accent.js` does the same.
    """
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    while 1.05 / (_luminance(parts) + 0.05) < DARKEST_CONTRAST:
        parts = [int(part * 0.94) for part in parts]
    return "#" + "".join(f"{part:02x}" for part in parts)


def _luminance(rgb: list[int]) -> float:
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in rgb)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
