#!/usr/bin/env bash
# Features beside other servers, in one run: box, pages, one by id, by number, the whole collection. Prints a table.
#
#   benches/features.sh HROMADA FILE.gpkg LAYER [ROUNDS]
#
# LAYER needs a whole number `id` and a text `cadnum` that no two features share, as parcels of a town have. The same file
# is loaded into our folder, our schema of PostgreSQL, and a table that the others read. Others are measured where they are
# installed: tipg (with uvicorn) and pygeoapi (with gunicorn) in the virtual environment PEERS_VENV, MapServer where there
# are mapserv, spawn-fcgi, multiwatch and nginx (packages cgi-mapserver spawn-fcgi multiwatch nginx-light).
# Needs also what .ci/services needs, GDAL (gdal-bin) and wrk. HROMADA_TEST_POSTGRES takes a database that runs already,
# as an address of the form postgres://user@127.0.0.1:port/database without a password.
#
# All servers run all the time and are asked in turn, case by case, ROUNDS times (3). The stack, PostgreSQL too, is pinned
# to the processor STACK_CPU (0), who asks to LOAD_CPU (1): figures are those of one processor. Nobody writes an access log.
# Others come with one worker (tipg) or two (pygeoapi, MapServer), PostgreSQL's buffers are warm. ONLY=box,id picks cases.
# On a machine that has other work, `nice -n -15` before the command, and for the PostgreSQL, keeps most of that out.
set -euo pipefail
if [[ -z ${HROMADA_TEST_POSTGRES:-} ]]; then
    exec "$(dirname "$0")/../.ci/services" "$0" "$@"
fi
here=$(dirname "$(realpath "$0")") binary=$(realpath "$1") file=$(realpath "$2") layer=$3 rounds=${4:-3}
stack=(taskset -c "${STACK_CPU:-0}")
venv=${PEERS_VENV:-/nonexistent}
work=$(mktemp -d)
stop() {
    for signal in TERM KILL; do # multiwatch stays at the first
        for session in "${sessions[@]}"; do pkill "-$signal" -s "$session" || true; done
        sleep 1
    done
    sql 'DROP SCHEMA IF EXISTS peers CASCADE; DROP SCHEMA IF EXISTS features CASCADE' || true
    rm -rf "$work"
}
sessions=()
trap stop EXIT

