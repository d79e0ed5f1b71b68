"""Checks, before anything starts, that this server can read what is in the store.

The master makes this check at its start, and `greenroom doctor` at any time. Each worker checks the same when it
starts.
"""

from pathlib import Path
from typing import Any

import redis

from signalling.store import keys
from web.config import Settings
from web.errors import ConfigError
from web.server import data_key, store_version
from web.server.redis_client import connect_now


def check_contents(settings: Settings) -> int:
    """Check the store without changing it; return the number of data keys in the key file that encrypt records.

    The number is 0 if there is no key file yet, 1, or 2 while a rotation has not finished. Raises ConfigError if the
    key file does not contain the key that the store names; if a restore into the store has not finished; if a newer
    release has used the store; or if the store does not answer.
    """
    folder = Path(settings.data.folder)
    known = data_key.keys_in(data_key.content(folder)) if (folder / data_key.FILE).exists() else {}
    try:
        with connect_now(settings.redis, settings.redis.socket_timeout_s) as client:
            held: Any = client.get(keys.DATA_KEY())
            version: Any = client.get(keys.STORE_VERSION())
    except (redis.RedisError, OSError) as error:
        raise ConfigError(f"redis.url: no store answers there ({type(error).__name__})") from None
    store_version.judge(int(version or 0))
    if held is not None:
        data_key.judge(held, known)
    return len(known)
