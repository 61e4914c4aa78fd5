"""All keys of a project as they are at one moment, read in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis

# Redis is a test's own and small: here KEYS costs less than many calls.
_READ = """
local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  local kind, value = redis.call('TYPE', key).ok, {}
  if kind == 'hash' then value = redis.call('HGETALL', key)
  elseif kind == 'set' then value = redis.call('SMEMBERS', key)
  elseif kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1)
  elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'string' then value = { redis.call('GET', key) }
  end
  found[#found + 1] = { key, redis.call('PTTL', key), value }
end
return found
"""


class Snapshot:
    """Answers like a client; nothing is asked of Redis after it was made."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        behind: Any = client
        self._values: dict[str, list[str]] = {}
        self._ttls: dict[str, int] = {}
        for key, ttl, value in behind.eval(_READ, 0, f"{prefix}*"):
            self._values[key], self._ttls[key] = value, ttl

    @property
    def keys(self) -> Sequence[str]:
        return list(self._values)

    def get(self, key: str) -> str | None:
        return next(iter(self._values.get(key, [])), None)

    def hgetall(self, key: str) -> dict[str, str]:
        flat = self._values.get(key, [])
        return dict(zip(flat[::2], flat[1::2], strict=True))

    def hvals(self, key: str) -> list[str]:
        return list(self.hgetall(key).values())

    def hexists(self, key: str, field: str) -> bool:
        return field in self.hgetall(key)

    def members(self, key: str) -> list[str]:
        """Of a set, a sorted set (in order) or a list."""
        return self._values.get(key, [])

    def pttl(self, key: str) -> int:
        return self._ttls[key]
