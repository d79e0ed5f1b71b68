"""A Lua script of the store. A call costs less than with redis-py's class, which looks for a pipeline at each call."""

from __future__ import annotations

from typing import Any

from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError


class Script(AsyncScript):
    """A Lua script that the store runs.

    Its objects are called in the same way as those of redis-py's class `Script`.
    """

    async def __call__(self, keys: Any = (), args: Any = (), client: Any = None) -> Any:
        """Carry out the script on these keys with these arguments; return its reply. `client`: the client that sends
        the script, None for the client that has registered it. Raises redis-py's errors.
        """
        if client is not None:
            return await super().__call__(keys, args, client)
        redis: Any = self.registered_client
        words = (len(keys), *keys, *args)
        try:
            return await redis.execute_command("EVALSHA", self.sha, *words)
        except NoScriptError:
            self.sha = await redis.script_load(self.script)
            return await redis.execute_command("EVALSHA", self.sha, *words)
