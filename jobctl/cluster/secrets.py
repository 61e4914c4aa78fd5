"""The cluster's secrets: the HTTP token, Redis' passwords, and the ACL file made from them.

They live as files on a volume of their own, never in an environment, a label or a log. The files
are a pure function of the secrets; an incomplete or damaged set counts as none (`read`).
"""

import hashlib
import secrets as randomness
from collections.abc import Mapping
from dataclasses import dataclass, field

from jobctl.cluster.archive import File

FOLDER = "jobctl/secrets"

MASTER_UID = 10001
REDIS_UID = 10002
PRODUCER_UID = 10003
"""Who a trusted producer's container runs as, to read its password (docs/producers.md)."""
CONTROLLER_UID = 10004
ROOT = 0
CHAOS = "chaos"
"""The user of Redis that faults are made as."""

_TOKEN = "token"  # noqa: S105 - a file name
_CONTROLLER_TOKEN = "controller-token"  # noqa: S105 - the same, for another reader
_ACL = "users.acl"
VOUCHER = f"{FOLDER}/{_ACL}"
"""The file that is written last of all secrets, and before any spec."""
WEBHOOK = "webhook-secret"
"""The file with what webhooks are signed with; empty when they are not."""


@dataclass(frozen=True)
class _User:
    """A user of Redis: who reads the file with its password, and what it may do."""

    name: str
    uid: int
    rules: str

    @property
    def file(self) -> str:
        return password_file(self.name)


# What is dangerous stays out of reach of a broken service: FLUSHALL, CONFIG, KEYS, DEBUG, ACL…
# INFO is what they need of it. Only the master replaces the function library as a whole.
_WORKER_RULES = "+@all -@dangerous +info -function|flush -function|delete -function|restore"
_USERS = (
    _User("master", MASTER_UID, "+@all -@dangerous +info"),
    _User("worker", ROOT, _WORKER_RULES),
    # Submits and reads by the same functions; what these do on its behalf, it must be allowed.
    _User("producer", PRODUCER_UID, _WORKER_RULES),
    # It asks Redis what ails it, and ends what keeps it from serving.
    _User(
        "controller",
        CONTROLLER_UID,
        f"{_WORKER_RULES} +slowlog|get +latency|latest +client|list +function|kill +script|kill",
    ),
    # Lowers Redis' memory for a fault and gives it back. Only Redis' own container can read its
    # password: it is used through the engine, in there.
    _User(CHAOS, REDIS_UID, "-@all +config|get +config|set +info"),
)
_ALWAYS = ("master", "worker")
"""Users that every set has; the others came later, and get a password when they are missing."""

# The health check may ask for a sign of life without a password, and nothing else.
_HEALTH_RULES = "user health on nopass resetkeys resetchannels -@all +ping"
# Nobody can log in as the default user; but Redis replays its append-only file with that user's
# rights, and what the rules forbid is dropped from the data (7.0: "sending an error to its
# AOF-loading-client: NOPERM"). So it must be allowed everything.
_DEFAULT_RULES = "user default off resetpass ~* &* +@all"


@dataclass(frozen=True)
class Secrets:
    """The secrets themselves, kept out of the printed form; ``passwords`` by the user of Redis.

    ``webhook`` is cluster.yaml's own: what webhooks are signed with, "" when they are not.
    """

    token: str = field(repr=False)
    passwords: Mapping[str, str] = field(repr=False)
    webhook: str = field(default="", repr=False)


def password_file(user: str) -> str:
    """Return the name of the file with the password of a user of Redis."""
    return f"redis-{user}"


def completed(kept: Secrets | None) -> Secrets:
    """Return a whole set: what is kept, and new ones (256 bits each) for what is missing."""
    token = kept.token if kept else _made()
    passwords = dict(kept.passwords) if kept else {}
    webhook = kept.webhook if kept else ""
    every = {user.name: passwords.get(user.name) or _made() for user in _USERS}
    return Secrets(token, every, webhook)


def _made() -> str:
    return randomness.token_urlsafe(32)


def files(secrets: Secrets, project: str) -> list[File]:
    """Return the files of the secrets volume, with owners and modes.

    The ACL file comes last: it vouches for the others (see `read`).
    """

    return [
        File(FOLDER, None, ROOT, ROOT, 0o711),
        _file(_TOKEN, secrets.token, MASTER_UID),
        _file(_CONTROLLER_TOKEN, secrets.token, CONTROLLER_UID),
        *(_file(user.file, secrets.passwords[user.name], user.uid) for user in _USERS),
        _file(_ACL, _acl(secrets, project), REDIS_UID),
    ]


def webhook_file(text: str) -> File:
    """Return the file with what webhooks are signed with, which is cluster.yaml's to change."""
    return _file(WEBHOOK, text, CONTROLLER_UID)


def read(contents: Mapping[str, bytes]) -> Secrets | None:
    """Return the secrets in a volume's files (by name); None unless the set is whole.

    Whole means that the ACL file, written last, holds the hashes of the passwords. One that came
    later than the first and that it does not hold is left out: it is to be made.
    """
    try:
        token, acl = contents[_TOKEN].decode(), contents[_ACL].decode()
        given = {user.name: contents.get(user.file, b"").decode() for user in _USERS}
        webhook = contents.get(WEBHOOK, b"").decode()
    except (KeyError, UnicodeDecodeError):
        return None
    known = {name: text for name, text in given.items() if text and f"#{_digest(text)} " in acl}
    whole = token and acl.endswith("\n") and all(name in known for name in _ALWAYS)
    return Secrets(token, known, webhook) if whole else None


def up_to_date(contents: Mapping[str, bytes], secrets: Secrets, project: str) -> bool:
    """Tell whether the stored ACL file is the one that this version of jobctl writes."""
    return contents.get(_ACL) == _acl(secrets, project).encode()


def rules_digest(project: str) -> str:
    """Return what changes when the rules do (not the passwords): Redis reads them at its start."""
    nothing = Secrets("", {user.name: "" for user in _USERS})
    return _digest(_acl(nothing, project))[:16]


def _file(name: str, text: str, uid: int) -> File:
    return File(f"{FOLDER}/{name}", text.encode(), uid, uid, 0o400)


def _acl(secrets: Secrets, project: str) -> str:
    keys = f"~{{{project}}}:* &*"
    users = [
        f"user {user.name} on #{_digest(secrets.passwords.get(user.name, ''))} {keys} {user.rules}"
        for user in _USERS
    ]
    return "\n".join([*users, _HEALTH_RULES, _DEFAULT_RULES, ""])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
