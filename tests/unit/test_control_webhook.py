"""Webhooks over real HTTP: signed, in order, tried again, and never in anybody's way."""

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

import pytest

from jobctl.control import webhook as module
from jobctl.control.incident import Incident
from jobctl.control.webhook import QUEUED, Counts, Receiver, Webhook
from jobctl.control.webhook_payload import EventName, Notice
from jobctl.queue import new_id
from tests.support.eventually import eventually
from tests.support.webhook_receiver import Answer, Delivery, WebhookReceiver

INCIDENT = Incident(
    id=new_id(),
    at=1.0,
    project="demo",
    service="redis",
    instance="redis-1",
    kind="death",
    cause="oom",
    summary="redis-1 ended: out of memory",
)


def notice(event: EventName = "finding", incident: Incident = INCIDENT) -> Notice:
    return Notice(new_id(), event, 2.0, incident)


@contextmanager
def sending(receiver: Receiver) -> Iterator[tuple[Webhook, list[str]]]:
    problems: list[str] = []
    webhook = Webhook(receiver, lambda _notice, problem: problems.append(problem), Random(1))
    webhook.start()
    try:
        yield webhook, problems
    finally:
        webhook.close(grace=0.0)


def test_a_receiver_can_check_who_sent_it() -> None:
    with WebhookReceiver() as server, sending(Receiver(server.url, secret=b"s3")) as (webhook, _):
        sent = notice()
        webhook.send(sent)
        (got,) = server.wait_for(1)
    assert got.path == "/hooks/secret-part?team=a"
    expected = hmac.new(b"s3", got.body, hashlib.sha256).hexdigest()
    assert got.headers["X-Jobctl-Signature"] == f"sha256={expected}"
    assert got.headers["X-Jobctl-Delivery"] == sent.delivery
    assert got.headers["X-Jobctl-Event"] == "finding"
    assert got.headers["Content-Type"] == "application/json"
    assert json.loads(got.body)["incident"]["summary"] == INCIDENT.summary


def test_without_a_secret_there_is_no_signature_and_slack_gets_its_own_body() -> None:
    with (
        WebhookReceiver() as server,
        sending(Receiver(server.url, format="slack")) as (webhook, _),
    ):
        webhook.send(notice())
        (got,) = server.wait_for(1)
    assert got.headers["X-Jobctl-Signature"] is None
    assert set(json.loads(got.body)) == {"text", "blocks"}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_it_is_sent_again_in_the_same_words_until_it_is_taken(status: int) -> None:
    answers: list[Answer] = [(status, {"Retry-After": "0"}), (status, {}), (200, {})]
    with (
        WebhookReceiver(lambda _got: answers.pop(0)) as server,
        sending(Receiver(server.url, secret=b"s", backoff=0.001)) as (webhook, problems),
    ):
        webhook.send(notice())
        got = server.wait_for(3)
        eventually(lambda: webhook.counts() == Counts(sent=1))
    assert problems == []
    assert len({(each.body, each.headers["X-Jobctl-Delivery"]) for each in got}) == 1
    assert len({each.headers["X-Jobctl-Signature"] for each in got}) == 1


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410])
def test_what_is_refused_for_good_is_not_sent_again(status: int) -> None:
    first = [(status, {"Location": "/elsewhere"})]
    with (
        WebhookReceiver(lambda _got: first.pop() if first else (204, {})) as server,
        sending(Receiver(server.url, backoff=0.001)) as (webhook, problems),
    ):
        refused, taken = notice(), notice()
        webhook.send(refused)
        webhook.send(taken)
        got = server.wait_for(2)
        eventually(lambda: webhook.counts() == Counts(sent=1, failed=1))
    assert [each.headers["X-Jobctl-Delivery"] for each in got] == [refused.delivery, taken.delivery]
    assert problems == [f"answered with status {status}"]


def test_after_so_many_retries_it_is_given_up_and_the_next_one_is_sent() -> None:
    lost, taken = notice(), notice()

    def answer(got: Delivery) -> Answer:
        return (503 if got.headers["X-Jobctl-Delivery"] == lost.delivery else 204), {}

    with (
        WebhookReceiver(answer) as server,
        sending(Receiver(server.url, retries=2, backoff=0.001)) as (webhook, problems),
    ):
        webhook.send(lost)
        webhook.send(taken)
        got = server.wait_for(4)
        eventually(lambda: webhook.counts() == Counts(sent=1, failed=1))
    assert [each.headers["X-Jobctl-Delivery"] for each in got] == [
        *[lost.delivery] * 3,
        taken.delivery,
    ]
    assert problems == ["answered with status 503 (tried 3 times)"]


def test_the_order_is_kept_also_past_failures() -> None:
    shaky = Random(7)
    sent: list[Notice] = [notice() for _ in range(30)]

    def answer(_got: Delivery) -> Answer:
        return (503 if shaky.random() < 0.4 else 204), {}

    with (
        WebhookReceiver(answer) as server,
        sending(Receiver(server.url, retries=50, backoff=0.0001)) as (webhook, _),
    ):
        for each in sent:
            webhook.send(each)
        eventually(lambda: webhook.counts() == Counts(sent=30))
        got = [each.headers["X-Jobctl-Delivery"] for each in server.wait_for(30)]
    assert list(dict.fromkeys(got)) == [each.delivery for each in sent]
    assert len(got) > 30


