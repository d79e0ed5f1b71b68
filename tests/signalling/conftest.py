"""What the tests of signalling share: logs in plain lines, for a traceback drawn with all its locals takes seconds."""

import structlog

structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["event"]),
    ]
)
