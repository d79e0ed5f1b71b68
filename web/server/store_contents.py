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
    """Return the number of data keys in the key file that encrypt records: one, or two while a rotation has not
    finished.

    It changes nothing, neither in the store nor in the data folder. Raises ConfigError if the data key is missing,
    or is not that of the store; if a restore into the store has not finished; if a newer release has used the
    store; or if the store does not answer.
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
