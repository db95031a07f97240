"""What was measured, as a table, and which of the goals are met."""
import statistics

FIELDS = ("rate", "p50", "p99", "bytes", "server_ms", "database_ms", "memory", "features", "others")
# A case whose rates lie further apart is measured again.
SPREAD = 0.15
# Of one processor, used by others meanwhile: more makes a figure doubtful.
DISTURBED = 0.2
# (case, server, our rate is at least so many times theirs)
RATIOS = [
    ("cold-z14", "martin-cold", 30), ("cold-z14-identity", "martin-cold", 30),
    ("cold-z16", "martin-cold", 13), ("cold-z16-identity", "martin-cold", 13),
    ("four-z14", "martin-cold", 20), ("four-z16", "martin-cold", 10),
    ("hot-z14", "martin-mbtiles", 1.8), ("hot-z16", "martin-mbtiles", 1.8),
]
# (case, field, what of it, below)
BOUNDS = [(key, field, what, below) for key in ("cold-z10", "single-z12")
          for field, what, below in (("p99", "the slowest tile, ms", 20), ("largest", "the largest tile, bytes", 500_000))]


def median(rows, field):
    values = [row[field] for row in rows if row.get(field) is not None]
    return statistics.median(values) if values else None


def spread(rows):
    """Of the rate; of a case without one, of p50."""
    values = [row["rate"] or row["p50"] for row in rows if row["rate"] or row["p50"]]
    return (max(values) - min(values)) / statistics.median(values) if values else 0.0


def shown(value, digits):
    return "-" if value is None else f"{value:,.{digits}f}"


def fit(value):
    """Three digits that count."""
    return shown(value, 0 if value is None or value >= 100 else 1 if value >= 10 else 2)


def ratio(ours, theirs):
    """How many times as fast ours is; by the rate, or by p50 where there is none."""
    for field, is_inverse in (("rate", False), ("p50", True)):
        a, b = median(ours, field), median(theirs, field)
        if a and b:
            return b / a if is_inverse else a / b
    return None


def by_cost(ours, theirs):
    """How many times as much of the processor a tile of theirs takes, PostgreSQL's part with it."""
    a, b = (sum(median(rows, field) or 0 for field in ("server_ms", "database_ms")) for rows in (ours, theirs))
    return b / a if a and b else None


def table(cases, results):
    columns = ("case", "encoding", "server", "tiles/s", "p50, ms", "p99, ms", "bytes", "CPU of server, PostgreSQL, ms a tile", "MiB", "features", "errors",
               "spread", "others", "ours to it", "by CPU")
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * 3}{'--:|' * (len(columns) - 3)}"
    for case in cases:
        ours = results.get((case.key, case.ours), [])
        for name in case.servers:
            rows = results.get((case.key, name))
            if not rows:
                continue
            m = {field: median(rows, field) for field in FIELDS}
            times = ratio(ours, rows) if ours and name != case.ours else None
            cheaper = by_cost(ours, rows) if ours and name != case.ours else None
            cost = f"{fit(m['server_ms'])}, {fit(m['database_ms'])}"
            yield (f"| {case.title} | {case.accept} | {name} | {shown(m['rate'], 1)} | {fit(m['p50'])} | {fit(m['p99'])} | {shown(m['bytes'], 0)}"
                   f" | {cost}"
                   f" | {shown(m['memory'], 0)} | {shown(m['features'], 0)} | {max(row['errors'] for row in rows)} | {spread(rows):.0%} | {m['others']:.0%}"
                   f" | {f'**{fit(times)}**' if times else ''} | {fit(cheaper) if cheaper else ''} |")


def disturbed(results):
    rows = [row for rows in results.values() for row in rows]
    many = sum(row["others"] > DISTURBED for row in rows)
    if many:
        yield f"WARNING: in {many} of {len(rows)} measurements others used more than {DISTURBED:.0%} of a processor: repeat them when the machine is at rest"


def goals(results):
    for key, name, least in RATIOS:
        ours = next((rows for (k, n), rows in results.items() if k == key and n.startswith("ours")), None)
        theirs = results.get((key, name))
        if ours and theirs:
            got = ratio(ours, theirs)
            yield f"{'met  ' if got >= least else 'SHORT'} {key}: {fit(got)} times {name}, the goal is {least}"
    for key, field, what, below in BOUNDS:
        for (k, name), rows in results.items():
            if k == key and name.startswith("ours"):
                got = median(rows, field)
                yield f"{'met  ' if got < below else 'SHORT'} {key}: {what} {fit(got)}, the goal is below {below:,}"
    for (key, name), rows in results.items():
        if "changed" in rows[0] and name.startswith("ours"):
            changed, stale = (sum(row[field] for row in rows) for field in ("changed", "stale"))
            yield f"{'met  ' if not changed + stale else 'SHORT'} {key}: {stale} edits not shown, {changed} untouched tiles with another ETag"
