"""What docs/webhooks.md tells receivers to do is right."""

import re
from typing import Any

from jobctl.config.freshness import ROOT
from jobctl.control.webhook_payload import EVENTS, signature

TEXT = (ROOT / "docs/webhooks.md").read_text()


def test_the_receivers_code_accepts_ours_and_nothing_else() -> None:
    code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert code
    namespace: dict[str, Any] = {}
    exec(code[1], namespace)
    is_genuine = namespace["is_genuine"]
    header = signature(b"secret", b"body")
    assert is_genuine(b"secret", b"body", header)
    for secret, body, said in (
        (b"other", b"body", header),
        (b"secret", b"body ", header),
        (b"secret", b"body", None),
        (b"secret", b"body", "ä"),
        (b"secret", b"body", header.removeprefix("sha256=")),
    ):
        assert not is_genuine(secret, body, said)


def test_every_event_is_explained() -> None:
    assert set(re.findall(r"^\| `([a-z-]+)` \|", TEXT, re.MULTILINE)) == EVENTS
