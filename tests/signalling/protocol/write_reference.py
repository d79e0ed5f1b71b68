"""Writes the files that are generated from the message types. `make protocol` runs it.

These are the reference at the end of PROTOCOL.md, and the types with which the browser's scripts are checked.
"""

from pathlib import Path

import signalling
from signalling.protocol.reference import renewed
from signalling.protocol.typescript import declarations

DECLARATIONS = Path(signalling.__file__).parents[1] / "web/static/protocol.d.ts"

if __name__ == "__main__":
    path = Path(signalling.__file__).with_name("protocol") / "PROTOCOL.md"
    path.write_text(renewed(path.read_text("utf-8")), "utf-8")
    DECLARATIONS.write_text(declarations(), "utf-8")
