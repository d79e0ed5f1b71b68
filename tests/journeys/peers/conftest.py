"""Makes the fixtures available that run a site in the process of the tests."""

from tests.web.conftest import open_site, quick_passwords, site

__all__ = ["open_site", "quick_passwords", "site"]
