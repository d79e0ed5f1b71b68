"""Opens the ports of the pages and of the metrics, and explains why a port cannot be used."""

import errno
import socket

from web.config import Settings
from web.errors import ConfigError
from web.server.handover import Environment, Handover
from web.server.runner import BACKLOG
from web.server.systemd import passed_listener


def pages_listener(
    settings: Settings, environment: Environment, handed: Handover | None
) -> tuple[str, socket.socket]:
    """Return the host and the listening socket of the pages.

    `handed`: the values of the previous program, whose socket is used again; None at an ordinary start. At an ordinary
    start the socket is the one that systemd has passed, or a new socket if systemd has passed none. Raises ConfigError
    if the address of the settings cannot be used.
    """
    if handed is not None:
        return handed.host, socket.socket(fileno=handed.listener)
    passed = passed_listener(environment)
    if passed is not None:
        return str(passed.getsockname()[0]), passed
    return settings.server.host, bind(settings.server.host, settings.server.port)


def metrics_listener(settings: Settings, handed: Handover | None) -> socket.socket | None:
    """Return the listening socket for metrics; None without `metrics.port`, and in the trial of an upgrade.

    `handed`: the values of the previous program, None at an ordinary start. Raises ConfigError if the address cannot
    be used. In a trial, the port is opened only to check the address, and closed again.
    """
    if not settings.metrics.port:
        return None
    found = None if handed is None or handed.metrics is None else socket.socket(fileno=handed.metrics)
    if found is not None and found.getsockname()[1] != settings.metrics.port:
        found.close()
        found = None
    if found is None:
        found = bind(settings.metrics.host, settings.metrics.port, "metrics")
    if handed is not None and handed.trial:
        found.close()
        return None
    return found


def bind(host: str, port: int, section: str = "server") -> socket.socket:
    """Return a listening TCP socket; IPv6 and IPv4 for "::", IPv4 alone if this machine has no IPv6.

    `section`: the section of the settings that contains the address, for the text of an error. Raises ConfigError if
    the address cannot be used.
    """
    if host == "::" and not _has_ipv6():
        host = "0.0.0.0"  # noqa: S104 - the setting "::" requests all addresses
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        problem = BIND_ERRORS.get(error.errno or 0, BIND_ERROR)
        option = " or --port" if section == "server" else ""
        raise ConfigError(problem.format(host=host, port=port, section=section, option=option)) from None
    return listener


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


BIND_ERROR = "{section}.host: expected an address of this machine; found {host}"
BIND_ERRORS = {
    errno.EADDRINUSE: (
        "{section}.port: port {port} on {host} is in use by another program; stop it, or choose another port with "
        "{section}.port{option}"
    ),
    errno.EACCES: "{section}.port: this account may not use port {port}; choose one above 1023 with "
    "{section}.port{option}",
}
