"""A person is deleted while the server is killed: in the end nothing of them is left in the files, nobody else lost
anything, and new calls with the id are turned away (spec: collection §6.4, checklist 96)."""

from pathlib import Path

from harness import Refused, until

SECRET = "Xk29fQwzLmPa"


def test_deletion_survives_a_kill(muster, tmp_path):
    source = muster.create_source()
    audience = muster.create_audience("Buyers", "event('Bought').count() >= 1")
    for number in range(30):
        muster.send(source["writeKey"], {
            "type": "track", "userId": f"person-{number}-{SECRET}-{number}", "anonymousId": f"device-{number}",
            "event": "Bought", "properties": {"note": f"note {number} {SECRET}"}})
    muster.await_applied()
    victim, other = f"person-7-{SECRET}-7", f"person-8-{SECRET}-8"
    assert files_with(tmp_path / "data", victim)

    answer = muster.post("/regulations", {
        "regulationType": "SUPPRESS_WITH_DELETE_INTERNAL", "subjectType": "USER_ID", "subjectIds": [victim]})
    regulation = answer["data"]["regulateId"]
    muster.kill()
    muster.start()
    until("the regulation to finish", lambda: muster.get(f"/regulations/{regulation}")["data"]["regulation"]["overallStatus"] == "FINISHED")
    assert set(muster.members(audience)) == {f"person-{n}-{SECRET}-{n}" for n in range(30) if n != 7}
    assert muster.traits(victim) is None

    muster.send(source["writeKey"], {"type": "track", "userId": victim, "event": "Bought"})
    muster.send(source["writeKey"], {"type": "track", "userId": other, "event": "Bought"})
    muster.await_applied()
    assert muster.traits(victim) is None
    assert muster.get("/suppressions")["data"]["suppressed"][0]["subjectIds"] == [victim]
    try:
        muster.post("/regulations", {"regulationType": "DELETE_ARCHIVE_ONLY", "subjectIds": ["x"]})
        raise AssertionError("an order that can't be carried out was accepted")
    except Refused as refusal:
        assert refusal.status == 400

    path = f"/v1/spaces/spa_muster/collections/users/profiles/user_id:{other}/external_ids/delete"
    muster.post(path, {"delete_external_ids": [{"type": "anonymous_id", "id": "device-8"}]})
    assert muster.traits("device-8", kind="anonymous_id") is None
    assert muster.traits(other) is not None

    # The order itself names the person, as a list of suppressions must; what they did is gone.
    assert not files_with(tmp_path / "data", f"note 7 {SECRET}")
    muster.kill()
    muster.start()
    assert muster.traits(victim) is None
    assert set(muster.members(audience)) == {f"person-{n}-{SECRET}-{n}" for n in range(30) if n != 7}


def files_with(directory, text):
    return [path for path in Path(directory).rglob("*") if path.is_file() and text.encode() in path.read_bytes()]
