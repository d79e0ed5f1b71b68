"""What `greenroom doctor` looks at: a table of checks, each of which finds a thing good, doubtful or wrong.

Knows the settings and what lies around the server: folder, clock, store, proxy, networks, mail. Knows no request.
"""

from web.doctor.checks import CHECKS, look
from web.doctor.findings import Finding, State

__all__ = ["CHECKS", "Finding", "State", "look"]
