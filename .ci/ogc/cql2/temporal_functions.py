"""OGC 21-065r2 §7.8, annex A, conformance class Temporal Functions: the relations of W3C OWL-Time over dates, times and intervals."""

from itertools import product

from abstract import same
from cql import INTERVALS_ONLY, TEMPORAL, agrees, all_refused, both, combinations, day, everything, is_null, middle, moment, no, nothing, op
from cql import partition, prop, reads, refused, refused_both
from cql import scalars, span, table, test_data, text
from cql import reader
from suite import demand

CLASS = "http://www.opengis.net/spec/cql2/1.0/conf/temporal-functions"
HERE = "/conf/temporal-functions"
BOTH_KINDS = [name for name in TEMPORAL if name not in INTERVALS_ONLY]
PAIRS = (("zoning", "created_date", "last_edited_date"), ("streets", "created_date", "last_edited_date"),
    ("wards", "created_date", "last_edited_date"))
T = "2022-04-{:02}T10:{:02}:00Z"
# Intervals that stand to one another in every relation of Allen's, of times and of days.
TIMES = [span(T.format(a, 13), T.format(b, 13)) for a, b in ((10, 20), (20, 25), (12, 15), (10, 15), (15, 20), (5, 15), (15, 28), (1, 5))]
DAYS = [span(f"2022-04-{a:02}", f"2022-04-{b:02}") for a, b in ((10, 20), (20, 25), (12, 15), (5, 12))]
OPEN = [span("..", T.format(12, 13)), span(T.format(12, 13), ".."), span("..", "..")]
BROKEN = (
    "DATE('2022-13-01')", "DATE('2022-02-30')", "DATE('2022-4-1')", "DATE('20220401')", "DATE('yesterday')", "DATE('')", "DATE(2022)", "DATE()",
    "DATE('2022-04-01','2022-04-02')",
    "TIMESTAMP('2022-04-01')", "TIMESTAMP('2022-04-01T25:00:00Z')", "TIMESTAMP('2022-04-01T10:61:00Z')", "TIMESTAMP('2022-04-01 10:00')",
    "TIMESTAMP('now')",
    "INTERVAL('2022-04-01')", "INTERVAL('2022-04-01','2022-04-31')", "INTERVAL('a','b')", "INTERVAL()",
    "INTERVAL('2022-04-01','2022-04-02','2022-04-03')",
    "INTERVAL('2022-04-01','...')", "INTERVAL(5,6)", "'a'", "5", "TRUE", "POINT(24 48)",
)


def sample(api, name, key):
    """temporal-functions-1: a date beside a date and beside an interval; DISJOINT is BEFORE or AFTER, and INTERSECTS is its contrary."""
    rows = table(api, name)
    others = [day("2022-04-24"), span("2021-01-01", "2021-12-31"), span("2022-04-25", "2023-02-16"), span("2023-02-17", "..")]
    if rows.kind(key) == "date-time":
        others = [moment("2022-04-24T07:59:57Z"), span("2021-01-01T00:00:00Z", "2021-12-31T23:59:59Z"), span("2022-04-16T10:13:19Z", "..")]
    for other in [*others, rows.literal(key, middle(rows.values(key)))]:
        found = {r: set(agrees(api, name, op(r, prop(key), other))) for r in BOTH_KINDS}
        known = {f["id"] for f in table(api, name).features if f["properties"][key] is not None}
        demand(found["t_disjoint"] == found["t_before"] | found["t_after"], f"{text(other)}: DISJOINT is not BEFORE or AFTER")
        demand(found["t_intersects"] == known - found["t_disjoint"], f"{text(other)}: INTERSECTS is not NOT DISJOINT")
        demand(found["t_equals"] <= found["t_intersects"], f"{text(other)}: equals and does not intersect")


def comparisons(api, name, key):
    """§7.8: for instants the functions say what the comparison operators say."""
    value = table(api, name).literal(key, middle(table(api, name).values(key)))
    for relation, operator in (("t_after", ">"), ("t_before", "<"), ("t_equals", "="), ("t_intersects", "="), ("t_disjoint", "<>")):
        same(agrees(api, name, op(relation, prop(key), value)), agrees(api, name, op(operator, prop(key), value)), f"{relation} and {operator}")
    partition(api, name, op("t_after", prop(key), value), is_null(key))


def of_properties(api, name, first, second, relation):
    """temporal-functions-2: an interval of two properties beside one of literals."""
    ordered = op("<=", prop(first), prop(second))
    others = [span("2021-01-01", "2021-12-31"), span("2022-04-25", "2022-05-04"), span("2022-04-01", "2026-12-31"), span("..", "2022-05-04"),
        span("2022-04-25", "..")]
    for other in others:
        agrees(api, name, both(ordered, op(relation, span(prop(first), prop(second)), other)))


