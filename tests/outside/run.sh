#!/usr/bin/env bash
# usage: run.sh BUILD WORK TRAINING LIBTORCH COMPILER
set -euo pipefail
build=$(cd "$1" && pwd) training="$3" libtorch="$4" compiler="$5"
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$2"
mkdir -p "$2"
work=$(cd "$2" && pwd)
cmake --install "$build" --prefix "$work/first" >"$work/install.log"
# The install may be moved.
mv "$work/first" "$work/install"
cmake -S "$here/project" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_PREFIX_PATH="$work/install" -DTRAINING="$training" -DQATLAS_LIBTORCH="$libtorch"
cmake --build "$work/build"
qatlas="$work/install/bin/qatlas"
list=$("$qatlas" --plugin-path "$work/build" plugin ls 2>"$work/errors")
grep -q 'straight-line' <<<"$list" || { echo "the law is not listed"; cat "$work/errors"; exit 1; }
grep -q 'qat-unified' <<<"$list" || { echo "the installed plugins are not found"; exit 1; }
# Nothing of the build tree is passed over, and the law is fitted: y = 2 + 3 x in units of 1e9.
if [ -s "$work/errors" ]; then cat "$work/errors"; exit 1; fi
printf 'D,loss\n1e9,5\n2e9,8\n3e9,11.001\n4e9,13.999\n5e9,17\n6e9,20.001\n' >"$work/runs.csv"
fit=$("$qatlas" --plugin-path "$work/build" --json fit "$work/runs.csv" --law straight-line --target loss \
  --loss least-squares --bootstraps 0)
python3 - "$fit" <<'PY'
import json, sys
answer = json.loads(sys.argv[1])
values = {e["name"]: e["value"] for e in answer["ranking"][0]["fit"]["parameters"]}
assert abs(values["a"] - 2) < 0.01 and abs(values["b"] - 3) < 0.01, values
PY
if [ "$training" = ON ]; then
  grep -q 'ternary' <<<"$list" || { echo "the quantizer is not listed"; exit 1; }
  # It trains in a recipe, beside the known ones.
  sed -e 's/^models = \["a", "b"\]/models = ["a"]/' -e 's/^tokens = .*/tokens = [16_384]/' \
      -e 's/^seeds = .*/seeds = [1]/' "$work/install/share/qatlas/recipes/smoke.toml" >"$work/outside.toml"
  cat >>"$work/outside.toml" <<'TOML'

[scheme.ternary]
rules = [{ sites = "*.*.weight", use = "ternary" }]

[[grid]]
name = "ternary"
models = ["a"]
tokens = [16_384]
seeds = [1]
schemes = ["ternary"]
qat = "cooldown"
TOML
  "$qatlas" --plugin-path "$work/build" run "$work/outside.toml" --store "$work/store" 2>"$work/run.log" ||
    { cat "$work/run.log"; exit 1; }
  grep -q 'ternary.*done' "$work/store/studies/smoke/observations.csv" ||
    { echo "no finished ternary run"; cat "$work/store/studies/smoke/observations.csv"; exit 1; }
fi
echo "outside plugins: built, listed and used"
