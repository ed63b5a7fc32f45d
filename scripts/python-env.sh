#!/usr/bin/env bash
# Makes .venv-tests: pytest, Playwright and DuckDB, and beside them two versions of Segment's Python client, each in a directory of
# its own because a Python environment holds only one of them. Does nothing when it is already as wanted.
set -euo pipefail
cd "$(dirname "$0")/.."

environment=.venv-tests
stamp="$environment/.made-from"
wanted=$(cat scripts/python-env.sh Tests/e2e/requirements.txt | sha256sum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then exit 0; fi

rm -rf "$environment"
python3 -m venv "$environment"
pip=("$environment/bin/python" -m pip --quiet --disable-pip-version-check install)
"${pip[@]}" --requirement Tests/e2e/requirements.txt
for version in 2.3.4 2.4.0; do
    "${pip[@]}" --target "$environment/clients/$version" "segment-analytics-python==$version"
done
echo "$wanted" > "$stamp"
