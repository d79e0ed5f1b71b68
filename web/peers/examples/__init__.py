"""Examples to copy: a plain story, a plain pytest file, a locust user. The tests of Greenroom run each of them.

Each reads where to go from the environment: GREENROOM_URL (https://host/organisation), GREENROOM_EMAIL and
GREENROOM_PASSWORD of a provider.
"""