[[ $HROMADA_TEST_POSTGRES =~ ^postgres(ql)?://([^@:/]+)@([^:/]+):([0-9]+)/([^?/]+)$ ]] || { echo "features.sh: HROMADA_TEST_POSTGRES has another form" >&2 && exit 2; }
user=${BASH_REMATCH[2]} host=${BASH_REMATCH[3]} pgport=${BASH_REMATCH[4]} database=${BASH_REMATCH[5]}
sql() { "${HROMADA_TEST_PGBIN:+$HROMADA_TEST_PGBIN/}psql" -XAtq "$HROMADA_TEST_POSTGRES" -v ON_ERROR_STOP=1 -c 'SET client_min_messages = error' -c "$1"; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
servers=()
# start NAME ITEMS-URL QUERY COMMAND…: a server in a session of its own, so that all its processes are stopped
start() {
    local name=$1 items=$2 query=$3
    shift 3
    setsid "${stack[@]}" "$@" >>"$work/$name.log" 2>&1 &
    sessions+=($!)
    [[ -n $items ]] || return 0
    for ((try = 0; try < 600; try++)); do
        if curl -sf -o /dev/null "$items/1?$query"; then
            servers+=("$name=$items?$query")
            return
        fi
        sleep 0.1
    done
    echo "features.sh: $name did not start, it is left out:" >&2
    tail -n 5 "$work/$name.log" >&2
}

sql 'DROP SCHEMA IF EXISTS peers CASCADE; DROP SCHEMA IF EXISTS features CASCADE; CREATE SCHEMA peers'
ogr2ogr -f PostgreSQL "${HROMADA_TEST_POSTGRES/postgres:/postgresql:}" "$file" "$layer" -nln peers.parcels --config PG_USE_COPY YES \
    -lco FID=fid -lco GEOMETRY_NAME=geom -lco SPATIAL_INDEX=GIST -gt 65536
sql 'ALTER TABLE peers.parcels DROP COLUMN fid, ALTER id TYPE integer, ADD PRIMARY KEY (id); CREATE INDEX ON peers.parcels (cadnum)'
ours=(--layer "$layer" --collection parcels --id id --access public --quiet)
"$binary" --data "$work/store" import "$file" "${ours[@]}"
"$binary" --database "$HROMADA_TEST_POSTGRES?schema=features" import "$file" "${ours[@]}"
sql 'VACUUM ANALYZE'
taskset -acp "${STACK_CPU:-0}" "$(sql "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")" >/dev/null

export RUST_LOG=warn
port=$(free_port)
start ours-file "http://127.0.0.1:$port/collections/parcels/items" f=json "$binary" --data "$work/store" serve --listen "127.0.0.1:$port"
port=$(free_port)
start ours-postgres "http://127.0.0.1:$port/collections/parcels/items" f=json \
    "$binary" --database "$HROMADA_TEST_POSTGRES?schema=features" serve --listen "127.0.0.1:$port"
if [[ -x $venv/bin/uvicorn ]] && "$venv/bin/python" -c 'import tipg' 2>/dev/null; then
    port=$(free_port)
    start tipg "http://127.0.0.1:$port/collections/peers.parcels/items" f=geojson env DATABASE_URL="$HROMADA_TEST_POSTGRES" \
        TIPG_DB_MIN_CONN_SIZE=1 TIPG_DB_MAX_CONN_SIZE=10 TIPG_MAX_FEATURES_PER_QUERY=10000 TIPG_DB_SCHEMAS='["peers"]' \
        "$venv/bin/uvicorn" tipg.main:app --host 127.0.0.1 --port "$port" --workers 1 --log-level warning
fi
if [[ -x $venv/bin/pygeoapi ]]; then
    port=$(free_port)
    cat >"$work/pygeoapi.yml" <<YAML
server:
  bind: {host: 127.0.0.1, port: $port}
  url: http://127.0.0.1:$port
  mimetype: application/json; charset=UTF-8
  encoding: utf-8
  gzip: true
  languages: [en-US]
  pretty_print: false
  limits: {default_items: 100, max_items: 10000, on_exceed: throttle}
  map: {url: "http://127.0.0.1/{z}/{x}/{y}.png", attribution: none}
logging: {level: ERROR}
metadata:
  identification: {title: town, description: town, keywords: [town], keywords_type: theme, terms_of_service: none, url: "http://127.0.0.1"}
  license: {name: none, url: "http://127.0.0.1"}
  provider: {name: none, url: "http://127.0.0.1"}
  contact: {name: none}
resources:
  parcels:
    type: collection
    title: parcels
    description: parcels
    keywords: [parcels]
    extents: {spatial: {bbox: [-180, -90, 180, 90], crs: "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}}
    links: []
    providers:
      - type: feature
        name: PostgreSQL
        data: {host: $host, port: $pgport, dbname: $database, user: $user, password: none, search_path: [peers, public]}
        id_field: id
        table: parcels
        geom_field: geom
YAML
    export PYGEOAPI_CONFIG=$work/pygeoapi.yml PYGEOAPI_OPENAPI=$work/openapi.yml
    "$venv/bin/pygeoapi" openapi generate "$PYGEOAPI_CONFIG" --output-file "$PYGEOAPI_OPENAPI" >/dev/null
    start pygeoapi "http://127.0.0.1:$port/collections/parcels/items" f=json \
        "$venv/bin/gunicorn" pygeoapi.flask_app:APP -b "127.0.0.1:$port" -w 2 --log-level error
fi
mapserv=/usr/lib/cgi-bin/mapserv
if [[ -x $mapserv ]] && command -v spawn-fcgi multiwatch nginx >/dev/null; then
    port=$(free_port) inner=$(free_port)
    templates=/usr/share/mapserver/ogcapi/templates/html-bootstrap4/
    cat >"$work/town.map" <<MAPFILE
MAP
  NAME "town" SIZE 256 256 EXTENT 2700000 6200000 2800000 6300000
  PROJECTION "init=epsg:3857" END
  WEB METADATA
    "ows_title" "town" "ows_srs" "EPSG:4326 EPSG:3857" "ows_enable_request" "*"
    "ows_onlineresource" "http://127.0.0.1:$port/town" "oga_onlineresource" "http://127.0.0.1:$port/town/ogcapi"
    "oga_html_template_directory" "$templates"
  END END
  LAYER
    NAME "parcels" TYPE POLYGON STATUS ON
    CONNECTIONTYPE POSTGIS CONNECTION "host=$host port=$pgport user=$user dbname=$database" PROCESSING "CLOSE_CONNECTION=DEFER"
    DATA "geom FROM peers.parcels USING UNIQUE id USING SRID=4326"
    PROJECTION "init=epsg:4326" END
    METADATA "ows_title" "parcels" "gml_include_items" "all" "ows_include_items" "all" "gml_featureid" "id" "ows_featureid" "id" "oga_max_limit" "10000" END
    TEMPLATE "none"
    CLASS STYLE COLOR 0 0 0 END END
  END
END
MAPFILE
    printf 'CONFIG\n ENV\n  MS_MAP_NO_PATH "1"\n  OGCAPI_HTML_TEMPLATE_DIRECTORY "%s"\n END\n MAPS\n  town "%s"\n END\nEND\n' "$templates" "$work/town.map" >"$work/mapserver.conf"
    cat >"$work/nginx.conf" <<CONF
daemon off; worker_processes 1; pid $work/nginx.pid; error_log $work/nginx.err;
events { worker_connections 256; }
http {
  access_log off; client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f; uwsgi_temp_path $work/u; scgi_temp_path $work/s;
  gzip on; gzip_types application/json application/geo+json; gzip_comp_level 1;
  server { listen 127.0.0.1:$port;
    location / { include /etc/nginx/fastcgi_params; fastcgi_keep_conn on; fastcgi_buffers 64 64k;
      fastcgi_param SCRIPT_NAME ""; fastcgi_param PATH_INFO \$uri; fastcgi_pass 127.0.0.1:$inner; } }
}
CONF
    chmod 711 "$work" # nginx's worker is somebody else
    export MAPSERVER_CONFIG_FILE=$work/mapserver.conf
    start mapserv "" "" spawn-fcgi -n -a 127.0.0.1 -p "$inner" -- "$(command -v multiwatch)" -f 2 -- "$mapserv"
    start mapserver "http://127.0.0.1:$port/town/ogcapi/collections/parcels/items" f=json nginx -c "$work/nginx.conf" -e "$work/nginx.err"
fi
taskset -c "${LOAD_CPU:-1}" python3 "$here/features.py" "$rounds" "${servers[@]}"
