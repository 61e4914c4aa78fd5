# Shared by the scripts: where things are, and how to say what happens. Sourced, never run.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
VENV="$ROOT/.venv"
STATE="$ROOT/.state"
mkdir -p "$STATE"

say() { printf '%s\n' "── $*" >&2; }
die() { printf '%s\n' "error: $1" "  next: $2" >&2; exit 1; }

# Prefix for commands that need root: empty, sudo, or "no" where neither is possible.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else return 77
  fi
}

is_debian() { grep -qiE '^(ID|ID_LIKE)=.*(debian|ubuntu)' /etc/os-release 2>/dev/null; }

# Install Debian packages, naming the ones to install by hand where that is not possible.
debian_packages() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return 0
  is_debian || die "this machine lacks ${missing[*]}" "install them with your system's package manager"
  say "installing ${missing[*]} from Debian's packages"
  local log="$STATE/apt.log"
  if ! { as_root apt-get -o Acquire::Retries=3 update && as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get -o Acquire::Retries=3 install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    die "could not install ${missing[*]} (see $log)" "as root: apt-get update && apt-get install ${missing[*]}"
  fi
}
