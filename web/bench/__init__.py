"""`greenroom bench`: the figures that Greenroom promises, measured on this machine against the real server.

The server is `greenroom serve` in processes of its own, on a real Valkey; the load comes from further processes, so
that what it costs to make is not counted. Each measurement is a module; `run` plays them and shows the table.
"""
