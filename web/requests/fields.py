"""The fields of a posted form, without the token of `own_forms`, and how many bytes a form may have.

Knows what a stranger may send and what staff may. Knows no page.
"""

from aiohttp import web
from multidict import MultiDict, MultiDictProxy

from web.keys import SIGNED_IN
from web.requests import own_forms
from web.requests.forms import URLENCODED, read_posted

SMALL_BYTES = 8 * 1024
"""A form of somebody who is not signed in: an email address and a password, with every letter escaped."""
PATIENT_BYTES = 24 * 1024
"""Patient information: 1,500 characters in all, of up to twelve bytes each as browsers escape them."""
STAFF_BYTES = 64 * 1024
LARGEST_BYTES = 1024 * 1024
"""The set-up's."""


async def read_fields(request: web.Request, most: int = SMALL_BYTES) -> MultiDictProxy[str]:
    """The fields of a posted form, names that repeat included; no file. Raises HTTP 400, 408, 413 or 415.

    At most `most` bytes from anybody; from who was found to be signed in already, as much as any form of staff needs.
    """
    bound = max(most, STAFF_BYTES) if SIGNED_IN in request else most
    fields = (await read_posted(request, bound, URLENCODED)).fields
    if own_forms.FIELD not in fields:
        return fields
    return MultiDictProxy(
        MultiDict((name, value) for name, value in fields.items() if name != own_forms.FIELD)
    )


async def read_form(request: web.Request, most: int = SMALL_BYTES) -> dict[str, str]:
    """The fields of a posted form, the first of each name; else as `read_fields`."""
    return dict(reversed(list((await read_fields(request, most)).items())))
