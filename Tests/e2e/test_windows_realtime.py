"""Windows of seconds in real time, without any control over the clock: people enter when the event arrives and leave when
its time is up, although nothing else happens (design §4).

The query language counts in hours, so the events are dated almost an hour back: the window's end is seconds away.
"""

from datetime import datetime, timedelta, timezone

from harness import until

WINDOW = timedelta(hours=1)


def test_people_leave_on_time(muster, sandbox):
    source = muster.create_source()
    recent = muster.create_audience("Just Ordered", "event('Order Completed').within(1 hours).count() >= 1")
    quiet = muster.create_audience(
        "Gone Quiet", "event('Order Completed').count() >= 1 AND event('Order Completed').within(1 hours).count() = 0")
    braze = muster.create_braze(sandbox.url, sandbox.key)
    muster.connect(recent, braze, sendIdentify=True, sendTrack=True)

    ends = {}
    for number, seconds in enumerate((15, 17, 20)):
        now = datetime.now(timezone.utc)
        moment = now.replace(microsecond=now.microsecond // 1000 * 1000) + timedelta(seconds=seconds) - WINDOW
        person = f"guest-{number}"
        ends[person] = moment + WINDOW
        muster.send(source["writeKey"], {
            "type": "track", "messageId": f"window-{number}", "userId": person, "event": "Order Completed",
            "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")})
    until("all three to enter", lambda: set(muster.members(recent)) == set(ends), timeout=12)
    assert muster.members(quiet) == {}

    left = {}

    def everybody_left():
        # The time is taken after the answer: whoever it lacks had left by then.
        members, now = set(muster.members(recent)), datetime.now(timezone.utc)
        for person in ends:
            if person not in members:
                left.setdefault(person, now)
        return len(left) == len(ends)

    until("all three to leave", everybody_left, pause=0.02)
    for person, end in ends.items():
        assert left[person] >= end, f"{person} left too early, by {end - left[person]}"
    assert set(muster.members(quiet)) == set(ends)

    # The transition carries its exact instant, and Braze hears of it.
    muster.await_delivered()
    for person, end in ends.items():
        profile = sandbox.profile(person)
        assert profile["custom_attributes"]["just_ordered"] is False
        exits = next(event for event in profile["custom_events"] if event["name"] == "Audience Exited")
        assert exits["count"] == 1
        told = datetime.fromisoformat(exits["last"].replace("Z", "+00:00"))
        assert abs(told - end) < timedelta(seconds=1.1), (exits, end)