def test_only_the_events_that_are_asked_for() -> None:
    with (
        WebhookReceiver() as server,
        sending(Receiver(server.url, events=frozenset({"gave-up"}))) as (webhook, _),
    ):
        webhook.send(notice("finding"))
        wanted = notice("gave-up")
        webhook.send(wanted)
        eventually(lambda: webhook.counts().sent)
        assert [each.headers["X-Jobctl-Event"] for each in server.wait_for(1)] == ["gave-up"]


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/hooks/secret-part"
    with sending(Receiver(url, retries=1, backoff=0.001)) as (webhook, problems):
        webhook.send(notice())
        eventually(lambda: webhook.counts() == Counts(failed=1))
    # The address is often a password: it is in no message.
    assert problems == ["no answer: ConnectionRefusedError (tried 2 times)"]


def test_a_receiver_that_never_answers_holds_up_no_sender_and_final_ones_stay() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with sending(Receiver(url, timeout=3600.0)) as (webhook, _):
            webhook.send(notice())
            silent.accept()  # the thread is with the first one from here on
            for number in range(QUEUED):
                webhook.send(notice("recovered" if number % 2 else "finding"))
            assert webhook.counts() == Counts(waiting=QUEUED + 1)
            for _ in range(QUEUED // 2):
                webhook.send(notice("gave-up"))
            assert webhook.counts() == Counts(dropped=QUEUED // 2, waiting=QUEUED + 1)
            left = [each.event for each in webhook._queue]
            assert left == ["recovered"] * (QUEUED // 2) + ["gave-up"] * (QUEUED // 2)
            # With nothing but final ones the oldest goes: it has to end somewhere.
            webhook.send(notice("gave-up"))
            assert webhook.counts() == Counts(dropped=QUEUED // 2 + 1, waiting=QUEUED + 1)


@pytest.mark.parametrize("drips", [False, True])
def test_one_that_takes_too_long_is_cut_off(drips: bool) -> None:
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as slow:

        def answer() -> None:
            connection, _ = slow.accept()
            with connection:
                # A letter of the head at a time: each of them comes within the timeout.
                while drips and not done.wait(0.02):
                    try:
                        connection.sendall(b"H")
                    except OSError:
                        return
                done.wait()

        threading.Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{slow.getsockname()[1]}/"
        with sending(Receiver(url, timeout=0.1, retries=0)) as (webhook, problems):
            webhook.send(notice())
            eventually(lambda: webhook.counts() == Counts(failed=1))
        done.set()
    (problem,) = problems
    assert problem.startswith("no answer: ")


def test_the_end_delivers_what_waits_and_takes_no_more() -> None:
    gate = threading.Event()

    def answer(_got: Delivery) -> Answer:
        gate.wait()
        return 204, {}

    with WebhookReceiver(answer) as server:
        webhook = Webhook(Receiver(server.url))
        webhook.start()
        for _ in range(5):
            webhook.send(notice())
        gate.set()
        webhook.close(grace=30.0)
        webhook.send(notice())
        assert webhook.counts() == Counts(sent=5, dropped=1)
        assert len(server.wait_for(5)) == 5


def test_the_end_waits_for_no_retry() -> None:
    with WebhookReceiver(lambda _got: (503, {"Retry-After": "3600"})) as server:
        problems: list[str] = []
        webhook = Webhook(Receiver(server.url), lambda _notice, why: problems.append(why))
        webhook.start()
        webhook.send(notice())
        webhook.send(notice())
        server.wait_for(1)
        webhook.close(grace=0.0)
        eventually(lambda: webhook.counts() == Counts(failed=1, dropped=1))
    assert eventually(lambda: problems) == [
        "answered with status 503 (given up: the controller ends)"
    ]


def test_an_incident_that_changes_meanwhile_is_sent_as_it_was() -> None:
    with WebhookReceiver() as server, sending(Receiver(server.url)) as (webhook, _):
        webhook.send(notice())
        webhook.send(notice("recovered", replace(INCIDENT, outcome="recovered", ended_at=5.0)))
        first, second = (json.loads(each.body) for each in server.wait_for(2))
    assert (first["incident"]["outcome"], second["incident"]["outcome"]) == ("open", "recovered")


NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0.0),
        ("7", 7.0),
        ("999999999999999999999", 300.0),
        ("-5", 0.0),
        ("soon", 0.0),
        ("²", 0.0),
        (format_datetime(NOW + timedelta(seconds=20), usegmt=True), 20.0),
        (format_datetime(NOW - timedelta(seconds=20), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=2), usegmt=True), 300.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_bounded(header: str, seconds: float) -> None:
    assert module._seconds(header, NOW.timestamp()) == seconds


def test_waits_grow_with_jitter_and_are_bounded() -> None:
    webhook = Webhook(Receiver("http://127.0.0.1:1/", backoff=1.0), rng=Random(3))
    for tries in range(1, 12):
        waits = {webhook._backoff(tries) for _ in range(50)}
        longest = min(60.0, 2.0 ** (tries - 1))
        assert longest / 2 <= min(waits) < max(waits) <= longest
