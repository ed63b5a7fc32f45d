"""The Braze sandbox as a process of its own. Profiles are read as Braze's customers read them, by POST /users/export/ids;
segments are made as its segment page makes them (/sandbox/api).
"""

import itertools

from harness import Process, free_port, request, until


class Sandbox(Process):
    FIELDS = ["external_id", "email", "custom_attributes", "custom_events"]

    def __init__(self, directory):
        super().__init__("muster sandbox", directory, free_port())
        self._names = itertools.count(1)

    def arguments(self):
        return ["sandbox", "--data", str(self.directory), "--port", str(self.port)]

    def is_ready(self):
        return self.get("/sandbox/api/state")["users"] >= 0

    def start(self):
        super().start()
        if not hasattr(self, "key"):
            self.key = self.create_key("for tests")["secret"]
        return self

    def create_key(self, name, **settings):
        return self.post("/sandbox/api/keys", {"name": name, **settings})

    def revoke(self, key):
        return self.post(f"/sandbox/api/keys/{key['id']}/revoke")

    def set_faults(self, **faults):
        return self.put("/sandbox/api/faults", faults)

    def requests(self):
        """Requests that it has answered."""
        return self.get("/sandbox/api/state")["requests"]

    def settle(self):
        """Like Braze, it answers first and processes a moment later."""
        until("the sandbox to process what it accepted", lambda: self.get("/sandbox/api/state")["pending"] == 0)

    def export(self, *external_ids):
        """Profiles by external id; who is not there is missing."""
        self.settle()
        found = {}
        for start in range(0, len(external_ids), 50):
            answer = request(
                self.url, "POST", "/users/export/ids",
                {"external_ids": list(external_ids[start:start + 50]), "fields_to_export": self.FIELDS},
                headers={"Authorization": f"Bearer {self.key}"})
            found.update({user["external_id"]: user for user in answer["users"]})
        return found

    def profile(self, external_id):
        """The exported profile, with empty containers where Braze leaves them out; None when there is nobody."""
        user = self.export(external_id).get(external_id)
        return user and {"custom_attributes": {}, "custom_events": [], **user}

    def event(self, external_id, name):
        """`name`, `first`, `last` and `count` of one custom event on a profile."""
        events = (self.profile(external_id) or {"custom_events": []})["custom_events"]
        return next((event for event in events if event["name"] == name), {"name": name, "count": 0})

    def event_count(self, external_id, name):
        return self.event(external_id, name)["count"]

    def segment(self, *filters):
        """External ids of those who match all filters, through a saved segment."""
        self.settle()
        made = self.post("/sandbox/api/segments", {
            "name": f"Segment {next(self._names)}", "groups": [{"join": "AND", "filters": list(filters)}]})
        members, offset = set(), 0
        while True:
            page = self.get(f"/sandbox/api/segments/{made['id']}/members?limit=500&offset={offset}")
            members.update(member["external_id"] for member in page["members"])
            offset += len(page["members"])
            if not page["members"] or offset >= page["size"]:
                assert len(members) == page["size"], "size and members disagree"
                return members
