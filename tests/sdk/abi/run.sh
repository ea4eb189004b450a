#!/usr/bin/env bash
# usage: run.sh SOURCE WORK COMPILER PLAIN.o TORCH.o
# The layouts are those recorded for this number; and changes that no compiler complains of are noticed.
set -euo pipefail
source="$1" work="$2" compiler="$3" plain="$4" torch="$5"
record=$source/sdk/abi/record.py
python3 "$record" "$source/sdk/include/qatlas" "$source/sdk/abi" "$plain" "$torch"

# usage: changed WHAT FILE PATTERN NEW NAMED: with what PATTERN (a regular expression of Python) finds replaced by NEW
# in a copy of the headers, the comparison must fail and name it.
changed() {
  rm -rf "$work"
  mkdir -p "$work"
  cp -r "$source/sdk/include" "$work/include"
  python3 - "$work/include/qatlas/$2" "$3" "$4" <<'PY'
import re, sys
path, pattern, new = sys.argv[1:]
text, count = re.subn(pattern, new, open(path).read(), flags=re.M)
assert count == 1, (path, pattern, count)
open(path, "w").write(text)
PY
  "$compiler" -std=c++20 -O0 -g -gdwarf-5 -femit-class-debug-always -I"$work/include" -c "$source/tests/sdk/abi/plain.cc" \
    -o "$work/plain.o"
  if python3 "$record" "$work/include/qatlas" "$source/sdk/abi" "$work/plain.o" "$torch" >"$work/said" 2>&1; then
    echo "not noticed: $1"
    exit 1
  fi
  grep -q "$5" "$work/said" || { echo "not named: $1"; cat "$work/said"; exit 1; }
}
# Comments after the members go with their lines.
changed "two members of one type change places" law.h '^(  std::string target;.*\n)(  std::string formula;.*\n)' '\2\1' \
  '^+ *0 std::string formula'
changed "a virtual function before another" law.h '^  virtual const LawSpec& Spec\(\) const = 0;' \
  '  virtual int Order() const { return 0; }\n\g<0>' '^+ *virtual 2: int Order() const'
# A raised number asks for its record.
changed "a number without a record" abi.h '^#define QATLAS_SDK_ABI ' '\g<0>9' 'script/abi'
