"""Sends the plan of client_calls.py with the segment-analytics-python on PYTHONPATH, unmodified and with its defaults,
except for the address. Says how many calls it handed over; ends with 1 when the client reports a failure.

    python client_send.py HOST WRITE_KEY COUNT
"""

import sys
import time
from importlib.metadata import version

import segment.analytics.client as client_module
from client_calls import plan


def main(host, write_key, count):
    failures = []
    client = client_module.Client(
        write_key, host=host, on_error=lambda error, items: failures.append((repr(error), len(items))))
    handed = 0
    for method, arguments in plan(count):
        # The queue holds 10,000; a full one refuses, and then the caller has to wait.
        while not getattr(client, method)(**arguments)[0]:
            time.sleep(0.01)
        handed += 1
    client.flush()
    client.join()
    print(f"segment-analytics-python {version('segment-analytics-python')}: {handed} calls")
    if failures:
        print(f"failures: {failures[:5]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
