"""What others make of the same work on this machine: their servers, set up here and loaded by the same clients as ours.

Each is its project's own recipe for several processes behind one Redis, in `servers/`; nothing in them is slowed down.
"""
