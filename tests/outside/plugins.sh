#!/usr/bin/env bash
# usage: plugins.sh INSTALL WORK COMPILER
# A stranger's law plugin and program, built against the install and used by it; a formula as a plugin; plugins of
# other ABI numbers.
set -euo pipefail
install=$(cd "$1" && pwd) compiler="$3"
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$2"
mkdir -p "$2"
work=$(cd "$2" && pwd)
configure() { cmake -S "$1" -B "$2" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_PREFIX_PATH="$install" "${@:3}"; }
configure "$here/project" "$work/build"
cmake --build "$work/build"
qatlas="$install/bin/qatlas"
list=$("$qatlas" --plugin-path "$work/build" plugin ls 2>"$work/errors")
grep -q 'straight-line' <<<"$list" || { echo "the law is not listed"; cat "$work/errors"; exit 1; }
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
# The laboratory as libraries: the documented example names the law that made the runs and predicts.
python3 - "$here/project/two_laws.cc" "$here/../../docs/laws.md" >"$work/two.csv" <<'PY'
import math, random, sys
assert open(sys.argv[1]).read() in open(sys.argv[2]).read(), "docs/laws.md shows another two_laws.cc"
random.seed(2)
print("N,D,loss")
for i in range(8):
    for j in range(8):
        n, d = 5e7 * 3 ** (i * .6), 1e9 * 3 ** (j * .7)
        loss = 1.8172 + 482.01 / n**.3478 + 2085.43 / d**.3658
        print(f"{n:.6g},{d:.6g},{loss * math.exp(random.gauss(0, .002)):.8g}")
PY
laws=$("$work/build/two-laws" "$work/two.csv")
python3 - "$laws" <<'PY'
import re, sys
text = sys.argv[1]
values = {name: float(value) for name, value in re.findall(r"^(\w+) = ([-\d.e+]+)", text, re.M)}
assert "64 runs" in text.splitlines()[0], text
assert abs(values["a"] - .3478) < .03 and abs(values["E"] - 1.8172) < .05, text
loss = float(re.search(r"tokens: ([\d.]+)", text).group(1))
assert abs(loss - 1.9647) < .02, text
PY
# A formula, and the plugin that is made of it, give the same fit; its own test passes.
formula='L = E + A/N^a + k*D^-b * tanh(c*sqrt(weight_bits)) + 2^(-weight_bits/h)'
"$qatlas" plugin new law two-ways --from "$formula" --output "$work/two-ways" --start a=0.2,0.5 >"$work/new.log"
configure "$work/two-ways" "$work/two-ways/build"
cmake --build "$work/two-ways/build"
ctest --test-dir "$work/two-ways/build" --output-on-failure
python3 - >"$work/bits.csv" <<'PY'
import math
print("N,D,weight_bits,loss")
for i, n in enumerate((2e7, 6e7, 2e8, 6e8, 2e9)):
    for j, d in enumerate((1e9, 4e9, 1.6e10, 6.4e10)):
        for bits in (2, 3, 4, 6, 8):
            noise = 1 + 1e-3 * math.sin(7 * i + 3 * j + bits)
            print(f"{n},{d},{bits},{noise * (1.7 + 400 / n**.34 + 900 / d**.31 * math.tanh(.4 * bits**.5) + 2**(-bits / 1.5))}")
PY
for law in two-ways "two-ways: $formula"; do
  "$qatlas" --plugin-path "$work/two-ways/build" --json fit "$work/bits.csv" --law "$law" --target loss \
    --loss least-squares --bootstraps 0 --start a=0.2,0.5 >"$work/fit-${#law}.json"
done
python3 - "$work"/fit-*.json <<'PY'
import json, sys
plugin, formula = (json.load(open(path))["ranking"][0]["fit"] for path in sys.argv[1:])
assert abs(plugin["objective"] / formula["objective"] - 1) < 1e-8, (plugin["objective"], formula["objective"])
for a, b in zip(plugin["residuals"], formula["residuals"]):
    assert abs(a["prediction"] - b["prediction"]) < 1e-5, (a, b)
PY
"$qatlas" plugin check "$work/two-ways/build/law-two-ways.so"
# Nothing is overwritten.
if "$qatlas" plugin new law two-ways --output "$work/two-ways" 2>"$work/refused"; then exit 1; fi
grep -q 'is there already; name another with --output' "$work/refused" || { cat "$work/refused"; exit 1; }

# An older plugin in this program, and a newer one: what is said of each, by the manifest and by the library.
abi=$(sed -nE 's/^#define QATLAS_SDK_ABI ([0-9]+)/\1/p' "$install/include/qatlas/abi.h")
for other in $((abi - 1)) $((abi + 1)); do
  cp -r "$install/include" "$work/include-$other"
  sed -i "s/^#define QATLAS_SDK_ABI .*/#define QATLAS_SDK_ABI $other/" "$work/include-$other/qatlas/abi.h"
  configure "$here/project" "$work/abi-$other" -DCMAKE_CXX_FLAGS="-I$work/include-$other"
  cmake --build "$work/abi-$other" --target law-straight-line
  if "$qatlas" --plugin-path "$work/abi-$other" fit "$work/runs.csv" --law straight-line --target loss >"$work/said" 2>&1; then
    echo "a plugin of SDK ABI $other was taken"
    exit 1
  fi
  what="older"
  [ "$other" -gt "$abi" ] && what="newer"
  grep -q "built for SDK ABI $other, this program has SDK ABI $abi: the plugin is $what" "$work/said" ||
    { cat "$work/said"; exit 1; }
  # The library itself, behind a manifest that hides it.
  sed -i "s/^sdk-abi = .*/sdk-abi = $abi/" "$work/abi-$other/law-straight-line.toml"
  if "$qatlas" --plugin-path "$work/abi-$other" fit "$work/runs.csv" --law straight-line --target loss >"$work/said" 2>&1; then
    echo "a library of SDK ABI $other was taken"
    exit 1
  fi
  grep -q "the library is built for SDK ABI $other, this program has SDK ABI $abi: the plugin is $what" "$work/said" ||
    { cat "$work/said"; exit 1; }
done
echo "outside plugins: built, listed and used"
