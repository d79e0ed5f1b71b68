"""Whether a server, or a client, keeps to PROTOCOL.md: named checks, each with the section that it proves.

`table.py` is what a check is and how it is told; `line.py` a socket that notices what is wrong; `stage.py` the people;
`door.py`, `asking.py`, `topics.py`, `visits.py`, `admins.py`, `bell.py` and `media.py` the checks of a server, which
`server.py` runs. A client connects to `endpoint.py`, which plays a server from a script, and `judge.py` says what the
client did wrong.
"""
