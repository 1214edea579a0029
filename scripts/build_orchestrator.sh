#!/usr/bin/env bash
set -euo pipefail
# shellcheck source=scripts/image.sh
. "$(dirname "${BASH_SOURCE[0]}")/image.sh"

usage() {
  cat <<'TEXT'
Usage: scripts/build_orchestrator.sh [OPTIONS] [-- OPTIONS OF docker build OR podman build]

Builds the image of the orchestrator from deploy/Dockerfile, and writes what it is made of (SPDX, CycloneDX) to dist/image/.

  --tag NAME           name of the image (default: localhost/skein:VERSION, and localhost/skein:latest)
TEXT
  image_options
}

own_option() { false; }
options=()
build_image orchestrator localhost/skein "$@"
echo 'Run it by scripts/run_orchestrator.sh'
