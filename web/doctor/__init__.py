"""Contains the checks of `greenroom doctor`, in a table; each has the result good, doubtful or wrong.

They check the settings and the surroundings of the server: folder, clock, store, proxy, networks, mail.
"""

from web.doctor.checks import CHECKS, look
from web.doctor.findings import Finding, State

__all__ = ["CHECKS", "Finding", "State", "look"]
