"""The link by which a patient manages a booked visit: an appointment's id and a signature, nothing about the patient.

Pure. The link opens one appointment of one organisation; it stops working when the appointment is erased.
"""

from __future__ import annotations

import base64
import hmac

from web.server.data_key import derived

SIGNATURE_BYTES = 18


class Links:
    """Signs and reads such links with a key of their own."""

    def __init__(self, key: bytes) -> None:
        self._key = derived(key, "appointment links")

    def token(self, organisation: str, appointment_id: str) -> str:
        """What stands at the end of the link: "a_Zr3…~Hk9…"."""
        return f"{appointment_id}~{self._signature(organisation, appointment_id)}"

    def read(self, organisation: str, token: str) -> str | None:
        """The id of the appointment that the link opens; None for any that was not signed here for the organisation."""
        appointment_id, _, given = token.partition("~")
        wanted = self._signature(organisation, appointment_id)
        return appointment_id if hmac.compare_digest(given.encode(), wanted.encode()) else None

    def _signature(self, organisation: str, appointment_id: str) -> str:
        drawn = hmac.digest(self._key, f"{organisation}/{appointment_id}".encode(), "sha256")
        return base64.urlsafe_b64encode(drawn[:SIGNATURE_BYTES]).decode()
