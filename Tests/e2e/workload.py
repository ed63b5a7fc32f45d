"""A steady load for crash tests: many people, several threads, batches with deterministic message ids. A batch that was not
acknowledged is sent again, unchanged, as clients do; an acknowledged one never is. What must come out is known exactly.
"""

import random
import threading
import time

from harness import Refused, basic, request


class Workload:
    """`people` buy again and again. Each thread owns some of them, so that each person's calls have an order."""

    EVENT = "Order Completed"

    def __init__(self, url, write_key, people=1200, threads=3, seed=1, pause=0.0):
        self.url = url
        self.write_key = write_key
        self.seed = seed
        #: Seconds between a thread's batches: a load that the engine keeps up with even in a debug build.
        self.pause = pause
        self.acknowledged = 0
        self.repeated = 0
        self.orders = {f"buyer-{index}": 0 for index in range(people)}
        self.revenue = dict.fromkeys(self.orders, 0)
        self.failure = None
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number, threads), daemon=True) for number in range(threads)]

    def start(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        """Ends after the batches under way are acknowledged."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=120)
            assert not thread.is_alive(), "a sender still waits for its acknowledgement"
        if self.failure:
            raise self.failure

    def _run(self, number, threads):
        try:
            draw = random.Random(self.seed * 1000 + number)
            mine = [person for index, person in enumerate(self.orders) if index % threads == number]
            for start in range(0, len(mine), 100):
                self._deliver([{
                    "type": "identify", "messageId": f"who-{self.seed}-{person}", "userId": person,
                    "traits": {"email": f"{person}@example.com"}} for person in mine[start:start + 100]])
            turn = 0
            while not self._stopping.is_set():
                turn += 1
                batch = []
                for place in range(draw.randint(1, 40)):
                    person, amount = draw.choice(mine), draw.randint(1, 100)
                    batch.append({
                        "type": "track", "messageId": f"load-{self.seed}-{number}-{turn}-{place}", "userId": person,
                        "event": self.EVENT, "properties": {"revenue": amount, "place": place}})
                    self.orders[person] += 1
                    self.revenue[person] += amount
                self._deliver(batch)
                self._stopping.wait(self.pause)
        except Exception as error:  # shown by stop()
            self.failure = error

    def _deliver(self, batch):
        """Sends until acknowledged; the wait in between is a client's back-off, not a guess at timing."""
        body = {"batch": batch}
        deadline = time.monotonic() + 120
        while True:
            try:
                answer = request(self.url, "POST", "/v1/batch", body, headers=basic(self.write_key), timeout=20)
                assert answer == {"success": True}, answer
                self.acknowledged += len(batch)
                return
            except (OSError, ValueError) as error:
                if time.monotonic() > deadline:
                    raise AssertionError(f"a batch was not accepted for two minutes: {error!r}") from error
                self.repeated += 1
                time.sleep(0.02)
            except Refused as refusal:
                # 429 and 503 ask to come again; anything else is a failure.
                if refusal.status not in (429, 503):
                    raise
                time.sleep(0.1)
