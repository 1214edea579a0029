# Sourced: builds an image of deploy/Dockerfile, for the scripts that build one each.
# shellcheck source=scripts/engine.sh
. "$(dirname "${BASH_SOURCE[0]}")/engine.sh"

image_options() {
  cat <<'TEXT'
  --base-image IMAGE   what it runs on (default: docker.io/library/node:24-bookworm-slim)
  --build-image IMAGE  what it is built on (default: the same)
  --platform LIST      such as linux/arm64; several make a manifest, which docker needs buildx and a push for
  --npmrc FILE         settings of npm while building (a registry of your own); goes into no layer
  --no-sbom            writes no dist/image/
  --help

SKEIN_ENGINE names docker or podman where both are there. Exit codes: 0 built, 64 usage, 69 no engine, else that of the engine.
TEXT
}

# build_image TARGET NAME OPTIONS: builds it with what was said on the command line. The script may give more to the build in `options`
# and take an option of its own by `own_option`, which fails for what it does not know.
build_image() {
  local target=$1 name=$2 top tags=() sbom=true version revision created command file
  shift 2
  top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
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
      *)
        own_option "$@" || die "$1 is not an option. See --help." 64
        shift 2
        ;;
    esac
  done

  version=$(sed -n 's/^  "version": "\([^"]*\)",$/\1/p' "$top/package.json")
  [ -n "$version" ] || die "$top/package.json names no version." 65
  [ ${#tags[@]} -gt 0 ] || tags=("$name:$version" "$name:latest")
  revision=$(git -C "$top" rev-parse HEAD 2>/dev/null || echo unknown)
  # The time of the commit, so that the same sources say the same.
  created=$(TZ=UTC git -C "$top" log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null || echo 1970-01-01T00:00:00Z)

  find_engine
  # Podman keeps health checks in Docker's format only.
  case $(basename "$engine") in *podman*) options=(--format docker "${options[@]}") ;; esac
  for name in "${tags[@]}"; do options+=(--tag "$name"); done
  command=(
    "$engine" build --file "$top/deploy/Dockerfile" --target "$target"
    --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "CREATED=$created"
    "${options[@]}" "$top"
  )
  show "${command[@]}"
  DOCKER_BUILDKIT=1 "${command[@]}"

  if $sbom; then
    mkdir -p "$top/dist/image/$target"
    for file in sbom.spdx.json sbom.cdx.json; do
      "$engine" run --rm --network none --read-only --entrypoint cat "${tags[0]}" "/opt/skein/$file" >"$top/dist/image/$target/$file"
    done
    echo "What it is made of: dist/image/$target/sbom.spdx.json, dist/image/$target/sbom.cdx.json"
  fi
  echo "Built ${tags[*]}."
}
