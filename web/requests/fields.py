"""Reads the fields of a posted form, with a limit of size that is smaller for strangers than for staff.

The hidden field with the token that proves where the form comes from (`own_forms.py`) is left out.
"""

from aiohttp import web
from multidict import MultiDict, MultiDictProxy

from web.keys import SIGNED_IN
from web.requests import own_forms
from web.requests.forms import URLENCODED, read_posted

SMALL_BYTES = 8 * 1024
"""The greatest size in bytes of a form that can be sent without a sign-in: an email address and a password, with
every letter escaped."""
PATIENT_BYTES = 24 * 1024
"""The greatest size in bytes of the patient information form: 1,500 characters, each of which browsers escape in at
most twelve bytes."""
STAFF_BYTES = 64 * 1024
LARGEST_BYTES = 1024 * 1024
"""The greatest size in bytes of a form on the pages on which administrators change the organisation's settings."""


async def read_fields(request: web.Request, most: int = SMALL_BYTES) -> MultiDictProxy[str]:
    """Return the fields of a posted form; a name may occur several times, and files are left out.

    The form may have at most `most` bytes, or STAFF_BYTES if that is more and the request is known to come from a
    signed-in person. Raises HTTP 400 if the body is no form, 408 if it takes too long, 413 if it is too large, and 415
    for another content type.
    """
    bound = max(most, STAFF_BYTES) if SIGNED_IN in request else most
    fields = (await read_posted(request, bound, URLENCODED)).fields
    if own_forms.FIELD not in fields:
        return fields
    return MultiDictProxy(
        MultiDict((name, value) for name, value in fields.items() if name != own_forms.FIELD)
    )


async def read_form(request: web.Request, most: int = SMALL_BYTES) -> dict[str, str]:
    """Return the fields of a posted form as name -> value; of several fields with one name, only the first is kept.

    `most`: the greatest size of the form in bytes. The limits and the errors are those of `read_fields`.
    """
    return dict(reversed(list((await read_fields(request, most)).items())))
