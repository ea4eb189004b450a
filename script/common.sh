# Shared by the scripts beside it; sourced, never run.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '%s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# The project's virtual environment: LibTorch comes from pip's torch in it.
venv="${QATLAS_VENV:-$root/.venv}"
torch_version=$(head -n 1 "$root/script/torch-version")
jobs="${QATLAS_JOBS:-$(nproc)}"

# A LibTorch that was named once (script/bootstrap --libtorch) is used until another one is.
if [ -z "${QATLAS_LIBTORCH:-}" ] && [ -e "$root/build/libtorch" ]; then
  QATLAS_LIBTORCH=$(cat "$root/build/libtorch")
  export QATLAS_LIBTORCH
fi
