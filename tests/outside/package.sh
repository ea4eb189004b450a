#!/usr/bin/env bash
# usage: package.sh BUILD WORK LIBTORCH
# The .deb packages and the tarball: computed dependencies, and programs that run from where they are unpacked.
set -euo pipefail
build=$(cd "$1" && pwd) libtorch="$3"
rm -rf "$2"
mkdir -p "$2"
work=$(cd "$2" && pwd)
for tool in dpkg-shlibdeps dpkg-deb file; do
  command -v "$tool" >/dev/null || { echo "$tool is missing; script/bootstrap --package installs it"; exit 1; }
done
(cd "$build" && cpack -B "$work/made") >"$work/cpack.log" 2>&1 || { tail -30 "$work/cpack.log"; exit 1; }
rm -rf "$work/made/_CPack_Packages"
cd "$work"
components=(laboratory sdk)
[ -z "$libtorch" ] || components+=(training)
for component in "${components[@]}"; do
  package=$(echo "made/qatlas-${component}_"*.deb)
  [ -e "$package" ] || { echo "no package of $component"; ls made; exit 1; }
  dpkg-deb -x "$package" root
  dpkg-deb -f "$package" Depends >"$component.depends"
done
has() { grep -qE "(^|, )$2( |,|$)" "$1.depends" || { echo "$1 does not depend on $2:"; cat "$1.depends"; exit 1; }; }
has laboratory libc6
has laboratory 'libnlopt(-cxx)?0'
has laboratory 'libboost-filesystem1\.[0-9.]+'
has sdk qatlas-laboratory
has sdk libabsl-dev
if [ -n "$libtorch" ]; then
  has training qatlas-laboratory
  has training 'libstdc[+][+]6'
  if grep -iq torch training.depends; then echo "LibTorch lies in no package:"; cat training.depends; exit 1; fi
fi

# The laboratory alone, without the training side beside it.
mkdir laboratory
dpkg-deb -x made/qatlas-laboratory_*.deb laboratory
clean=(env -u QATLAS_LIBTORCH -u VIRTUAL_ENV -u CONDA_PREFIX -u LD_LIBRARY_PATH PATH=/usr/bin:/bin)
"${clean[@]}" laboratory/usr/bin/qatlas plugin info chinchilla >/dev/null
printf 'N,D,loss\n1e7,1e8,4.1\n1e7,1e9,3.6\n1e7,1e10,3.4\n1e8,1e9,3.1\n1e8,1e10,2.8\n1e9,1e10,2.4\n1e9,1e11,2.2\n' >runs.csv
"${clean[@]}" laboratory/usr/bin/qatlas fit runs.csv --target loss --law chinchilla-tied --bootstraps 0 >/dev/null
if [ -n "$libtorch" ]; then
  said=$("${clean[@]}" laboratory/usr/bin/qatlas doctor || true)
  case "$said" in *"install the package qatlas-training"*) ;; *) echo "$said"; exit 1 ;; esac
  "${clean[@]}" QATLAS_LIBTORCH="$libtorch" root/usr/bin/qatlas doctor
  "${clean[@]}" QATLAS_LIBTORCH="$libtorch" root/usr/bin/qatlas run smoke --dry-run --store store >/dev/null
fi

# The tarball has all of it in one folder.
tar -xzf made/qatlas-*.tar.gz
"${clean[@]}" qatlas-*/bin/qatlas plugin info qat-unified >/dev/null
[ -e qatlas-*/include/qatlas/quantizer.h ] || { echo "the tarball lacks the SDK"; exit 1; }
ls -s --block-size=K made
