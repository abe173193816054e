#!/usr/bin/env bash
# Makes the virtual environment with the real clients, once.
set -euo pipefail
cd "$(dirname "$0")"
stamp=.venv/requirements.txt
if ! cmp -s requirements.txt "$stamp"; then
  python3 -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
  cp requirements.txt "$stamp"
fi
