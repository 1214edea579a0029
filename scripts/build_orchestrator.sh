#!/usr/bin/env bash
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$here")
# shellcheck source=scripts/engine.sh
. "$here/engine.sh"

usage() {
  cat <<'TEXT'
Usage: scripts/build_orchestrator.sh [OPTIONS] [-- OPTIONS OF docker build OR podman build]

Builds the image of the orchestrator from deploy/Dockerfile, and writes what it is made of (SPDX, CycloneDX) to dist/image/.

  --tag NAME           name of the image (default: localhost/skein:VERSION, and localhost/skein:latest)
  --base-image IMAGE   what it runs on (default: docker.io/library/node:24-bookworm-slim)
  --build-image IMAGE  what it is built on (default: the same)
  --platform LIST      such as linux/arm64; several make a manifest, which docker needs buildx and a push for
  --npmrc FILE         settings of npm while building (a registry of your own); goes into no layer
  --no-sbom            writes no dist/image/
  --help

SKEIN_ENGINE names docker or podman where both are there. Exit codes: 0 built, 64 usage, 69 no engine, else that of the engine.
TEXT
}

tags=() options=() sbom=true
while [ $# -gt 0 ]; do
  case $1 in
    --tag) need_value "$@"; tags+=("$2"); shift 2 ;;
    --base-image) need_value "$@"; options+=(--build-arg "BASE_IMAGE=$2"); shift 2 ;;
    --build-image) need_value "$@"; options+=(--build-arg "BUILD_IMAGE=$2"); shift 2 ;;
    --platform) need_value "$@"; options+=(--platform "$2"); shift 2 ;;
    --npmrc)
      need_value "$@"
      [ -r "$2" ] || die "--npmrc: $2 cannot be read." 66
      options+=(--secret "id=npmrc,src=$2")
      shift 2
      ;;
    --no-sbom) sbom=false; shift ;;
    --help | -h) usage; exit 0 ;;
    --) shift; options+=("$@"); break ;;
    *) die "$1 is not an option. See --help." 64 ;;
  esac
done

version=$(sed -n 's/^  "version": "\([^"]*\)",$/\1/p' "$top/package.json")
[ -n "$version" ] || die "$top/package.json names no version." 65
[ ${#tags[@]} -gt 0 ] || tags=("localhost/skein:$version" localhost/skein:latest)
revision=$(git -C "$top" rev-parse HEAD 2>/dev/null || echo unknown)
# The time of the commit, so that the same sources say the same.
created=$(TZ=UTC git -C "$top" log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null || echo 1970-01-01T00:00:00Z)

find_engine
# Podman keeps health checks in Docker's format only.
case $(basename "$engine") in *podman*) options=(--format docker "${options[@]}") ;; esac
for tag in "${tags[@]}"; do options+=(--tag "$tag"); done
command=(
  "$engine" build --file "$top/deploy/Dockerfile" --target orchestrator
  --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "CREATED=$created"
  "${options[@]}" "$top"
)
show "${command[@]}"
DOCKER_BUILDKIT=1 "${command[@]}"

if $sbom; then
  mkdir -p "$top/dist/image"
  for name in sbom.spdx.json sbom.cdx.json; do
    "$engine" run --rm --network none --read-only --entrypoint cat "${tags[0]}" "/opt/skein/$name" >"$top/dist/image/$name"
  done
  echo "What it is made of: dist/image/sbom.spdx.json, dist/image/sbom.cdx.json"
fi
echo "Built ${tags[*]}. Run it by scripts/run_orchestrator.sh"
