#!/usr/bin/env bash
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/engine.sh
. "$here/engine.sh"

usage() {
  cat <<'TEXT'
Usage: scripts/run_orchestrator.sh [OPTIONS] [-- OPTIONS OF docker run OR podman run]
       scripts/run_orchestrator.sh --stop

Runs the orchestrator in a container: read-only, no capabilities, not root; its data stays in a volume. Waits until it is ready.

  --image NAME         (default: localhost/skein:latest, made by scripts/build_orchestrator.sh)
  --name NAME          of the container (default: skein)
  --volume NAME|DIR    where its data is (default: skein-data); a directory must belong to uid 10001
  --port PORT          on this machine (default: 8080)
  --address ADDRESS    of this machine (default: 127.0.0.1)
  --config FILE        a skein.yaml for it
  --env-file FILE      NAME=value lines, such as keys of providers
  --repositories DIR   lets it read the repositories below DIR, under the same path; runs as you, so that git takes them for yours
  --inner-sandbox      lets it make sandboxes inside its container: needs rights that containers do not have by themselves (system
                       calls for name spaces, an unmasked /proc). Better give it an engine or a cluster for its jobs.
  --wait SECONDS       for it to be ready (default: 60)
  --stop               ends it in good order; its data stays
  --help

SKEIN_ENGINE names docker or podman where both are there. Exit codes: 0 ready, 1 not ready, 64 usage, 66 no such file, 69 no engine.
TEXT
}

image=localhost/skein:latest name=skein volume=skein-data port=8080 address=127.0.0.1 seconds=60 stop=false
inner=false repositories='' options=()
while [ $# -gt 0 ]; do
  case $1 in
    --image) need_value "$@"; image=$2; shift 2 ;;
    --name) need_value "$@"; name=$2; shift 2 ;;
    --volume) need_value "$@"; volume=$2; shift 2 ;;
    --port) need_value "$@"; port=$2; shift 2 ;;
    --address) need_value "$@"; address=$2; shift 2 ;;
    --config)
      need_value "$@"
      [ -f "$2" ] || die "--config: there is no file $2." 66
      options+=(--volume "$(realpath "$2"):/etc/skein/skein.yaml:ro")
      shift 2
      ;;
    --env-file)
      need_value "$@"
      [ -f "$2" ] || die "--env-file: there is no file $2." 66
      options+=(--env-file "$2")
      shift 2
      ;;
    --repositories)
      need_value "$@"
      [ -d "$2" ] || die "--repositories: there is no directory $2." 66
      repositories=$(realpath "$2")
      shift 2
      ;;
    --inner-sandbox) inner=true; shift ;;
    --wait) need_value "$@"; seconds=$2; shift 2 ;;
    --stop) stop=true; shift ;;
    --help | -h) usage; exit 0 ;;
    --) shift; options+=("$@"); break ;;
    *) die "$1 is not an option. See --help." 64 ;;
  esac
done
[[ $port =~ ^[0-9]{1,5}$ ]] && [ "$port" -le 65535 ] || die "--port must be a port, not $port." 64
[[ $seconds =~ ^[0-9]{1,5}$ ]] || die "--wait must be a number of seconds, not $seconds." 64
find_engine

if $stop; then
  # It ends what runs and hands back the rest; only what hangs is killed.
  "$engine" stop --time 60 "$name" >/dev/null
  "$engine" rm "$name" >/dev/null
  echo "Stopped $name; its data is still in its volume"
  exit 0
fi

"$engine" image inspect "$image" >/dev/null 2>&1 || die "There is no image $image here. Build it by scripts/build_orchestrator.sh." 66
if "$engine" container inspect "$name" >/dev/null 2>&1; then
  die "There is a container $name already. End it by --stop, or take another --name." 1
fi
if [ -n "$repositories" ]; then
  options+=(--volume "$repositories:$repositories:ro" --user "$(id -u):$(id -g)")
  case $(basename "$engine") in *podman*) [ "$(id -u)" -eq 0 ] || options+=(--userns keep-id) ;; esac
fi
if $inner; then
  options+=(--security-opt seccomp=unconfined --security-opt apparmor=unconfined)
  case $(basename "$engine") in
    *podman*) options+=(--security-opt unmask=ALL) ;;
    *) options+=(--security-opt systempaths=unconfined) ;;
  esac
fi
command=(
  "$engine" run --detach --name "$name" --publish "$address:$port:8080" --volume "$volume:/data"
  --read-only --tmpfs /tmp:rw,nosuid,nodev,size=512m,mode=1777 --cap-drop ALL --security-opt no-new-privileges
  --pids-limit 4096 --stop-timeout 60 "${options[@]}" "$image"
)
show "${command[@]}"
"${command[@]}" >/dev/null

for ((i = 0; i < seconds * 2; i++)); do
  if "$engine" exec "$name" node /opt/skein/healthcheck.mjs 2>/dev/null; then
    host=$address
    [ "$host" != 0.0.0.0 ] || host=127.0.0.1
    cat <<TEXT
Skein is ready at http://$host:$port
Its token:  $engine exec $name cat /data/token
Its log:    $engine logs -f $name
End it by:  scripts/run_orchestrator.sh --stop --name $name
TEXT
    exit 0
  fi
  [ "$("$engine" container inspect --format '{{.State.Running}}' "$name" 2>/dev/null)" = true ] || break
  sleep 0.5
done
"$engine" logs "$name" >&2 || true
die "$name did not get ready within $seconds s; above is what it says. Remove it by: $engine rm --force $name" 1
