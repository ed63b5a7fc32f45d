"""Muster is killed with SIGKILL while it flushes and merges the history's files, again and again. After each start the
history is there without being read from the Log anew, and it answers what a history rebuilt from the Log answers.

A short form runs by default; MUSTER_LONG=1 kills 300 times. MUSTER_SEED repeats a run's moments.
"""

import os
import random
import shutil
import time

from harness import Refused, chosen_seed, until
from installation import Installation
from workload import Workload

KILLS = 300 if os.environ.get("MUSTER_LONG") else 6


def files(muster):
    return muster.status()["history"]


def answers(muster, made, people):
    return {
        "members": {one["key"]: muster.members(one) for one in made},
        "traits": {person: muster.traits(person) for person in people},
        "events": muster.event_counts(),
        "timelines": {person: muster.timeline(person) for person in people},
    }


def create(muster):
    return [
        muster.create_trait("Orders", "event('Order Completed').count()"),
        muster.create_trait("Revenue", "event('Order Completed').sum(property('revenue'))"),
        muster.create_trait("Last", "event('Order Completed').last(property('place'))"),
        muster.create_audience("Regulars", "event('Order Completed').within(30 days).count() >= 10"),
    ]


def test_kills_while_files_are_written(tmp_path, monkeypatch):
    # Hardly a moment at which nothing is being written.
    monkeypatch.setenv("MUSTER_HISTORY", "disk")
    monkeypatch.setenv("MUSTER_HISTORY_FLUSH_ROWS", "60")
    seed = chosen_seed()
    moments = random.Random(seed)
    with Installation(tmp_path / "data") as muster:
        source = muster.create_source()
        made = create(muster)
        load = Workload(muster.url, source["writeKey"], people=60, seed=seed % 1000, pause=0.02).start()
        stored = 0
        for kill in range(KILLS):
            before = load.acknowledged
            until("calls to be accepted again", lambda: load.acknowledged > before + 20 or load.failure)
            # The moment is random on purpose: every instruction is a possible end.
            time.sleep(moments.uniform(0, 0.3))
            muster.kill()
            if kill % 5 == 4:
                muster.start_and_kill(after=moments.uniform(0, 0.2))
            muster.start()
            state = files(muster)
            assert state["state"] == "ready" and state["rebuilds"] == 0 and state["problem"] is None, state
            assert state["storedPosition"] >= stored, "what was on disk is not any more"
            stored = state["storedPosition"]
        load.stop()
        muster.await_applied(timeout=300)
        expected = {person: count for person, count in load.orders.items() if count}
        assert muster.members(made[0]) == expected
        assert muster.members(made[1]) == {person: load.revenue[person] for person in expected}
        people = list(expected)[:12]
        found = answers(muster, made, people)
        state = files(muster)
        print(f"{KILLS} kills, {load.acknowledged} calls, {state}")
        assert state["storedRows"] > 100 and state["runFiles"] > 1

        # A clean stop leaves nothing to be read from the Log.
        muster.stop()
        muster.start()
        state = files(muster)
        assert state["storedPosition"] == muster.status()["engine"]["position"] and state["freshRows"] == 0, state
        assert answers(muster, made, people) == found

        # The Log alone says the same.
        muster.stop()
        shutil.rmtree(muster.directory / "history")
        muster.start()
        muster.await_applied(timeout=300)
        assert answers(muster, made, people) == found


def test_a_damaged_file_is_found_said_and_repaired(tmp_path, monkeypatch):
    monkeypatch.setenv("MUSTER_HISTORY", "disk")
    monkeypatch.setenv("MUSTER_HISTORY_FLUSH_ROWS", "100")
    with Installation(tmp_path / "data") as muster:
        source = muster.create_source()
        made = create(muster)
        for start in range(0, 1000, 100):
            muster.send(source["writeKey"], *[
                {"type": "track", "messageId": f"d-{number}", "userId": f"u{number % 9}", "event": "Order Completed",
                 "properties": {"revenue": number, "place": number % 5}} for number in range(start, start + 100)])
        muster.await_applied()
        until("rows on disk", lambda: files(muster)["storedRows"] >= 800)
        people = [f"u{number}" for number in range(9)]
        found = answers(muster, made, people)
        muster.stop()
        for path in (muster.directory / "history").glob("*.runs"):
            data = bytearray(path.read_bytes())
            for place in range(64, len(data) // 2, 50):
                data[place] ^= 1
            path.write_bytes(data)
        muster.start()

        # Until it is repaired there may be no answer; there is never a wrong one.
        def repaired():
            try:
                assert answers(muster, made, people) == found
            except Refused as refusal:
                assert refusal.status == 503 and "history" in refusal.body
            state = files(muster)
            return state["state"] == "ready" and state["rebuilds"] >= 1

        until("the damage to be repaired", repaired)
        assert "checksum" in files(muster)["problem"]
        assert answers(muster, made, people) == found
