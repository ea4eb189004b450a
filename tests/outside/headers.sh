#!/usr/bin/env bash
# usage: headers.sh INSTALL WORK COMPILER [LIBTORCH]
# Every installed header of the SDK compiles alone, under g++ and under clang++ where there is one; those that need
# LibTorch cost 8 s each, so they are checked for syntax only and side by side.
set -euo pipefail
install=$(cd "$1" && pwd) compiler="$3" libtorch="${4:-}"
rm -rf "$2"
mkdir -p "$2"
cd "$2"
compilers=("$compiler")
case "$("$compiler" --version | head -1)" in *clang*) other=g++ ;; *) other=clang++ ;; esac
if command -v "$other" >/dev/null; then compilers+=("$other"); else echo "no $other here: it is left out"; fi

# Whether a header reaches LibTorch, by what it includes.
needs_torch() {
  local included
  grep -qE '#include [<"](ATen|torch|c10)/' "$install/include/$1" && return 0
  for included in $(sed -nE 's/^#include [<"](qatlas\/[^>"]+)[>"]/\1/p' "$install/include/$1"); do
    needs_torch "$included" && return 0
  done
  return 1
}
count=0
for header in $(cd "$install/include" && find qatlas -name '*.h' | sort); do
  torch=
  if needs_torch "$header"; then
    [ -n "$libtorch" ] || continue
    torch="-isystem $libtorch/include -isystem $libtorch/include/torch/csrc/api/include -fopenmp"
  fi
  unit="${header//\//_}.cc"
  printf '#include "%s"\n#include "%s"\n' "$header" "$header" >"$unit"  # twice: its guard holds
  # The SDK's under both compilers; the kernels' adaptors to LibTorch under the tree's alone, to save a minute.
  chosen=("${compilers[@]}")
  case "$header" in qatlas/kernels/torch/*) chosen=("$compiler") ;; esac
  for with in "${chosen[@]}"; do
    echo "$with -std=c++20 -fsyntax-only -Wall -Wextra -Werror -I$install/include $torch $unit" >>commands
    count=$((count + 1))
  done
done
[ "$count" -gt 20 ] || { echo "only $count units: were the headers found?"; exit 1; }
xargs -P "$(nproc)" -I{} bash -c '{} 2>&1 || { echo "failed: {}"; exit 1; }' <commands
echo "$count units: every header compiles alone under ${compilers[*]}"
