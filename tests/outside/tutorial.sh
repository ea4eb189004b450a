#!/usr/bin/env bash
# usage: tutorial.sh PAGE WORK [EXAMPLE]: follows the page in an empty folder
set -euo pipefail
rm -rf "$2"
exec python3 "$(dirname "$0")/tutorial.py" "$1" "$2" "${@:3}"
