"""The set-up by an administrator, in the browser: each module is one section of it, `frame` what they share."""
