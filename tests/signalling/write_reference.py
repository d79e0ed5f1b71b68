"""Writes the reference at the end of PROTOCOL.md anew, from the message types: `make protocol`."""

from pathlib import Path

import signalling
from signalling.reference import renewed

if __name__ == "__main__":
    path = Path(signalling.__file__).with_name("PROTOCOL.md")
    path.write_text(renewed(path.read_text("utf-8")), "utf-8")
