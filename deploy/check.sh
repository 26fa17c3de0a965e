#!/usr/bin/env bash
# Checks the alert rules and their unit tests with promtool; with a file or an address, that scrape too:
#   deploy/check.sh [http://127.0.0.1:8080/metrics | metrics.txt]
# Takes promtool from $PROMTOOL, the PATH or .cache/promtool; on Debian and its relatives it downloads the package
# `prometheus` into .cache/promtool without installing it, which needs no root. Where there is none it fails with status 2 and
# says what it could not check.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cache="$here/../.cache/promtool"

unpack() { # downloads and unpacks Debian's package; further arguments go to apt-get
  local folder
  mkdir -p "$cache" && folder="$(mktemp -d "$cache/download-XXXXXX")" || return 1
  (cd "$folder" && apt-get "$@" download -qq prometheus >&2 && dpkg -x prometheus_*.deb unpacked) \
    && mv -f "$folder/unpacked/usr/bin/promtool" "$cache/promtool"
  local status=$?
  rm -rf "$folder"
  return "$status"
}

find_promtool() {
  if [[ -n "${PROMTOOL:-}" ]]; then echo "$PROMTOOL" && return; fi
  if command -v promtool && promtool --version >/dev/null 2>&1; then return; fi
  if [[ ! -x "$cache/promtool" ]]; then
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
    if ! unpack 2>/dev/null; then
      # the system has no package lists, as in slim images: fetch them to a place of our own
      local lists="$cache/lists"
      mkdir -p "$lists/partial"
      apt-get -qq -o "Dir::State::lists=$lists" -o "Dir::Cache=$cache" update >&2 || return 1
      unpack -o "Dir::State::lists=$lists" -o "Dir::Cache=$cache" || return 1
    fi
  fi
  echo "$cache/promtool"
}

if ! promtool="$(find_promtool)"; then
  echo "No promtool, and Debian's could not be had: neither deploy/prometheus/rules.yaml nor a scrape was checked." >&2
  echo "Install Prometheus (https://prometheus.io/download/) and set PROMTOOL to its promtool." >&2
  exit 2
fi
"$promtool" --version | head -n 1
cd "$here/prometheus"
"$promtool" check rules rules.yaml
"$promtool" test rules rules.test.yaml
[[ $# -eq 0 ]] && exit 0
cd - >/dev/null
case "$1" in
  http://* | https://*) scrape="$(curl -fsS "$1")" ;;
  *) scrape="$(cat "$1")" ;;
esac
# Its style check knows nothing of vLLM's names, which have colons; anything else it says counts.
status=0
said="$("$promtool" check metrics <<<"$scrape" 2>&1)" || status=$?
rest="$(grep -vE "^vllm:|^(nodejs|process)_" <<<"$said" || true)"
if [[ -n "$rest" || ($status -ne 0 && $status -ne 3) ]]; then
  echo "$said" >&2
  echo "promtool check metrics failed with status $status." >&2
  exit 1
fi
echo "Checking the scrape: SUCCESS, $(grep -cv '^#' <<<"$scrape") samples"
