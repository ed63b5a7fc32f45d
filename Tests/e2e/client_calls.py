"""10,000 mixed calls, and what must be known afterwards.

`plan` is shared by the sender (client_send.py, which runs beside an unmodified segment-analytics-python) and the test. The
calls of one person come in an order in which the last word on each trait is known.
"""

USERS = 500
EVENTS = ("Lesson Started", "Lesson Finished", "Quiz Passed")


def plan(count=10_000):
    """Yields (method of the client, its arguments)."""
    for index in range(count):
        # Runs through the users again and again; what a call is depends on the round.
        user, turn = index % USERS, index // USERS
        user_id = f"pupil-{user}"
        kind = turn % 20
        if turn == 0:
            yield "track", dict(
                anonymous_id=f"visitor-{user}", event=EVENTS[0], properties={"points": 1, "lesson": "welcome"})
        elif turn == 1:
            yield "identify", dict(
                user_id=user_id, anonymous_id=f"visitor-{user}",
                traits={"email": f"pupil{user}@example.com", "round": turn, "name": f"Pupil {user} Ø"})
        elif kind in (5, 11):
            yield "identify", dict(user_id=user_id, traits={"round": turn, "active": True})
        elif kind in (3, 13):
            yield "page", dict(user_id=user_id, category="Docs", name="Lesson", properties={"path": f"/lesson/{turn}"})
        elif kind in (7, 17):
            yield "screen", dict(user_id=user_id, category="App", name="Home", properties={"turn": turn})
        elif kind == 9:
            yield "group", dict(user_id=user_id, group_id=f"class-{user % 20}", traits={"teacher": f"T{user % 20}"})
        elif kind == 15:
            yield "alias", dict(previous_id=f"old-pupil-{user}", user_id=user_id)
        else:
            yield "track", dict(
                user_id=user_id, event=EVENTS[turn % len(EVENTS)],
                properties={"points": turn % 7, "lesson": f"L{turn}", "nested": {"deep": [1, 2.5, None, "x"]}})


def expectation(count=10_000):
    """Numbers of events by name, and per user: number of tracks, sum of points, last round."""
    names = {}
    users = {}
    for method, arguments in plan(count):
        user = arguments.get("user_id") or arguments["anonymous_id"].replace("visitor-", "pupil-")
        known = users.setdefault(user, {"tracks": 0, "points": 0, "round": None})
        if method == "track":
            names[arguments["event"]] = names.get(arguments["event"], 0) + 1
            known["tracks"] += 1
            known["points"] += arguments["properties"]["points"]
        elif method == "page":
            names["Page Viewed"] = names.get("Page Viewed", 0) + 1
        elif method == "screen":
            names["Screen Viewed"] = names.get("Screen Viewed", 0) + 1
        elif method == "identify":
            known["round"] = arguments["traits"]["round"]
    return names, users
