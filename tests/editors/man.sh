#!/usr/bin/env bash
# usage: man.sh PROGRAM WORK: every page renders without a warning and says what --help says.
set -euo pipefail
program="$1"
command -v groff >/dev/null || { echo "skipped: no groff"; exit 77; }
rm -rf "$2"
"$program" man --output "$2"
name=$(basename "$program")
for page in "$2"/*.1; do
  if LC_ALL=C grep -nP '[^\x00-\x7F]' "$page"; then echo "$page has characters beyond ASCII"; exit 1; fi
  warnings=$(groff -man -ww -z -Tutf8 "$page" 2>&1)
  [ -z "$warnings" ] || { echo "$page: $warnings"; exit 1; }
  if command -v mandoc >/dev/null; then
    warnings=$(mandoc -Tlint -Wwarning "$page" 2>&1) || { echo "$warnings"; exit 1; }
  fi
done
# Each verb that --help lists has a page, and each of its options stands there.
verbs=$("$program" --help | sed -n '/^Subcommands:/,$p' | sed -n 's/^  \([a-z][a-z-]*\).*/\1/p')
[ -n "$verbs" ] || { echo "--help lists no verbs"; exit 1; }
checked=0
for verb in $verbs; do
  page=$(groff -man -Tutf8 -P-c -P-b -P-u -rLL=1000n "$2/$name-$verb.1" | sed 's/‐/-/g; s/−/-/g')
  for option in $("$program" "$verb" --help | grep -oE '^ +(-[a-z],)?--[a-z][a-z-]*' | grep -oE -- '--[a-z-]+'); do
    grep -qF -- "$option" <<<"$page" || { echo "$name-$verb.1 lacks $option"; exit 1; }
    checked=$((checked + 1))
  done
done
[ "$checked" -gt 5 ] || { echo "only $checked options were compared"; exit 1; }
grep -qF "$name" <<<"$(groff -man -Tutf8 "$2/$name.1")"
echo "$(ls "$2" | wc -l) pages, $checked options"
