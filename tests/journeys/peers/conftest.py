"""Runs the site of these tests in their own process."""

from tests.web.conftest import open_site, quick_passwords, site

__all__ = ["open_site", "quick_passwords", "site"]
