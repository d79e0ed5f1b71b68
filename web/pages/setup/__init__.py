"""The set-up by an administrator, in the browser: each module is one section; `frame` holds their common parts."""
