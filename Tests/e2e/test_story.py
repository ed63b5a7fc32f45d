"""The founding story, from the first call of an unmodified client to a segment in Braze, and back out when time has passed
(spec: story). The sandbox plays Braze; time is moved by the test clock.
"""

import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest

from harness import CLIENTS, Refused, until
from installation import Installation

#: bought long ago, bought lately, only looks
SHOPPERS = {
    "ada": {"bought_days_ago": 90, "views": ["Mug", "Sweater"]},
    "ben": {"bought_days_ago": 10, "views": ["Sweater", "Parka"]},
    "cleo": {"bought_days_ago": None, "views": ["Sweater Vest"]},
}

CLIENT = """
import datetime, json, sys
import segment.analytics.client as module
host, key, calls = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
failures = []
client = module.Client(key, host=host, on_error=lambda error, items: failures.append(error))
for method, arguments in calls:
    if "timestamp" in arguments:
        arguments["timestamp"] = datetime.datetime.fromisoformat(arguments["timestamp"])
    assert getattr(client, method)(**arguments)[0]
client.flush()
client.join()
sys.exit(str(failures) if failures else 0)
"""


@pytest.fixture
def muster(tmp_path):
    with Installation(tmp_path / "data", test_clock=True) as running:
        yield running


def deliver(muster, write_key, calls, version="2.4.0"):
    import json

    subprocess.run(
        [sys.executable, "-c", CLIENT, muster.url, write_key, json.dumps(calls)], check=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(CLIENTS / version)})


def history(now):
    """What happened before anybody made an audience. Each shopper first comes as an anonymous visitor."""
    calls = []
    for person, story in SHOPPERS.items():
        start = now - timedelta(days=(story["bought_days_ago"] or 5) + 1)
        calls.append(["track", dict(
            anonymous_id=f"visitor-{person}", event="Product Viewed", properties={"name": "Socks"},
            timestamp=start.isoformat())])
        calls.append(["identify", dict(
            user_id=person, anonymous_id=f"visitor-{person}", traits={"email": f"{person}@example.com"},
            timestamp=(start + timedelta(minutes=1)).isoformat())])
        if story["bought_days_ago"]:
            calls.append(["track", dict(
                user_id=person, event="Order Completed", properties={"revenue": 59.95},
                timestamp=(now - timedelta(days=story["bought_days_ago"])).isoformat())])
        for number, item in enumerate(story["views"]):
            moment = now - timedelta(days=3) + timedelta(minutes=number)
            calls.append(["track", dict(
                user_id=person, event="Product Viewed", properties={"name": item}, timestamp=moment.isoformat())])
    return calls


