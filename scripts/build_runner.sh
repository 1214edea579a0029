#!/usr/bin/env bash
set -euo pipefail
# shellcheck source=scripts/image.sh
. "$(dirname "${BASH_SOURCE[0]}")/image.sh"

usage() {
  cat <<'TEXT'
Usage: scripts/build_runner.sh [OPTIONS] [-- OPTIONS OF docker build OR podman build]

Builds an image that jobs run in (Node.js, git, the runner, and the agents you name) from deploy/Dockerfile, and writes what of it is
Skein's (SPDX, CycloneDX) to dist/image/.

  --agent PACKAGE      npm package of a coding agent to install, with its version: opencode-ai@1.0.0; may be given again
  --tag NAME           name of the image (default: localhost/skein-runner:VERSION, and localhost/skein-runner:latest)
TEXT
  image_options
}

agents=()
own_option() {
  [ "$1" = --agent ] || return 1
  need_value "$@"
  # Nothing but a package and its version: the build gives it to npm.
  [[ $2 =~ ^(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*@[0-9A-Za-z.+-]+$ ]] || die "--agent: $2 is not a package with its version, such as opencode-ai@1.0.0." 64
  agents+=("$2")
  # Of one that is given again the last counts.
  options+=(--build-arg "AGENTS=${agents[*]}")
}
options=()
build_image runner localhost/skein-runner "$@"
echo 'Name it by `skein run --image`, or for all jobs in executors.container.image or executors.kubernetes.image.'
