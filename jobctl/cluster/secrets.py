"""The cluster's secrets: the HTTP token, Redis' passwords, and the ACL file made from them.

They live as files on a volume of their own, never in an environment, a label or a log. The files
are a pure function of the secrets; an incomplete or damaged set counts as none (`read`).
"""

import hashlib
import secrets as randomness
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from jobctl.cluster.archive import File

FOLDER = "jobctl/secrets"

MASTER_UID = 10001
REDIS_UID = 10002
PRODUCER_UID = 10003
"""Who a trusted producer's container runs as, to read its password (docs/producers.md)."""
ROOT = 0

_TOKEN = "token"  # noqa: S105 - a file name
_MASTER = "redis-master"
_WORKER = "redis-worker"
_PRODUCER = "redis-producer"
_ACL = "users.acl"

# What is dangerous stays out of reach of a broken service: FLUSHALL, CONFIG, KEYS, DEBUG, ACL…
# INFO is what they need of it. Only the master replaces the function library as a whole.
_MASTER_RULES = "+@all -@dangerous +info"
_WORKER_RULES = "+@all -@dangerous +info -function|flush -function|delete -function|restore"
# Submits and reads by the same functions; what these do on its behalf, it must be allowed to do.
_PRODUCER_RULES = _WORKER_RULES
# The health check may ask for a sign of life without a password, and nothing else.
_HEALTH_RULES = "user health on nopass resetkeys resetchannels -@all +ping"
# Nobody can log in as the default user; but Redis replays its append-only file with that user's
# rights, and what the rules forbid is dropped from the data (7.0: "sending an error to its
# AOF-loading-client: NOPERM"). So it must be allowed everything.
_DEFAULT_RULES = "user default off resetpass ~* &* +@all"


@dataclass(frozen=True)
class Secrets:
    """The secrets themselves; kept out of the printed form."""

    token: str = field(repr=False)
    master_password: str = field(repr=False)
    worker_password: str = field(repr=False)
    producer_password: str = field(repr=False)
    """"" in a set that was made before there were producers (see `completed`)."""


def generate() -> Secrets:
    """Make new secrets (256 bits each)."""
    return Secrets(*(randomness.token_urlsafe(32) for _ in range(4)))


def completed(kept: Secrets | None) -> Secrets:
    """Return a whole set: what is kept, and new ones for what is missing."""
    made = generate()
    if kept is None:
        return made
    producer = kept.producer_password or made.producer_password
    return replace(kept, producer_password=producer)


def files(secrets: Secrets, project: str) -> list[File]:
    """Return the files of the secrets volume, with owners and modes.

    The ACL file comes last: it vouches for the others (see `read`).
    """

    def file(name: str, text: str, uid: int) -> File:
        return File(f"{FOLDER}/{name}", text.encode(), uid, uid, 0o400)

    return [
        File(FOLDER, None, ROOT, ROOT, 0o711),
        file(_TOKEN, secrets.token, MASTER_UID),
        file(_MASTER, secrets.master_password, MASTER_UID),
        file(_WORKER, secrets.worker_password, ROOT),
        file(_PRODUCER, secrets.producer_password, PRODUCER_UID),
        file(_ACL, _acl(secrets, project), REDIS_UID),
    ]


def read(contents: Mapping[str, bytes]) -> Secrets | None:
    """Return the secrets in a volume's files (by name); None unless the set is whole.

    Whole means that the ACL file, written last, holds the hashes of the passwords. A producer's
    that is missing, or that it does not hold, is one to be made.
    """
    try:
        token, master, worker, acl = (
            contents[name].decode() for name in (_TOKEN, _MASTER, _WORKER, _ACL)
        )
        producer = contents.get(_PRODUCER, b"").decode()
    except (KeyError, UnicodeDecodeError):
        return None
    hashed = all(f"#{_digest(password)} " in acl for password in (master, worker))
    whole = token and master and worker and hashed and acl.endswith("\n")
    known = f"#{_digest(producer)} " in acl
    return Secrets(token, master, worker, producer if known else "") if whole else None


def up_to_date(contents: Mapping[str, bytes], secrets: Secrets, project: str) -> bool:
    """Tell whether the stored ACL file is the one that this version of jobctl writes."""
    return contents.get(_ACL) == _acl(secrets, project).encode()


def rules_digest(project: str) -> str:
    """Return what changes when the rules do (not the passwords): Redis reads them at its start."""
    return _digest(_acl(Secrets("", "", "", ""), project))[:16]


def _acl(secrets: Secrets, project: str) -> str:
    keys = f"~{{{project}}}:* &*"
    return (
        f"user master on #{_digest(secrets.master_password)} {keys} {_MASTER_RULES}\n"
        f"user worker on #{_digest(secrets.worker_password)} {keys} {_WORKER_RULES}\n"
        f"user producer on #{_digest(secrets.producer_password)} {keys} {_PRODUCER_RULES}\n"
        f"{_HEALTH_RULES}\n"
        f"{_DEFAULT_RULES}\n"
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
