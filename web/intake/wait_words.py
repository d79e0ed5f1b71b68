"""Writes an expected wait in words, for calendar and kiosk.

`waitWords` in `web/static/shared/format.js` has the same rules, for a patient who is already waiting.
"""

from web.languages.i18n import gettext, ngettext

MINUTE_MS = 60_000


def wait_words(wait_ms: tuple[int, int] | None) -> str | None:
    """Return an expected wait (low, high) in ms as words; None if there is no estimate.

    If `high` is over an hour and a half, the words name hours. If the sum of `low` and `high` is four hours or more,
    the words are "More than two hours".
    """
    if wait_ms is None:
        return None
    low, high = max(1, wait_ms[0] // MINUTE_MS), max(1, -(-wait_ms[1] // MINUTE_MS))
    if low + high >= 240:
        return gettext("More than two hours")
    if high > 120:
        return gettext("Usually one to three hours")
    if high > 90:
        return gettext("Usually half an hour to two hours")
    if high == 1:
        return gettext("Usually within a minute")
    if low == high:
        return ngettext("Usually about %(num)s minute", "Usually about %(num)s minutes", high) % {"num": high}
    return gettext("Usually %(low)s to %(high)s minutes") % {"low": low, "high": high}
