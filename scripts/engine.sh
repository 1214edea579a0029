# Sourced: what the scripts here share about the program that makes and runs containers.

# Says what went wrong and what to do about it, and ends.
die() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  exit "${2:-1}"
}

# The value of an option, or the end. need_value OPTION "$@" with the option still in place.
need_value() {
  [ $# -ge 2 ] && [ -n "$2" ] || die "$1 needs a value. See --help." 64
}

# Sets `engine` to $SKEIN_ENGINE, else to the first of docker and podman that answers: a docker without its daemon is none.
find_engine() {
  engine=''
  if [ -n "${SKEIN_ENGINE:-}" ]; then
    command -v -- "$SKEIN_ENGINE" >/dev/null || die "SKEIN_ENGINE names $SKEIN_ENGINE, which is not there. Name docker or podman." 69
    engine=$SKEIN_ENGINE
    return
  fi
  local candidate
  for candidate in docker podman; do
    if command -v "$candidate" >/dev/null && "$candidate" info >/dev/null 2>&1; then
      engine=$candidate
      return
    fi
  done
  if command -v docker >/dev/null; then
    die 'docker is installed, but its daemon does not answer. Start it (systemctl start docker), or install podman, which needs none.' 69
  fi
  die 'Neither docker nor podman was found. Install one of them, or name it by SKEIN_ENGINE.' 69
}

# Prints a command as it can be typed, on stderr.
show() {
  printf '+' >&2
  printf ' %q' "$@" >&2
  printf '\n' >&2
}