def literals(api, relation, one, other):
    """Two intervals, or an instant and an interval, that both stand in the filter."""
    node = op(relation, one, other)
    holds = reader(node, table(api, "neighborhoods"))(None)
    (everything if holds else nothing)(api, "neighborhoods", node)
    (nothing if holds else everything)(api, "neighborhoods", no(node))


def relation_of(api, relation, intervals):
    for one, other in product(intervals, intervals):
        literals(api, relation, one, other)


def with_null(api, name, first, second):
    """An interval with an end that is missing is NULL: neither the relation nor its negation holds."""
    node = op("t_intersects", span(prop(first), prop(second)), span("1900-01-01", "2100-01-01"))
    missing = [f["id"] for f in table(api, name).features if None in (f["properties"][first], f["properties"][second])]
    found = agrees(api, name, node) + agrees(api, name, no(node))
    demand(not set(found) & set(missing), f"{name}: an interval without an end is compared")
    partition(api, name, node, op("or", is_null(first), is_null(second)))


def run(api):
    for name, key, _ in scalars(api, "date", "date-time"):
        api.test(f"{HERE}/temporal-functions-1[{name}, {key}]", sample, api, name, key)
        api.test(f"{HERE}/temporal-functions-1[{name}, {key}, operators]", comparisons, api, name, key)
    for name, first, second in PAIRS:
        for relation in TEMPORAL:
            api.test(f"{HERE}/temporal-functions-2[{name}, {relation}]", of_properties, api, name, first, second, relation)
        api.test(f"/req/temporal-functions/temporal-predicates[{name}, NULL]", with_null, api, name, first, second)
    for relation in TEMPORAL:
        api.test(f"/req/temporal-functions/temporal-functions[{relation}, times]", relation_of, api, relation, TIMES)
        api.test(f"/req/temporal-functions/temporal-functions[{relation}, days]", relation_of, api, relation, DAYS)
    for relation in BOTH_KINDS:
        mixed = [TIMES[0], TIMES[2], *OPEN, moment(T.format(12, 13)), moment(T.format(1, 13))]
        api.test(f"/req/temporal-functions/temporal-functions[{relation}, instants and open intervals]", relation_of, api, relation, mixed)
    for relation in INTERVALS_ONLY:
        # §7.8: with an instant it is an error of the client.
        for one, other in ((moment(T.format(12, 13)), TIMES[0]), (TIMES[0], moment(T.format(12, 13)))):
            label = f"{relation}, {'an instant first' if 'timestamp' in one else 'an instant second'}"
            api.test(f"/req/temporal-functions/temporal-functions[{label}]", refused_both, api, "neighborhoods", op(relation, one, other))
        api.test(f"/req/temporal-functions/temporal-functions[{relation}, a date]", refused_both, api, "zoning",
            op(relation, prop("created_date"), DAYS[0]))
        api.test(f"{HERE}[{relation}, in any case]", reads, api, "neighborhoods",
            text(op(relation, TIMES[0], TIMES[2])).lower().replace("t10", "T10").replace("z'", "Z'"),
                 op(relation, TIMES[0], TIMES[2]))
    test_data(api, "temporal-functions")
    edited = prop("last_edited_date")
    combinations(api, HERE, "streets", [
        op("t_after", edited, day("2022-10-25")), op("t_before", edited, day("2019-01-01")),
        op("t_intersects", edited, span("2017-02-28", "2022-10-25")),
        op("t_disjoint", edited, span("2024-01-01", "..")),
        op("t_during", span(prop("created_date"), prop("last_edited_date")), span("2010-01-01", "2030-01-01")),
        op("t_equals", edited, day("2017-02-28")), is_null("last_edited_date"),
    ])
    api.test("/req/temporal-functions/temporal-predicates[refused]", all_refused, api, "zoning",
        [f"T_INTERSECTS(last_edited_date,{b})" for b in BROKEN])
    for filter in ("T_AFTER(last_edited_date)", "T_AFTER()", "T_AFTER(ZONE_TYPE,DATE('2022-04-01'))", "T_AFTER(geom,DATE('2022-04-01'))",
        "T_AFTER(ZCODE,DATE('2022-04-01'))",
                   "T_AFTER(nothing,DATE('2022-04-01'))", "T_SINCE(last_edited_date,DATE('2022-04-01'))",
                   "T_AFTER(last_edited_date,DATE('2022-04-01')"):
        api.test(f"/req/temporal-functions/temporal-predicates[{filter}]", refused, api, "zoning", filter)
    for literal in ({"date": "2022-13-01"}, {"date": 2022}, {"timestamp": "2022-04-01"}, {"interval": ["2022-04-01"]},
        {"interval": "2022-04-01/2022-04-02"}, {"interval": [1, 2]}):
        api.test(f"/req/temporal-functions/temporal-predicates[{literal}]", refused, api, "zoning",
            op("t_intersects", prop("last_edited_date"), literal), "cql2-json")
