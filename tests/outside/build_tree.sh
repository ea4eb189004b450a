#!/usr/bin/env bash
# usage: build_tree.sh BUILD WORK [TORCH]
# What `qatlas plugin new` of a build tree prints works word for word: a law is built, tested and used; of a quantizer
# (where the build has LibTorch) CMake finds the package and the build's LibTorch with nothing else named.
set -euo pipefail
build=$(cd "$1" && pwd) torch="${3:-}"
rm -rf "$2"
mkdir -p "$2"
cd "$2"
unset QATLAS_LIBTORCH VIRTUAL_ENV
"$build/bin/qatlas" plugin new law half-life --from 'delta = k * 2^(-D/h) / N^a' >said
sed -n '/^Build and test it:/,$p' said | tail -n +2 >commands
[ "$(wc -l <commands)" -ge 3 ] || { cat said; exit 1; }
bash -eux commands
"$build/bin/qatlas" --plugin-path half-life/build plugin info half-life >info
grep -q half-life info
[ -n "$torch" ] || exit 0
"$build/bin/qatlas" plugin new quantizer mine >said
grep '^ *cmake -S' said >commands
bash -eux commands | tee configured
grep -qF "in $torch" configured || { echo "another LibTorch than the build's"; exit 1; }
