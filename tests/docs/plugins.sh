#!/usr/bin/env bash
# usage: plugins.sh QATLAS COMMITTED WORK
set -euo pipefail
rm -rf "$3"
env -u QATLAS_PLUGIN_PATH "$1" plugin docs "$3" >/dev/null
if ! diff -ru "$2" "$3"; then
  echo "docs/plugins is not what the plugins declare; script/docs plugins writes it anew"
  exit 1
fi
