#!/usr/bin/env bash
# The store in PostGIS beside the store in a folder, in one run: import, start, queries, edits.
#
#   benches/stores.sh HROMADA FILE.gpkg LAYER [RUNS]
#
# Imports go in turn with ogr2ogr into the same cluster, by COPY and with the same primary key and GiST index. Queries go
# in turn to both stores; tiles are not kept in memory. Needs what .ci/services needs, GDAL (gdal-bin) and GNU time (time).
set -euo pipefail
if [[ -z ${HROMADA_TEST_POSTGRES:-} ]]; then
    exec "$(dirname "$0")/../.ci/services" "$0" "$@"
fi
binary=$(realpath "$1") file=$(realpath "$2") layer=$3 runs=${4:-5}
database="$HROMADA_TEST_POSTGRES?schema=stores"
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT

sql() { "$HROMADA_TEST_PGBIN/psql" -XAtq "$HROMADA_TEST_POSTGRES" -c 'SET client_min_messages = error' -c "$1"; }
measure() { # name command…
    local name=$1
    shift
    /usr/bin/time -a -o "$work/$name" -f '%e %U %S %M' "$@" >/dev/null
}
median() { cut -d' ' -f"$2" "$work/$1" | sort -n | sed -n "$(((runs + 1) / 2))p"; }
spread() { cut -d' ' -f1 "$work/$1" | sort -n | sed -n '1p;$p' | paste -sd' ' | tr ' ' -; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

for _ in $(seq "$runs"); do
    sql 'DROP SCHEMA IF EXISTS ogr CASCADE; CREATE SCHEMA ogr'
    sql CHECKPOINT
    measure ogr2ogr ogr2ogr -f PostgreSQL "${HROMADA_TEST_POSTGRES/postgres:/postgresql:}" "$file" "$layer" -nln ogr.bench \
        -lco FID=fid -lco GEOMETRY_NAME=geom -lco SPATIAL_INDEX=GIST -gt 65536 --config PG_USE_COPY YES
    sql 'DROP SCHEMA IF EXISTS stores CASCADE'
    sql CHECKPOINT
    measure postgis "$binary" --database "$database" import "$file" --layer "$layer" --collection bench --access public --quiet
    rm -rf "$work/store"
    measure folder "$binary" --data "$work/store" import "$file" --layer "$layer" --collection bench --access public --quiet
done
rows=$(sql 'SELECT count(*) FROM ogr.bench')
[[ $(sql 'SELECT count(*) FROM stores.bench') == "$rows" ]] || { echo "the imports differ" >&2 && exit 1; }
echo "import of $rows features, median of $runs"
for name in ogr2ogr postgis folder; do
    printf '  %-8s %5.2f s (%s)   %7.0f features/s   processor of the client %5.2f s   peak memory %4d MiB   x%s of ogr2ogr\n' "$name" \
        "$(median $name 1)" "$(spread $name)" "$(awk -v n="$rows" -v s="$(median $name 1)" 'BEGIN { print n / s }')" \
        "$(awk '{ print $2 + $3 }' "$work/$name" | sort -n | sed -n "$(((runs + 1) / 2))p")" "$(($(median $name 4) / 1024))" \
        "$(ratio "$(median $name 1)" "$(median ogr2ogr 1)")"
done
sql 'VACUUM ANALYZE'

serve() { # place… : starts a server on the port $port
    "$binary" "$@" serve --listen "127.0.0.1:$port" --tile-cache 0 >>"$work/server.log" 2>&1 &
    server=$!
    until curl -sf -o /dev/null "http://127.0.0.1:$port/health/ready"; do
        kill -0 "$server" || { tail "$work/server.log" >&2 && exit 1; }
        sleep 0.005
    done
}
port=$((12000 + RANDOM % 7000))
for _ in $(seq "$runs"); do
    for name in postgis folder; do
        place=(--data "$work/store")
        [[ $name == folder ]] || place=(--database "$database")
        started=$(date +%s%N)
        serve "${place[@]}"
        echo "$((($(date +%s%N) - started) / 1000000)) $(awk '/VmRSS/ {print $2}' "/proc/$server/status") $(awk '/VmHWM/ {print $2}' "/proc/$server/status")" >>"$work/start-$name"
        kill "$server"
        wait "$server" || true
    done
done
echo "start to ready, median of $runs"
for name in postgis folder; do
    printf '  %-8s %5d ms   memory %4d MiB   peak %4d MiB\n' "$name" "$(median start-$name 1)" \
        "$(($(median start-$name 2) / 1024))" "$(($(median start-$name 3) / 1024))"
done
echo "  ratio postgis / folder: $(ratio "$(median start-postgis 1)" "$(median start-folder 1)")"

# A program's account that may write; its token.
token() { # place…
    "$binary" "$@" user add bench --machine --name Bench --role gis-editor --quiet
    "$binary" "$@" token new bench --scope write --quiet
}
postgis_token=$(token --database "$database") folder_token=$(token --data "$work/store")
serve --database "$database"
one=$port
port=$((port + 1))
serve --data "$work/store"
python3 - "$one" "$port" "$postgis_token" "$folder_token" <<'PYTHON'
import http.client, json, math, random, sys, time

N = 300
connections = [http.client.HTTPConnection("127.0.0.1", int(port), timeout=60) for port in sys.argv[1:3]]
tokens = dict(zip(connections, sys.argv[3:5]))
ITEMS = "/collections/bench/items"


def ask(connection, method, path, body=None):
    begun = time.perf_counter()
    headers = {"Content-Type": "application/geo+json", "Authorization": f"Bearer {tokens[connection]}"}
    connection.request(method, path, body, headers if body else {})
    answer = connection.getresponse()
    data = answer.read()
    took = (time.perf_counter() - begun) * 1000
    assert answer.status in (200, 201, 204), (path, answer.status, data[:300])
    return took, data


def tile(lon, lat, z):
    n = 2**z
    return f"/tiles/bench/{z}/{int((lon + 180) / 360 * n)}/{int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * n)}"


epochs = []
for connection in connections:
    page = json.loads(ask(connection, "GET", ITEMS + "?limit=1")[1])
    following = next(link["href"] for link in page["links"] if link["rel"] == "next")
    epochs.append(following.split("cursor=")[1].split(".")[0])
    count = page["numberMatched"]
feature = page["features"][0]
west, south, east, north = json.loads(ask(connections[0], "GET", "/collections/bench")[1])["extent"]["spatial"]["bbox"][0]
schema = json.loads(ask(connections[0], "GET", "/collections/bench/schema")[1])["properties"]
texts = [name for name, p in schema.items() if p.get("type") == "string"]
# The property with the most values and the one with the fewest, of a sample.
sample = json.loads(ask(connections[0], "GET", ITEMS + "?limit=10000")[1])["features"]
variety = {name: sorted({f["properties"][name] for f in sample if f["properties"][name]}) for name in texts}
variety = {name: values for name, values in variety.items() if values}
one, many = max(variety, key=lambda n: len(variety[n])), min(variety, key=lambda n: len(variety[n]))
r = random.Random(7)


def spot():
    return r.uniform(west, east), r.uniform(south, north)


def box():
    x, y = spot()
    return f"{x:.5f},{y:.5f},{x + 0.01:.5f},{y + 0.01:.5f}"


def new():
    x, y = spot()
    square = [[x, y], [x + 1e-4, y], [x + 1e-4, y + 1e-4], [x, y + 1e-4], [x, y]]
    return json.dumps({"type": "Feature", "properties": feature["properties"],
                       "geometry": {"type": "Polygon", "coordinates": [[[round(a, 7), round(b, 7)] for a, b in square]]}})


kinds = {
    "tile z14": lambda: ("GET", tile(*spot(), 14), None),
    "tile z16": lambda: ("GET", tile(*spot(), 16), None),
    "page of 100": lambda: ("GET", f"{ITEMS}?limit=100&cursor=EPOCH.{r.randrange(count)}", None),
    "page of 1000": lambda: ("GET", f"{ITEMS}?limit=1000&cursor=EPOCH.{r.randrange(count)}", None),
    "bbox, page of 100": lambda: ("GET", f"{ITEMS}?limit=100&bbox={box()}", None),
    "one feature": lambda: ("GET", f"{ITEMS}/{r.randrange(1, count)}", None),
    f"filter {one}": lambda: ("GET", f"{ITEMS}?{one}={r.choice(variety[one])}", None),
    f"filter {many}": lambda: ("GET", f"{ITEMS}?limit=100&{many}={r.choice(variety[many])}", None),
    "create": lambda: ("POST", ITEMS, new()),
}
print(f"queries, milliseconds, {N} in sequence, in turn on both stores; tiles not from memory")
print(f"  {'':20} {'postgis p50':>11} {'p99':>8} {'folder p50':>11} {'p99':>8} {'ratio p50':>10} {'p99':>6}")
for kind, make in kinds.items():
    times = [[], []]
    for i in range(-5, N):
        method, path, body = make()
        for j in (0, 1) if i % 2 else (1, 0):
            took, data = ask(connections[j], method, path.replace("EPOCH", epochs[j]), body)
            if i >= 0:
                times[j].append(took)
    p = [[sorted(t)[int(len(t) * q)] for q in (0.5, 0.99)] for t in times]
    print(f"  {kind:20} {p[0][0]:11.2f} {p[0][1]:8.2f} {p[1][0]:11.2f} {p[1][1]:8.2f} {p[0][0] / p[1][0]:10.2f} {p[0][1] / p[1][1]:6.2f}", flush=True)
PYTHON
