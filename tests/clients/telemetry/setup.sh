#!/usr/bin/env bash
# Installs the real clients, once: Python's in a virtual environment, Node's, and one built of Rust crates.
set -euo pipefail
cd "$(dirname "$0")"
stamp=.venv/requirements.txt
if ! cmp -s requirements.txt "$stamp"; then
  python3 -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt
  cp requirements.txt "$stamp"
fi
(cd node && npm ci --silent --no-fund --no-audit)
[ -n "${RUST_CLIENT:-}" ] || (cd rust && cargo build --quiet)
