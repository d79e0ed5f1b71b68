"""Contains examples to copy: a script, a pytest file, a locust user. Greenroom's tests run each of them.

Each reads the server's address from the environment: GREENROOM_URL (https://host/organisation), GREENROOM_EMAIL and
GREENROOM_PASSWORD of a provider.
"""
