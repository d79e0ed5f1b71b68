"""Makes the fixtures of sites, which run in the process of the tests, available to these tests."""

from tests.web.conftest import open_site, quick_passwords, site

__all__ = ["open_site", "quick_passwords", "site"]
