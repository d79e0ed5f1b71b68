"""The calls of visits: which worker carries a call, which connections take part, and when media may flow."""
