"""Pages, sign-in, REST API, set-up and command line. This package connects signalling and media."""

import zoneinfo

# The rules of time zones are those of the locked package tzdata: the system's may be years older.
zoneinfo.reset_tzpath(())
zoneinfo.ZoneInfo.clear_cache()
