#!/usr/bin/env bash
# Import and start, beside ogr2ogr on the same file, in one run.
#
#   benches/import.sh FILE.gpkg LAYER [ROUNDS]
#
# Prints wall time, processor time and peak memory of each, the median of the rounds, and the ratio of hromada to
# ogr2ogr; then the time from start to the first ready answer and the memory of a server on the same data.
# Needs GDAL (gdal-bin) and GNU time (time). Both programs leave a GeoPackage that they have synced to disk.
set -euo pipefail
cd "$(dirname "$0")/.."
file=$(realpath "$1"); layer=$2; rounds=${3:-5}
binary=${CARGO_TARGET_DIR:-target}/release/hromada
[ -x "$binary" ] || cargo build --release --locked -p hromada
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

measure() { # name command…
  local name=$1; shift
  rm -rf "$work/out" "$work/out.gpkg"
  /usr/bin/time -a -o "$work/$name" -f '%e %U %S %M' "$@" >/dev/null
}
median() { cut -d' ' -f"$2" "$work/$1" | sort -n | sed -n "$(((rounds + 1) / 2))p"; }
row() {
  printf '%-10s wall %5.2f s   processor %5.2f s   peak memory %4d MiB\n' "$1" \
    "$(median "$1" 1)" "$(awk '{print $2 + $3}' "$work/$1" | sort -n | sed -n "$(((rounds + 1) / 2))p")" "$(($(median "$1" 4) / 1024))"
}

for _ in $(seq "$rounds"); do # in turn, so that a drifting machine meets both
  measure ogr2ogr ogr2ogr -f GPKG "$work/out.gpkg" "$file" "$layer" -gt 65536
  measure hromada "$binary" --data "$work/out" import "$file" --layer "$layer" --collection bench --access public --quiet
done
echo "import of $layer from $(basename "$file"), median of $rounds"
row ogr2ogr
row hromada
awk -v a="$(median hromada 1)" -v b="$(median ogr2ogr 1)" 'BEGIN { printf "ratio hromada / ogr2ogr: %.2f\n", a / b }'

port=$((20000 + RANDOM % 20000))
for _ in $(seq "$rounds"); do
  started=$(date +%s%N)
  "$binary" --data "$work/out" serve --listen "127.0.0.1:$port" >/dev/null 2>&1 &
  server=$!
  until curl -sf -o /dev/null "http://127.0.0.1:$port/health/ready"; do sleep 0.01; done
  echo "$((($(date +%s%N) - started) / 1000000)) $(awk '/VmRSS/ {print $2}' "/proc/$server/status") $(awk '/VmHWM/ {print $2}' "/proc/$server/status")" >> "$work/start"
  kill "$server"; wait "$server" || true
done
echo "start to ready: $(median start 1) ms; memory $(($(median start 2) / 1024)) MiB, peak $(($(median start 3) / 1024)) MiB"
