#!/usr/bin/env bash
# usage: bootstrap.sh SOURCE WORK
# Who may install packages: root, sudo without a password, and on a terminal sudo that asks for one. Stand-ins of id,
# dpkg-query and sudo write down what they are asked for; nothing is installed.
set -euo pipefail
source=$(cd "$1" && pwd)
rm -rf "$2"
mkdir -p "$2/bin" "$2/venv"
work=$(cd "$2" && pwd)
printf '#!/bin/sh\necho 1000\n' >"$work/bin/id"
printf '#!/bin/sh\n' >"$work/bin/dpkg-query"
cat >"$work/bin/sudo" <<EOF
#!/bin/sh
echo "\$*" >>"$work/asked"
[ "\$1" != -n ] || [ -e "$work/free" ]
EOF
chmod +x "$work"/bin/*
# The virtual environment is complete.
sed -n 's/ .*//p' "$source/script/requirements.txt" | sort -u >"$work/venv/.qatlas-requirements"
export PATH="$work/bin:$PATH" QATLAS_VENV="$work/venv"
expect() { grep -q -- "$1" "$2" || { echo "no '$1' in:"; cat "$2"; exit 1; }; }

# Nobody can answer: said at once, with the packages.
if setsid "$source/script/bootstrap" --laws </dev/null >"$work/said" 2>&1; then exit 1; fi
expect 'needs root, or sudo' "$work/said"
expect '^  apt-get install .*cmake' "$work/said"
if grep -q -e '-v' -e apt-get "$work/asked"; then cat "$work/asked"; exit 1; fi

# On a terminal sudo asks, once, and installs.
rm "$work/asked"
script -qec "$source/script/bootstrap --laws" /dev/null </dev/null >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
expect '^-v$' "$work/asked"
expect 'apt-get install' "$work/asked"

# Without a password it is not asked for.
rm "$work/asked"
touch "$work/free"
setsid "$source/script/bootstrap" --laws </dev/null >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
expect 'apt-get install' "$work/asked"
if grep -q -e '^-v' "$work/asked"; then cat "$work/asked"; exit 1; fi
