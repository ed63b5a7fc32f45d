"""The unmodified segment-analytics-python delivers 10,000 mixed calls; each takes effect once, although a proxy gives every
batch to the server twice and the server is killed and started again in the middle (issue 2, collection).
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from client_calls import expectation
from harness import CLIENTS, Duplicator, until

CALLS = 10_000


def run_client(version, host, write_key):
    environment = {**os.environ, "PYTHONPATH": str(CLIENTS / version)}
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("client_send.py")), host, write_key, str(CALLS)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("version", ["2.3.4", "2.4.0"])
def test_each_call_is_applied_once(muster, version):
    source = muster.create_source(f"Python {version}")
    tracks = muster.create_trait("Tracks", "event('Quiz Passed').count()")
    points = muster.create_trait("Points", "event('Lesson Started').sum(property('points'))")
    names, users = expectation(CALLS)

    proxy = Duplicator(muster.port)
    client = run_client(version, proxy.url, source["writeKey"])
    try:
        # A quarter is in: pull the plug.
        until("a quarter of the calls", lambda: sum(muster.event_counts().values()) > CALLS / 4 or client.poll() is not None)
        assert client.poll() is None, client.stdout.read()
        muster.kill()
        muster.start()
        output, _ = client.communicate(timeout=240)
    finally:
        client.kill()
        proxy.close()
    print(output)
    assert client.returncode == 0, output
    assert f"segment-analytics-python {version}: {CALLS} calls" in output
    assert proxy.doubled >= CALLS / 100, "every batch went twice"

    muster.await_applied()
    assert muster.event_counts() == names

    assert muster.computation(tracks)["status"] == "Live"
    assert_traits(muster, users, tracks, points)


def assert_traits(muster, users, tracks, points):
    per_user = {}
    from client_calls import plan

    for method, arguments in plan(CALLS):
        if method == "track":
            user = arguments.get("user_id") or arguments["anonymous_id"].replace("visitor-", "pupil-")
            known = per_user.setdefault(user, {"passed": 0, "points": 0})
            known["passed"] += arguments["event"] == "Quiz Passed"
            known["points"] += arguments["properties"]["points"] if arguments["event"] == "Lesson Started" else 0
    assert muster.members(tracks) == {user: known["passed"] for user, known in per_user.items() if known["passed"]}
    assert muster.members(points) == {user: known["points"] for user, known in per_user.items()}
    # Identify, alias and merge: one profile per pupil, found by each of its names, with the last word on each trait.
    for user, known in list(users.items())[::25]:
        traits = muster.traits(user)
        assert traits["round"] == known["round"] and traits["active"] is True, traits
        assert traits["email"] == user.replace("-", "") + "@example.com"
        assert muster.traits(user.replace("pupil", "visitor"), "anonymous_id") == traits
        assert muster.traits(f"old-{user}") is None, "alias merges nothing and makes nobody"
