#!/usr/bin/env bash
# usage: install.sh BUILD WORK LIBTORCH
# Installs the build into WORK/install, by way of another folder, and looks at what an outsider gets. The other
# tests here use it.
set -euo pipefail
build=$(cd "$1" && pwd) libtorch="$3"
rm -rf "$2"
mkdir -p "$2"
work=$(cd "$2" && pwd)
cmake --install "$build" --prefix "$work/first" --strip >"$work/install.log"
# The install may be moved.
mv "$work/first" "$work/install"
cd "$work/install"
source=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$build/CMakeCache.txt")

# Nothing names a folder of this build, of its sources or of its LibTorch. (Static libraries and programs may hold
# source paths in the texts of assertions.)
for folder in "$work/first" "$build" "$source" ${libtorch:+"$libtorch"}; do
  if grep -rIlF "$folder" . | grep -v '^./share/doc'; then
    echo "the files above name $folder"
    exit 1
  fi
done
for file in bin/* libexec/* lib/qatlas/plugins/*.so; do
  [ -e "$file" ] || continue
  if readelf -d "$file" | grep -E 'R(UN)?PATH'; then
    echo "$file has a run path"
    exit 1
  fi
done

# The SDK's headers know nothing of the framework.
if grep -rnE '#include [<"](framework|plugins)/' include/qatlas; then
  echo "the headers above include the framework"
  exit 1
fi
for file in bin/qatlas bin/qatlas-manifest lib/libqatlas_kernels.a lib/libqatlas_conformance.a \
  include/qatlas/kernels/fake_quant.h include/qatlas/conformance/gtest.h share/qatlas/recipes/smoke.toml \
  share/qatlas/template/law/plugin.cc share/qatlas/examples/rounding-noise/runs.csv \
  share/qatlas/examples/ternary/ternary.cc lib/cmake/Qatlas/QatlasConfig.cmake; do
  [ -e "$file" ] || { echo "$file is not installed"; exit 1; }
done
"$PWD/bin/qatlas" plugin ls >"$work/list" 2>"$work/errors"
if [ -s "$work/errors" ]; then cat "$work/errors"; exit 1; fi
grep -q qat-unified "$work/list" || { echo "the installed plugins are not found"; exit 1; }

# Which LibTorch: named, found in an environment, of another version, none.
[ -n "$libtorch" ] || exit 0
clean=(env -u QATLAS_LIBTORCH -u VIRTUAL_ENV -u CONDA_PREFIX -u LD_LIBRARY_PATH PATH=/usr/bin:/bin)
expect() {  # usage: expect TEXT COMMAND...: the output of the command has the text
  local text="$1" said
  shift
  said=$("$@" 2>&1) || true
  case "$said" in *"$text"*) ;; *) printf 'no "%s" in the answer of %s:\n%s\n' "$text" "$*" "$said"; exit 1 ;; esac
}
expect ", LibTorch " "${clean[@]}" bin/qatlas-train --libtorch "$libtorch" --version
expect ", LibTorch " "${clean[@]}" QATLAS_LIBTORCH="$libtorch" bin/qatlas-train --version
mkdir -p "$work/venv/lib/python3.11/site-packages" "$work/old/lib/python3.11/site-packages/torch/lib"
ln -s "$libtorch" "$work/venv/lib/python3.11/site-packages/torch"
expect ", LibTorch " "${clean[@]}" VIRTUAL_ENV="$work/venv" bin/qatlas-train --version
expect "named by the Python environment $work/venv" "${clean[@]}" VIRTUAL_ENV="$work/venv" bin/qatlas doctor
expect "\"source\":\"--libtorch\"" "${clean[@]}" bin/qatlas-train --libtorch "$libtorch" libtorch
touch "$work/old/lib/python3.11/site-packages/torch/lib/libtorch_cpu.so"
echo "__version__ = '2.4.1+cpu'" >"$work/old/lib/python3.11/site-packages/torch/version.py"
expect "LibTorch 2.4.1 in $work/old" "${clean[@]}" VIRTUAL_ENV="$work/old" bin/qatlas doctor
expect "QATLAS_LIBTORCH names /nowhere" "${clean[@]}" QATLAS_LIBTORCH=/nowhere bin/qatlas doctor
expect "pip install torch==" "${clean[@]}" bin/qatlas doctor
