"""Pages, sign-in, REST API, set-up and command line. This package connects signalling and media."""

import zoneinfo

# Rules of time zones are read from the locked package tzdata: the rules that the system has may be years older.
zoneinfo.reset_tzpath(())
zoneinfo.ZoneInfo.clear_cache()
