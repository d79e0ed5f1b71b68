"""Checks whether a server or a client follows PROTOCOL.md. Each check has a name and the section that it tests.

`table.py` defines a check and prints results; `checked_socket.py` defines a socket that checks each received message;
`people.py` makes the patients and staff of a check. `connecting.py`, `asking.py`, `topics.py`, `visits.py`,
`rights.py`, `admins.py`, `bell.py` and `media.py` are the checks of a server, which `server.py` runs. A client under
test connects to `endpoint.py`, which plays a server from a script; `judge.py` has the rules for clients and the
observations about one client.
"""
