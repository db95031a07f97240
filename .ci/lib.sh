# What ./run, ./test and .ci/run share. Sourced by bash from the top of the repository.
# shellcheck shell=bash

# No step asks questions: the same on a terminal, in a pipe and in CI.
exec </dev/null
export DEBIAN_FRONTEND=noninteractive
if [[ ${CI:-} == true || ! -t 2 ]]; then
    export NO_COLOR=1 CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never NPM_CONFIG_PROGRESS=false NPM_CONFIG_COLOR=false
fi
export NPM_CONFIG_UPDATE_NOTIFIER=false

TARGET=${CARGO_TARGET_DIR:-target}
[[ $TARGET == /* ]] || TARGET=$PWD/$TARGET
HROMADA=$TARGET/release/hromada
WEB=crates/server/web
# Node for the web app: the oldest that its tools accept, and the one fetched where the system's is older.
NODE_OLDEST=20.19.0
NODE_FETCHED=22.23.3

# say TEXT: a line of our own, with the time since the start.
say() { printf '[%3d s] %s\n' "$SECONDS" "$*" >&2; }

# fail TEXT: says why it stops and what helps.
fail() {
    printf '\n%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# at_least WANTED GIVEN: compares version numbers.
at_least() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# need_packages NAME...: installs the Debian packages that are missing, or says which they are.
need_packages() {
    local missing=() name as_root=()
    if ! command -v dpkg-query >/dev/null; then
        say "Not Debian: make sure that what these packages hold is installed: $*"
        return
    fi
    for name in "$@"; do
        installed "$name" || missing+=("$name")
    done
    ((${#missing[@]})) || return 0
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
            fail "Debian packages are missing, and there is no right to install them. Ask an administrator to run:

    apt-get install ${missing[*]}"
        fi
        # sudo drops the environment.
        as_root=(sudo -n env DEBIAN_FRONTEND=noninteractive)
    fi
    say "Installing Debian packages: ${missing[*]}"
    "${as_root[@]}" apt-get update -qq || fail "apt-get update failed: is the network there?"
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 ||
        fail "apt-get could not install: ${missing[*]}"
}

# need_rust: cargo that reads rust-toolchain.toml, or is new enough by itself.
need_rust() {
    local wanted version
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    # rustup puts cargo here, and tells only the next login shell.
    [[ -d $HOME/.cargo/bin ]] && PATH=$PATH:$HOME/.cargo/bin
    if ! command -v cargo >/dev/null && apt-cache show rustup >/dev/null 2>&1; then
        need_packages rustup
    fi
    command -v cargo >/dev/null ||
        fail "Rust is missing. Install rustup (https://rustup.rs) and start again; the right version of Rust then comes by itself."
    version=$(cargo --version | cut -d ' ' -f 2)
    at_least "$wanted" "$version" ||
        fail "Rust $version is too old, $wanted is needed. Install rustup (https://rustup.rs), or run: rustup update"
}

node_version() { node -p process.versions.node 2>/dev/null || echo 0; }

# need_node: Node and npm on the PATH; from the npm registry where the system's Node is too old for the web app's tools.
need_node() {
    local fetched=$TARGET/node machine
    if ! at_least "$NODE_OLDEST" "$(node_version)" && [[ -x $fetched/bin/node ]]; then
        PATH=$fetched/bin:$PATH
    fi
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        need_packages nodejs npm
    fi
    at_least "$NODE_OLDEST" "$(node_version)" && return
    case $(uname -m) in
    x86_64) machine=x64 ;;
    aarch64) machine=arm64 ;;
    *) fail "Node $(node_version) is too old, $NODE_OLDEST or newer is needed. Install it and start again." ;;
    esac
    say "Node $(node_version) is too old for the web app's tools: fetching Node $NODE_FETCHED into $fetched"
    mkdir -p "$fetched/bin"
    npm install --prefix "$fetched" --no-save --no-audit --no-fund "node-linux-$machine@$NODE_FETCHED" >&2 ||
        fail "Node $NODE_FETCHED could not be fetched. Install Node $NODE_OLDEST or newer and start again."
    ln -sf "../node_modules/node-linux-$machine/bin/node" "$fetched/bin/node"
    PATH=$fetched/bin:$PATH
    at_least "$NODE_OLDEST" "$(node_version)" || fail "the fetched Node does not run on this machine"
}

# hash_of PATH...: of names and contents of all files below, installed and built ones left out.
hash_of() {
    find "$@" \( -name node_modules -o -name dist -o -name test-results \) -prune -o -type f -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1
}

# npm_packages: installs the web app's packages when its lock file or Node has changed.
npm_packages() {
    local stamp=$WEB/node_modules/.hromada-installed now
    now="$(hash_of $WEB/package.json $WEB/package-lock.json) $(node_version)"
    [[ -f $stamp && $(<"$stamp") == "$now" ]] && return
    say "Installing the web app's packages"
    (cd $WEB && npm ci --no-audit --no-fund >&2) || fail "npm ci failed in $WEB: see above"
    echo "$now" >"$stamp"
}

# build_web: builds the web app when anything that goes into it has changed.
build_web() {
    local stamp=$WEB/node_modules/.hromada-built now
    npm_packages
    now="$(hash_of $WEB styles crates/model/messages/web.json) $(node_version)"
    if [[ -f $stamp && $(<"$stamp") == "$now" && -f $WEB/dist/index.html ]]; then
        say "The web app is up to date"
        return
    fi
    say "Building the web app"
    (cd $WEB && npm run --silent build >&2) || fail "the web app does not build: see above"
    echo "$now" >"$stamp"
}

# build_server: the one binary, optimised. The first time takes some minutes.
build_server() {
    say "Building the server"
    cargo build --release --locked -p hromada || fail "the server does not build: see above"
}

# import_samples DIR: imports those samples that the data folder has not.
import_samples() {
    local data=$1 manifest status=0
    manifest=$(mktemp)
    "$HROMADA" --data "$data" collections --json |
        node .ci/missing-samples.mjs data-samples/samples.json >"$manifest" || fail "the data folder $data cannot be read"
    if [[ -s $manifest ]]; then
        say "Importing the samples into $data"
        "$HROMADA" --data "$data" import --manifest "$manifest" || status=$?
    else
        say "The samples are in $data already"
    fi
    rm -f "$manifest"
    # 3: done, some records were rejected and named above.
    ((status == 0 || status == 3)) || fail "the samples were not imported: see above"
}

# start_server LOG OPTION...: serves on a free port; sets `server`, its process, and `url`, its address. The caller ends it.
start_server() {
    local log=$1 tries
    shift
    # Here and not by the server's own start, which comes later: the address of one before would be read.
    : >"$log"
    "$HROMADA" "$@" serve --listen 127.0.0.1:0 >"$log" 2>&1 &
    server=$!
    url=
    for ((tries = 0; tries < 300; tries++)); do
        url=$(grep -o 'http://[0-9.:]*' "$log" | head -n 1 || true)
        [[ -z $url ]] && kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    [[ -n $url ]] && return
    cat "$log"
    echo "the server did not start"
    return 1
}

BUILD_PACKAGES=(ca-certificates cmake g++ libsqlite3-dev make pkg-config sqlite3)
TEST_PACKAGES=(chromium gdal-bin iproute2 openssl pgbouncer postgresql postgresql-postgis python3-gdal python3-owslib python3-qgis qgis-providers strace)
