"""One installation of Muster, driven as a script would drive it (docs/api.md)."""

import urllib.parse

from harness import SPACE, Process, Refused, basic, free_port, request, until

#: Milliseconds.
UNITS = {"seconds": 1000, "minutes": 60_000, "hours": 3_600_000, "days": 86_400_000}


def encoded(value):
    return urllib.parse.quote(value, safe="")


class Installation(Process):
    def __init__(self, directory, port=None, test_clock=False):
        super().__init__("muster serve", directory, port or free_port())
        self.test_clock = test_clock

    def arguments(self):
        clock = ["--test-clock"] if self.test_clock else []
        return ["serve", "--data", str(self.directory), "--port", str(self.port), *clock]

    def is_ready(self):
        return self.status() is not None

    # Operations.

    def status(self):
        return self.get("/status")["data"]["status"]

    def await_applied(self, timeout=None):
        """Waits until everything that was accepted so far has taken effect, backfills included."""
        end = self.status()["engine"]["logEnd"]

        def applied():
            status = self.status()
            if status["engine"]["position"] < end:
                return None
            return status if not any(made.get("backfill") for made in self.computations()) else None

        return until("the engine to apply all of the Log", applied, timeout)

    def await_delivered(self, timeout=None):
        """Waits until everything that was accepted so far has taken effect and destinations know of it."""
        self.await_applied(timeout)

        def delivered():
            status = self.status()
            return status if status["totals"]["waiting"] == 0 else None

        return until("the outbox to be empty", delivered, timeout)

    def advance_clock(self, **span):
        """Moves the test clock, for example by days=60; time goes on from there."""
        milliseconds = sum(UNITS[unit] * count for unit, count in span.items())
        return self.post("/test/clock", {"advanceMs": int(milliseconds)})["data"]

    # Sources and the tracking API.

    def create_source(self, name="Test"):
        return self.post("/sources", {"name": name})["data"]["source"]

    def send(self, write_key, *messages):
        """A batch as a server client sends it; returns when it is accepted."""
        answer = request(self.url, "POST", "/v1/batch", {"batch": list(messages)}, headers=basic(write_key))
        assert answer == {"success": True}, answer

    # Destinations.

    def create_braze(self, address, key, name="Braze"):
        settings = {"endpoint": address, "api_key": key}
        return self.post("/destinations", {"kind": "braze", "name": name, "settings": settings})["data"]["destination"]

    def destination(self, made):
        return self.get(f"/destinations/{made['id']}")["data"]["destination"]

    # Audiences and computed traits.

    def create_audience(self, name, query, **options):
        return self._create("audiences", "audience", {"audienceType": "USERS"}, {}, name, query, options)

    def create_trait(self, name, query, **options):
        return self._create("computed-traits", "computedTrait", {}, {"type": "USERS"}, name, query, options)

    def _create(self, collection, member, extra, scope, name, query, options):
        body = {"name": name, "enabled": True, "definition": {"query": query, **scope}, **extra}
        if options:
            body["options"] = options
        created = self.post(f"/spaces/{SPACE}/{collection}", body)["data"][member]
        return {**created, "path": f"/spaces/{SPACE}/{collection}/{created['id']}", "member": member}

    def computation(self, made):
        return self.get(made["path"])["data"][made["member"]]

    def computations(self):
        return [
            *self.get(f"/spaces/{SPACE}/audiences?count=200")["data"]["audiences"],
            *self.get(f"/spaces/{SPACE}/computed-traits?count=200")["data"]["computedTraits"]]

    def connect(self, made, destination, **settings):
        return self.post(
            f"{made['path']}/destination-connections",
            {"destination": {"id": destination["id"], "type": "destination"}, "connectionSettings": settings})

    def members(self, made):
        """All members by user id, with the trait's value or `True`."""
        found, cursor = {}, ""
        while True:
            data = self.get(f"{made['path']}/members?count=200&cursor={encoded(cursor)}" if cursor
                            else f"{made['path']}/members?count=200")["data"]
            for member in data["members"]:
                found[member["userId"]] = member.get("value", True)
            cursor = data["pagination"].get("next")
            if not cursor:
                return found

    # Profiles.

    def traits(self, user_id, kind="user_id"):
        """All traits of a person by the Profile API; None when there is nobody."""
        found, following = {}, ""
        while True:
            try:
                answer = self.get(
                    f"/v1/spaces/{SPACE}/collections/users/profiles/{kind}:{encoded(user_id)}/traits"
                    f"?limit=200" + (f"&next={encoded(following)}" if following else ""))
            except Refused as refusal:
                if refusal.status == 404:
                    return None
                raise
            found.update(answer["traits"])
            following = answer["cursor"].get("next") or ""
            if not following:
                return found

    def timeline(self, user_id):
        """What happened to a person, newest first."""
        found = self.get(f"/spaces/{SPACE}/profiles?search={encoded('user_id:' + user_id)}")["data"]["profiles"]
        return self.get(f"/spaces/{SPACE}/profiles/{found[0]['id']}/timeline?count=200")["data"]["timeline"]

    def event_counts(self):
        """How many events there are, by name."""
        return {event["name"]: event["count"] for event in self.get(f"/spaces/{SPACE}/events?count=200")["data"]["events"]}
