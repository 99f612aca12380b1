#!/usr/bin/env bash
# Puts the real servers of the connectors' tests into LAMGATE_SERVERS, or a folder of the user's caches:
# each of requirements/servers/*.txt into an environment of its own, and those of npm where there is one.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${LAMGATE_SERVERS:-$HOME/.cache/lamgate/servers}
mkdir -p "$folder"

install() {
    local own="$folder/$1" locked="requirements/servers/$1.txt"
    cmp -s "$locked" "$own/locked.txt" && return
    rm -rf "$own"
    python3 -m venv "$own"
    "$own/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$locked"
    cp "$locked" "$own/locked.txt"
}

waited=()
for file in requirements/servers/*.txt; do
    install "$(basename "$file" .txt)" & waited+=($!)
done
published=(maildev@3.0.0 stripe-stateful-mock@0.0.16 @modelcontextprotocol/server-{everything,filesystem,memory}@2026.8.31)
if command -v npm >/dev/null && ! cmp -s <(echo "${published[@]}") "$folder/published.txt"; then
    npm install --prefix "$folder" --no-audit --no-fund --ignore-scripts --silent "${published[@]}" \
        && echo "${published[@]}" > "$folder/published.txt" & waited+=($!)
fi
for each in "${waited[@]}"; do wait "$each"; done
