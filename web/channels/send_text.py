"""Sends one text message with the library apprise, in a process of its own; `texts.py` starts it for each message.

It reads {"url", "text", "allowed"} as JSON from its standard input and writes one word, its result (one of WORDS);
without a text it only checks the URL. It is not part of a worker, for three reasons: a service that hangs ends with its
process, apprise uses no memory of a worker, and Python itself checks every connection that apprise opens (`guard`).
"""

import json
import sys
from typing import Any

from web.programs.public_addresses import may_call, networks

WORDS = ("sent", "unknown", "address", "refused")
"""The results of this program. "sent": the service has accepted the message, or the URL is valid and there was no text
to send. "unknown": the URL names no service. "address": the address of the service may not be called. "refused": the
service did not accept the message.
"""
FORBIDDEN = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "ctypes.dlopen",
    "syslog.syslog",
)


def guard(allowed: tuple[Any, ...]) -> list[str]:
    """Make Python refuse connections to addresses that may not be called, and the start of other programs.

    `allowed`: networks that may be called although they are not public. Returns a list to which the name of
    each refused action is added later.
    """
    refused: list[str] = []

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            address = args[1]
            if isinstance(address, tuple) and may_call(str(address[0]), allowed):
                return
        elif event not in FORBIDDEN:
            return
        refused.append(event)
        raise PermissionError("not a public address")

    sys.addaudithook(hook)
    return refused


def send(asked: dict[str, Any]) -> str:
    """Send the message that the input `asked` describes; return the result, a word of WORDS."""
    # imported late, because it takes most of this program's time
    import apprise

    refused = guard(networks(asked["allowed"]))
    asset = apprise.AppriseAsset(storage_mode=apprise.PersistentStoreMode.MEMORY, async_mode=False)
    service = apprise.Apprise.instantiate(asked["url"], asset=asset)
    if service is None:
        return "address" if refused else "unknown"
    if asked["text"] is None:
        return "sent"
    if service.notify(body=asked["text"]):
        return "sent"
    return "address" if refused else "refused"


if __name__ == "__main__":
    sys.stdout.write(send(json.load(sys.stdin)))
