"""Media of visits: which worker carries it, in which rooms the connections are, and when it may flow."""
