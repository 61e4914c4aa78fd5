"""What a webhook says: the whole incident, or what Slack takes of it; and its signature."""

import hashlib
import hmac
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobctl.control.generate import generated, main, stale
from jobctl.control.incident import Finding, Incident, Remedy
from jobctl.control.webhook_payload import FINAL, Notice, body_of, signature, slack

texts = st.text(max_size=40) | st.text("&<>`…", max_size=4000)
incidents = st.builds(
    Incident,
    id=st.just("01JABCDEFGHJKMNPQRSTVWXYZ0"),
    at=st.just(1.0),
    project=texts,
    service=texts,
    instance=texts,
    kind=st.just("unhealthy"),
    cause=texts,
    summary=texts,
    findings=st.lists(st.builds(Finding, st.just(1.0), texts, texts), max_size=30).map(tuple),
    diagnostics=st.dictionaries(texts, texts | st.lists(st.integers()), max_size=60),
    remedies=st.lists(
        st.builds(Remedy, st.just(1.0), st.sampled_from(["graceful", "force"]), texts), max_size=5
    ).map(tuple),
)

INCIDENT = Incident(
    id="01JABCDEFGHJKMNPQRSTVWXYZ0",
    at=1_700_000_000.0,
    project="demo",
    service="master",
    instance="master-1",
    kind="unhealthy",
    cause="http",
    summary="master-1 does not answer",
    findings=(Finding(1.0, "http", "<no answer> & more"),),
    diagnostics={"log": "first\n" * 2000 + "last ``` line", "stats": {"memory": 5}},
    remedies=(Remedy(2.0, "graceful", "the first try"),),
)
NOTICE = Notice("01JABCDEFGHJKMNPQRSTVWXYZ1", "remedy", 1_700_000_060.0, INCIDENT)


def test_the_generic_body_is_the_whole_notice() -> None:
    body = json.loads(body_of(NOTICE, "generic"))
    assert body["delivery"] == NOTICE.delivery
    assert body["event"] == "remedy"
    assert body["incident"]["diagnostics"] == dict(INCIDENT.diagnostics)
    assert body["incident"]["findings"] == [
        {"at": 1.0, "check": "http", "detail": "<no answer> & more"}
    ]
    described = json.loads(generated()["docs/webhook.schema.json"])
    assert set(body) == set(described["properties"]) == set(described["required"])
    within = described["$defs"]["Incident"]
    assert set(body["incident"]) == set(within["properties"]) == set(within["required"])


def test_the_signature_is_what_a_receiver_computes() -> None:
    body = body_of(NOTICE, "generic")
    expected = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    assert signature(b"secret", body) == f"sha256={expected}"
    assert signature(b"other", body) != signature(b"secret", body)


def test_the_slack_message_tells_what_happened_and_the_next_command() -> None:
    message = slack(NOTICE)
    assert message["text"] == "🔧 demo: master-1 remedy: master-1 does not answer"
    told = json.dumps(message["blocks"])
    for part in ("master-1 does not answer", "jobctl incident 01JAB", "2023-11-14 22:14:20 UTC"):
        assert part in told
    assert "&lt;no answer&gt; &amp; more" in told
    log = next(each for each in all_texts(message) if each.startswith("*log*"))
    assert log.endswith("last ''' line```")
    assert log.count("```") == 2


def all_texts(message: dict[str, Any]) -> list[str]:
    return [
        part["text"]
        for block in message["blocks"]
        for part in [*block.get("fields", []), *([block["text"]] if "text" in block else [])]
    ]


@given(incident=incidents)
@example(incident=replace(INCIDENT, diagnostics={str(number): "" for number in range(100)}))
def test_slack_takes_every_message(incident: Incident) -> None:
    message = slack(Notice("01JABCDEFGHJKMNPQRSTVWXYZ1", "finding", 2.0, incident))
    assert 0 < len(message["text"]) <= 3000
    blocks = message["blocks"]
    assert 3 <= len(blocks) <= 50
    assert len(json.dumps(blocks, ensure_ascii=False)) <= 13_000
    assert len(blocks[0]["text"]["text"]) <= 150
    for text in all_texts(message)[1:]:
        assert 0 < len(text) <= 3000
        # Nothing is cut within an entity, and nothing is left unescaped.
        assert not re.search(r"&(?!amp;|lt;|gt;)|[<>]", text)


@pytest.mark.parametrize("kind", ["generic", "slack"])
def test_text_that_is_no_unicode_is_sent_all_the_same(kind: Any) -> None:
    odd = Notice("x", "finding", 2.0, replace(INCIDENT, summary="bad \udcff"))
    assert b"bad ?" in body_of(odd, kind)


def test_what_ends_an_incident_is_final() -> None:
    assert {"gave-up", "recovered"} == FINAL


def test_the_schemas_are_fresh() -> None:
    assert stale() == [], "refresh with: python -m jobctl.control.generate"


def test_the_generator_checks_then_refreshes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    assert main(["--check"], tmp_path) == 1
    assert "python -m jobctl.control.generate" in capsys.readouterr().out
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
