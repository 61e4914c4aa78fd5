"""Redis' maxmemory, asked and set inside its container: nobody else may, and no port is open."""

from __future__ import annotations

from jobctl.chaos.errors import NotPossible
from jobctl.cluster import secrets
from jobctl.engine.protocol import Engine

_PASSWORD = f"/{secrets.FOLDER}/{secrets.password_file(secrets.CHAOS)}"
# Never an argument: whoever lists the processes of the host reads those.
_AS_CHAOS = (
    f'REDISCLI_AUTH="$(cat {_PASSWORD})" && export REDISCLI_AUTH && '
    f'exec redis-cli --no-auth-warning --user {secrets.CHAOS} "$@"'
)


def limit_of(engine: Engine, container: str) -> int:
    """Return maxmemory in bytes; raises NotPossible when Redis does not say."""
    return _number(_asked(engine, container, "CONFIG", "GET", "maxmemory").split()[-1:], "it")


def used_by(engine: Engine, container: str) -> int:
    """Return how many bytes Redis uses; raises NotPossible when it does not say."""
    lines = _asked(engine, container, "INFO", "memory").splitlines()
    found = [line.partition(":")[2] for line in lines if line.startswith("used_memory:")]
    return _number(found, "its memory")


def set_limit(engine: Engine, container: str, limit: int) -> None:
    """Set maxmemory; raises NotPossible when Redis refuses."""
    said = _asked(engine, container, "CONFIG", "SET", "maxmemory", str(limit))
    if said.strip() != "OK":
        raise _refused(said)


def _asked(engine: Engine, container: str, *words: str) -> str:
    done = engine.execute(container, ("sh", "-c", _AS_CHAOS, "redis-cli", *words))
    said = done.output.decode("utf-8", "replace").strip()
    if done.exit_code != 0 or not said:
        raise _refused(said)
    return said


def _number(found: list[str], what: str) -> int:
    text = "".join(found).strip()
    if not text.isdecimal():
        raise NotPossible(f"Redis did not tell {what}: {text or 'nothing'}.", "jobctl ps")
    return int(text)


def _refused(said: str) -> NotPossible:
    reason = " ".join(said.split())[:200] or "it said nothing"
    hint = "jobctl up, if the cluster was brought up by an earlier jobctl"
    return NotPossible(f"Redis refused it: {reason}.", hint)
