"""The set-up by an administrator, in the browser. Each module is one section; `frame` holds the common parts."""
