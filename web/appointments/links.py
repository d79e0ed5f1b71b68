"""Makes and reads the link with which a patient manages a booked visit. It has the appointment's id and a signature.

The link contains no patient data. It is valid for one appointment of one organisation, until the appointment
is erased.
"""

from __future__ import annotations

import base64
import hmac

from web.server.data_key import derived

SIGNATURE_BYTES = 18


class Links:
    """Signs and reads patients' links to their bookings, with a key that is derived for this purpose."""

    def __init__(self, key: bytes) -> None:
        self._key = derived(key, "appointment links")

    def token(self, organisation: str, appointment_id: str) -> str:
        """Return the last part of the link to an appointment, with its id and the signature: "a_Zr3…~Hk9…"."""
        return f"{appointment_id}~{self._signature(organisation, appointment_id)}"

    def read(self, organisation: str, token: str) -> str | None:
        """Return the id of the appointment in a link's last part, `token`.

        Returns None if this server did not sign the link for this organisation.
        """
        appointment_id, _, given = token.partition("~")
        wanted = self._signature(organisation, appointment_id)
        return appointment_id if hmac.compare_digest(given.encode(), wanted.encode()) else None

    def _signature(self, organisation: str, appointment_id: str) -> str:
        drawn = hmac.digest(self._key, f"{organisation}/{appointment_id}".encode(), "sha256")
        return base64.urlsafe_b64encode(drawn[:SIGNATURE_BYTES]).decode()
