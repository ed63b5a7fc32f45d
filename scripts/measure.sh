#!/usr/bin/env bash
# Measures the whole path on this machine with the release binary and prints a table: durable and applied events a second
# (client batches of 100), backfill, delivery, the second start, and resident memory idle and after the demo.
#
#   scripts/measure.sh [customers]
set -euo pipefail
cd "$(dirname "$0")/.."

binary=${MUSTER_BIN:-.build/release/muster}
customers=${1:-11000}
[ -x "$binary" ] || { echo "Build it first: make build" >&2; exit 1; }
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
resident() { awk '/^VmRSS/ { printf "%.0f MB", $2 / 1024 }' "/proc/$1/status"; }
# One sandbox address for all runs: the destination keeps pointing at it.
sandbox_port=$(free_port)
demo() {
    "$binary" demo --data "$work/demo" --port "$(free_port)" --sandbox-port "$sandbox_port" --customers "$customers" \
        --exit-when-ready "$@"
}

# Idle: an empty store, after it has answered.
port=$(free_port)
"$binary" serve --data "$work/idle" --port "$port" 2>"$work/idle.log" &
server=$!
until python3 -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$port/health')" 2>/dev/null; do
    kill -0 "$server" || { cat "$work/idle.log" >&2; exit 1; }
    sleep 0.1
done
before=$(awk '{ print $14 + $15 }' "/proc/$server/stat")
sleep 10
idle_ticks=$(($(awk '{ print $14 + $15 }' "/proc/$server/stat") - before))
idle=$(resident "$server")
kill "$server"
wait "$server" || true
server=

demo > "$work/first.json"
demo > "$work/again.json"
demo --seed 2 > "$work/second.json"

python3 - "$work" "$idle" "$idle_ticks" <<'PYTHON'
import json, os, sys
work, idle, ticks = sys.argv[1:]
first, again, second = (json.load(open(os.path.join(work, name + ".json"))) for name in ("first", "again", "second"))
rate = lambda report, key: f"{report['calls'] / report[key]:,.0f} events/s"
rows = [
    ("calls of the shop", f"{first['calls']:,} ({first['users']:,} people)"),
    ("accepted durably, no computation yet", rate(first, "acceptedSeconds")),
    ("applied, no computation yet", rate(first, "appliedSeconds")),
    ("backfill of the demo's audiences and traits", f"{first['backfillSeconds']:.1f} s"),
    ("delivery of what they found to the sandbox", f"{first['delivered']:,} changes in {first['deliveredSeconds']:.1f} s"),
    ("demo from start to ready", f"{first['totalSeconds']:.1f} s"),
    ("second start to ready", f"{again['totalSeconds']:.1f} s"),
    ("second shop, all computations live and connected: applied", rate(second, "appliedSeconds")),
    ("resident, idle, empty store", idle),
    ("processor, idle", f"{int(ticks) / 10:.1f} % of one core"),
    ("resident after the demo, sandbox in the same process", f"{first['residentBytes'] / 1e6:,.0f} MB"),
    ("data on disk after both shops",
     f"{sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(os.path.join(work, 'demo')) for name in names) / 1e6:,.0f} MB"),
]
width = max(len(name) for name, _ in rows)
print(f"{os.cpu_count()} cores")
for name, value in rows:
    print(f"{name:<{width}}  {value}")
PYTHON
