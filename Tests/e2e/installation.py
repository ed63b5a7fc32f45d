"""One installation of Muster, driven as a script would drive it (docs/api.md)."""

import urllib.parse

from harness import SPACE, Process, Refused, basic, free_port, request, until

DAY = 24 * 3600


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
        return self.get("/status")["data"]

    def await_applied(self, timeout=None):
        """Waits until everything that was accepted so far has taken effect, backfills included."""
        def applied():
            status = self.status()
            return status if self.is_applied(status) else None

        return until("the engine to apply all of the Log", applied, timeout)

    @staticmethod
    def is_applied(status):
        raise NotImplementedError

    def advance_clock(self, seconds):
        """Moves the test clock; time goes on from there."""
        return self.post("/test/clock", {"advanceMilliseconds": int(seconds * 1000)})["data"]

    # Sources and the tracking API.

    def create_source(self, name="Test"):
        return self.post("/sources", {"name": name})["data"]

    def send(self, write_key, *messages):
        """A batch as a server client sends it; returns when it is accepted."""
        answer = request(
            self.url, "POST", "/v1/batch", {"batch": list(messages)}, headers=basic(write_key))
        assert answer == {"success": True}, answer

    # Destinations.

    def create_braze(self, address, key, name="Braze"):
        return self.post(
            "/destinations", {"kind": "braze", "name": name, "settings": {"endpoint": address, "apiKey": key}})["data"]

    def destination(self, identifier):
        return self.get(f"/destinations/{identifier}")["data"]

    # Audiences and computed traits.

    def create_audience(self, name, query, **options):
        return self._create("audiences", {"audienceType": "USERS"}, name, query, options)

    def create_trait(self, name, query, **options):
        return self._create("computed-traits", {}, name, query, options)

    def _create(self, collection, extra, name, query, options):
        body = {"name": name, "enabled": True, "definition": {"query": query}, **extra}
        if options:
            body["options"] = options
        created = self.post(f"/spaces/{SPACE}/{collection}", body)["data"]
        created["collection"] = collection
        return created

    def computation(self, made):
        return self.get(f"/spaces/{SPACE}/{made['collection']}/{made['id']}")["data"]

    def connect(self, made, destination, **settings):
        return self.post(
            f"/spaces/{SPACE}/{made['collection']}/{made['id']}/destination-connections",
            {"destination": {"id": destination["id"], "type": "destination"}, "connectionSettings": settings})

    def members(self, made):
        """All members by user id, with the trait's value or `True`."""
        found, cursor = {}, None
        while True:
            page = f"&pagination[cursor]={encoded(cursor)}" if cursor else ""
            answer = self.get(
                f"/spaces/{SPACE}/{made['collection']}/{made['id']}/members?pagination[count]=200{page}")
            for member in answer["data"]["members"]:
                found[member["userId"]] = member.get("value", True)
            cursor = answer["pagination"].get("next")
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
                    f"?limit=200&next={encoded(following)}")
            except Refused as refusal:
                if refusal.status == 404:
                    return None
                raise
            found.update(answer["traits"])
            following = answer["cursor"].get("next") or ""
            if not answer["cursor"].get("has_more"):
                return found

    def event_counts(self):
        """How many events there are, by name."""
        return {event["name"]: event["count"] for event in self.get(f"/spaces/{SPACE}/events?count=200")["data"]["events"]}
