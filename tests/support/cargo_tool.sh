#!/usr/bin/env bash
# Makes a cargo subcommand available and prints the PATH that finds it.
#   tests/support/cargo_tool.sh nextest
# The prebuilt wheel first: compiling the tool takes longer than compiling Faultline's tests.
set -euo pipefail
cd "$(dirname "$0")/../.."
tool=cargo-$1
if command -v "$tool" >/dev/null; then
  echo "$PATH"
  exit
fi
folder=${CARGO_TARGET_DIR:-target}/tools
if [ ! -x "$folder/bin/$tool" ]; then
  echo "installing $tool" >&2
  { python3 -m venv "$folder" && "$folder/bin/pip" install --quiet "astral-dev-toolchain-$tool"; } >&2 \
    || cargo install --locked --root "$folder" "$tool" >&2
fi
echo "$PATH:$(cd "$folder/bin" && pwd)"
