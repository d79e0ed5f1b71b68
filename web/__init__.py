"""Contains the pages, the sign-in, the REST API, the set-up and the command line; connects signalling and media."""

import zoneinfo

# Time zone rules come from the locked package tzdata, because those of the operating system may be years
# older.
zoneinfo.reset_tzpath(())
zoneinfo.ZoneInfo.clear_cache()