@pytest.mark.parametrize("ways", ["identify", "track", "both"])
def test_story(muster, sandbox, ways):
    identify, track = ways in ("identify", "both"), ways in ("track", "both")
    now = datetime.now(timezone.utc)
    source = muster.create_source("Shop")
    deliver(muster, source["writeKey"], history(now))
    muster.await_applied()

    # Create, with historical backfill, and connect.
    braze = muster.create_braze(sandbox.url, sandbox.key)
    item = muster.create_trait("Last Product Viewed Item", "event('Product Viewed').last(property('name'))")
    dormant = muster.create_audience(
        "Dormant Shopper",
        "event('Order Completed').count() >= 1 AND event('Order Completed').within(60 days).count() = 0")
    assert (item["key"], dormant["key"]) == ("last_product_viewed_item", "dormant_shopper")
    assert muster.computation(dormant)["computeCadence"]["type"] == "REALTIME"
    muster.connect(item, braze, sendIdentify=identify, sendTrack=track)
    muster.connect(dormant, braze, sendIdentify=identify, sendTrack=track)
    muster.await_delivered()
    assert muster.members(dormant) == {"ada": True}
    assert muster.members(item) == {"ada": "Sweater", "ben": "Parka", "cleo": "Sweater Vest"}

    ada, ben, cleo = (sandbox.profile(person) for person in SHOPPERS)
    if identify:
        assert ada["custom_attributes"] == {"last_product_viewed_item": "Sweater", "dormant_shopper": True}
        assert ben["custom_attributes"] == {"last_product_viewed_item": "Parka"}
        assert cleo["custom_attributes"] == {"last_product_viewed_item": "Sweater Vest"}
        regex = {"kind": "attribute", "name": "last_product_viewed_item", "op": "matches_regex"}
        assert sandbox.segment({**regex, "value": "Sweater"}) == {"ada", "cleo"}
        assert sandbox.segment({**regex, "value": "^Sweater$"}) == {"ada"}
        assert sandbox.segment({"kind": "attribute", "name": "dormant_shopper", "op": "equals", "value": True}) == {"ada"}
    else:
        assert ada["custom_attributes"] == {}
    entered = {"kind": "event_count", "name": "Audience Entered"}
    computed = {"kind": "event_count", "name": "Trait Computed"}
    if track:
        for person in SHOPPERS:
            told = sandbox.event(person, "Trait Computed")
            assert told["count"] == 1, told
            assert abs(moment_of(told["last"]) - now) < timedelta(minutes=5), told
        told = sandbox.event("ada", "Audience Entered")
        assert told["count"] == 1 and abs(moment_of(told["last"]) - now) < timedelta(minutes=5), told
        assert sandbox.segment({**entered, "op": "exactly", "n": 1}) == {"ada"}
        assert sandbox.segment({**entered, "op": "more_than", "n": 0}) == {"ada"}
        assert sandbox.segment({**entered, "op": "less_than", "n": 1}) == {"ben", "cleo"}
        assert sandbox.segment({**computed, "op": "exactly", "n": 1}) == {"ada", "ben", "cleo"}
    else:
        assert ada["custom_events"] == []

    # Real time: a look changes the trait, an order ends dormancy.
    deliver(muster, source["writeKey"], [
        ["track", dict(user_id="ada", event="Product Viewed", properties={"name": "Mug"})],
        ["track", dict(user_id="ada", event="Order Completed", properties={"revenue": 12})],
    ], version="2.3.4")
    muster.await_delivered()
    assert muster.members(dormant) == {}
    ada = sandbox.profile("ada")
    if identify:
        assert ada["custom_attributes"] == {"last_product_viewed_item": "Mug", "dormant_shopper": False}
    if track:
        assert sandbox.event_count("ada", "Audience Exited") == 1
        assert sandbox.event_count("ada", "Trait Computed") == 2
        assert sandbox.segment({**computed, "op": "more_than", "n": 1}) == {"ada"}

    # Time alone: ben has not bought for 60 days in 50 days' time; ada only after 60.
    muster.advance_clock(days=50, minutes=1)
    muster.await_delivered()
    assert muster.members(dormant) == {"ben": True}
    if identify:
        assert sandbox.profile("ben")["custom_attributes"]["dormant_shopper"] is True
    if track:
        # Braze takes a time in its future as now, so the last time says nothing here.
        assert sandbox.event_count("ben", "Audience Entered") == 1
    # The exact instant, not the moment at which somebody looked: the first millisecond after the 60 days.
    timeline = muster.timeline("ben")
    change = next(entry for entry in timeline if entry["kind"] == "entered")
    order = next(entry for entry in timeline if entry["name"] == "Order Completed")
    assert change["cause"] == "time", change
    assert moment_of(change["at"]) == moment_of(order["at"]) + timedelta(days=60, milliseconds=1), (change, order)
    muster.advance_clock(days=10)
    muster.await_delivered()
    assert muster.members(dormant) == {"ada": True, "ben": True}
    if track:
        assert sandbox.event_count("ada", "Audience Entered") == 2

    # A restart changes nothing and sends nothing again.
    before = sandbox.export(*SHOPPERS)
    muster.restart()
    muster.await_delivered()
    assert muster.members(dormant) == {"ada": True, "ben": True}
    assert sandbox.export(*SHOPPERS) == before


