"""History is derived: without it Muster starts, rebuilds it from the Log, and gives the same answers (design §6)."""

import shutil

from client_calls import plan


def answers(muster, made, people):
    return {
        "members": {one["key"]: muster.members(one) for one in made},
        "traits": {person: muster.traits(person) for person in people},
        "events": muster.event_counts(),
    }


def test_same_answers_without_history(muster):
    source = muster.create_source()
    made = [
        muster.create_trait("Lessons", "event('Lesson Started').count()"),
        muster.create_trait("Last Lesson", "event('Lesson Finished').last(property('lesson'))"),
        muster.create_audience("Clever", "event('Quiz Passed').within(7 days).sum(property('points')) >= 3"),
    ]
    batch = []
    for number, (method, arguments) in enumerate(plan(4300)):
        renamed = {NAMES.get(name, name): value for name, value in arguments.items()}
        batch.append({"type": method, "messageId": f"rebuild-{number}", **renamed})
        if len(batch) == 100:
            muster.send(source["writeKey"], *batch)
            batch = []
    muster.await_applied()
    people = [f"pupil-{number}" for number in range(0, 500, 50)]
    before = answers(muster, made, people)
    assert len(before["members"]["lessons"]) == 500 and len(before["members"]["clever"]) == 300

    muster.stop()
    history = muster.directory / "history"
    if history.exists():
        shutil.rmtree(history)
    muster.start()
    muster.await_applied()
    assert answers(muster, made, people) == before


#: The Python client's names of arguments and the members of a message.
NAMES = {"user_id": "userId", "anonymous_id": "anonymousId", "group_id": "groupId", "previous_id": "previousId"}
