"""Muster is killed with SIGKILL while events expire and while files and Log are written without them, again and again.
After each start exactly what the rules in force have left is there, also when it is read from the Log anew, and in the
end no byte of what has expired is on disk.

A short form runs by default; MUSTER_LONG=1 kills 200 times. MUSTER_SEED repeats a run's moments.
"""

import datetime
import os
import random
import shutil
import time
from collections import Counter

from harness import Refused, chosen_seed, until
from installation import Installation

KILLS = 200 if os.environ.get("MUSTER_LONG") else 8
RETENTION = "/spaces/default/retention"
NAMES = ["Order Completed", "Page Viewed", "Looked"]


def history(number, moments):
    """Calls of 400 days, each half a day away from the edge of a day."""
    now = datetime.datetime.now(datetime.timezone.utc)
    calls = []
    for index in range(number):
        days = moments.randrange(400)
        at = now - datetime.timedelta(days=days, hours=12)
        name = moments.choice(NAMES)
        calls.append({
            "type": "track", "messageId": f"r-{index}", "userId": f"u{moments.randrange(20)}", "event": name,
            "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "properties": {"marker": f"marker-{index}-{days}-", "days": days}})
    return calls


class Kept:
    """What the rules have left so far: floors never fall."""

    def __init__(self, calls):
        self.calls = calls
        self.ages = {name: 10_000 for name in NAMES}

    def tighten(self, rules):
        for name in NAMES:
            age = rules["events"].get(name, rules["days"])
            if age is not None:
                self.ages[name] = min(self.ages[name], age)

    def left(self):
        return [call for call in self.calls if call["properties"]["days"] < self.ages[call["event"]]]

    def counts(self):
        return dict(Counter(call["event"] for call in self.left()))


def answers(muster):
    people = [f"u{number}" for number in range(0, 20, 4)]
    timelines = {person: [(one["name"], one["at"]) for one in muster.timeline(person)] for person in people}
    return muster.event_counts(), timelines


def expiry(moments, step, steps):
    """Rules that take a little more each time."""
    age = 395 - 300 * step // steps
    return {"days": age, "events": {moments.choice(NAMES): moments.choice([None, age - 5, age - 20])}}


def test_kills_while_events_expire(tmp_path, monkeypatch):
    monkeypatch.setenv("MUSTER_HISTORY", "disk")
    monkeypatch.setenv("MUSTER_HISTORY_FLUSH_ROWS", "60")
    moments = random.Random(chosen_seed())
    calls = history(1500, moments)
    kept = Kept(calls)
    with Installation(tmp_path / "data") as muster:
        source = muster.create_source()
        for start in range(0, len(calls), 100):
            muster.send(source["writeKey"], *calls[start:start + 100])
        muster.await_applied()
        assert muster.event_counts() == kept.counts()
        for kill in range(KILLS):
            rules = expiry(moments, kill, KILLS)
            if moments.random() < 0.7:
                muster.put(RETENTION, rules)
                kept.tighten(rules)
                assert muster.event_counts() == kept.counts()
            # The moment is random on purpose: every instruction is a possible end.
            time.sleep(moments.uniform(0, 0.4))
            muster.kill()
            if kill % 3 == 2:
                muster.start_and_kill(after=moments.uniform(0, 0.3))
            muster.start()
            state = muster.status()["history"]
            assert state["state"] == "ready" and state["rebuilds"] == 0 and state["problem"] is None, state
            assert muster.event_counts() == kept.counts(), f"after kill {kill}"
        # A new trait counts what is left.
        muster.await_applied()
        made = muster.create_trait("Orders", "event('Order Completed').count()")
        muster.await_applied()
        orders = Counter(call["userId"] for call in kept.left() if call["event"] == "Order Completed")
        assert muster.members(made) == dict(orders)

        # The Log alone says the same.
        found = answers(muster)
        muster.stop()
        shutil.rmtree(muster.directory / "history")
        muster.start()
        muster.await_applied(timeout=300)
        assert answers(muster) == found


def test_a_day_later_it_happens_by_itself_and_nothing_is_left_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("MUSTER_HISTORY", "disk")
    monkeypatch.setenv("MUSTER_HISTORY_FLUSH_ROWS", "60")
    moments = random.Random(7)
    calls = history(400, moments)
    kept = Kept(calls)
    with Installation(tmp_path / "data", test_clock=True) as muster:
        source = muster.create_source()
        for start in range(0, len(calls), 100):
            muster.send(source["writeKey"], *calls[start:start + 100])
        muster.await_applied()
        rules = {"days": 200, "events": {"Looked": None}}
        estimate = muster.put(f"{RETENTION}?dryRun=true", rules)["data"]["dryRun"]
        assert muster.event_counts() == kept.counts()
        wanted = Kept(calls)
        wanted.tighten(rules)
        assert estimate["events"] == len(calls) - len(wanted.left())
        # Nothing is as old as that before three hundred days have passed.
        assert muster.put(RETENTION, {"days": 500, "events": {"Looked": None}})["data"]["retention"]["lastExpiryAt"]
        assert muster.event_counts() == kept.counts()
        muster.advance_clock(days=300)
        kept.tighten(rules)
        until("what is too old to go", lambda: muster.event_counts() == kept.counts())

        gone = {call["properties"]["marker"] for call in calls} - {call["properties"]["marker"] for call in kept.left()}
        assert len(gone) > 50

        def occurring():
            data = b"".join(
                path.read_bytes() for path in (muster.directory / "history").iterdir() if path.is_file())
            return [marker for marker in gone if marker.encode() in data]

        until("the files to be written without it", lambda: not occurring())
        try:
            muster.put(RETENTION, {"days": 0})
            raise AssertionError("0 days were taken")
        except Refused as refusal:
            assert "a whole number of days" in refusal.body