def test_people_leave_a_window_by_time_alone(muster, sandbox):
    source = muster.create_source()
    braze = muster.create_braze(sandbox.url, sandbox.key)
    recent = muster.create_audience("Recent Buyers", "event('Order Completed').within(30 days).count() >= 1")
    muster.connect(recent, braze, sendIdentify=True, sendTrack=True)
    muster.send(source["writeKey"], {"type": "track", "messageId": "1", "userId": "dora", "event": "Order Completed"})
    muster.await_delivered()
    assert sandbox.profile("dora")["custom_attributes"] == {"recent_buyers": True}

    muster.advance_clock(days=29, hours=23)
    assert muster.members(recent) == {"dora": True}
    muster.advance_clock(hours=1, seconds=1)
    muster.await_delivered()
    assert muster.members(recent) == {}
    assert sandbox.profile("dora")["custom_attributes"] == {"recent_buyers": False}
    assert sandbox.event_count("dora", "Audience Exited") == 1


def test_wrong_key_pauses_with_a_reason_and_loses_nothing(muster, sandbox):
    source = muster.create_source()
    braze = muster.create_braze(sandbox.url, "not-a-key-of-this-workspace")
    audience = muster.create_audience("Everybody", "event('Product Viewed').count() >= 1")
    muster.connect(audience, braze, sendIdentify=True, sendTrack=True)
    people = [f"guest-{number}" for number in range(200)]
    muster.send(source["writeKey"], *[
        {"type": "track", "messageId": person, "userId": person, "event": "Product Viewed"} for person in people])

    def paused():
        state = muster.destination(braze)["state"]
        return state if state["status"] == "paused" else None

    state = until("the destination to pause", paused)
    assert "key" in state["paused"]["reason"].lower(), state
    assert state["waiting"] == 400, state
    assert sandbox.export(*people) == {}
    # It stays so over a restart: still paused or about to be, still waiting.
    muster.restart()
    assert until("the destination to pause again", paused)["waiting"] == 400

    muster.patch(f"/destinations/{braze['id']}", {"settings": {"api_key": sandbox.key}})
    muster.await_delivered()
    state = muster.destination(braze)["state"]
    assert state["status"] == "running" and state["paused"] is None, state
    profiles = sandbox.export(*people)
    assert set(profiles) == set(people)
    for profile in profiles.values():
        assert profile["custom_attributes"] == {"everybody": True}
        assert [(event["name"], event["count"]) for event in profile["custom_events"]] == [("Audience Entered", 1)]


def test_disconnected_server_does_not_lose_what_waits(muster, sandbox):
    """Braze is away for a while: Muster waits and then delivers."""
    source = muster.create_source()
    braze = muster.create_braze(sandbox.url, sandbox.key)
    audience = muster.create_audience("Lookers", "event('Product Viewed').count() >= 1")
    muster.connect(audience, braze, sendIdentify=True, sendTrack=False)
    sandbox.kill()
    muster.send(source["writeKey"], {"type": "track", "messageId": "1", "userId": "eve", "event": "Product Viewed"})
    muster.await_applied()
    until("a failed attempt", lambda: muster.destination(braze)["state"]["failedAttempts"] >= 1)
    sandbox.start()
    # A host that refuses connections may have paused the destination; the banner's button goes on.
    if muster.destination(braze)["state"]["status"] == "paused":
        muster.post(f"/destinations/{braze['id']}/resume")
    muster.await_delivered()
    assert sandbox.profile("eve")["custom_attributes"] == {"lookers": True}


def test_what_is_not_there_says_so(muster):
    with pytest.raises(Refused) as refusal:
        muster.create_audience("Broken", "event('Order Completed').count( >= 1")
    assert refusal.value.status in (400, 422)
    error = refusal.value.json()["errors"][0]
    assert error["message"] and error["field"] == "definition.query", error
    with pytest.raises(Refused) as refusal:
        muster.get("/no/such/page")
    assert refusal.value.status == 404
    assert "/no/such/page" in refusal.value.json()["errors"][0]["message"]


def test_a_clean_stop_leaves_everything_in_the_state_file(muster):
    key = muster.create_source()["writeKey"]
    muster.create_audience("Lookers", "event('Product Viewed').count() >= 1")
    for person in range(200):
        muster.send(key, {"type": "track", "userId": f"u{person}", "event": "Product Viewed"})
    muster.await_applied()
    ahead = muster.directory / "state.sqlite-wal"
    assert ahead.stat().st_size > 0, "nothing was written: the test says nothing"
    muster.stop()
    assert not ahead.exists() or ahead.stat().st_size == 0
    muster.start()
    assert muster.status()["profiles"]["users"] == 200


def moment_of(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
