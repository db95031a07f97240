"""OGC 21-065r2 §7.9, annex A, conformance class Array Functions: arrays compared as sets."""

from cql import ARRAYS, agrees, all_refused, combinations, day, everything, moment, no, nothing, op, prop, reads, refused, table, text

CLASS = "http://www.opengis.net/spec/cql2/1.0/conf/array-functions"
HERE = "/conf/array-functions"
# /req/array-functions/array-predicates B and C: two arrays, as sets without an order.
PAIRS = (
    (["foo", "bar"], ["foo", "bar"]), (["foo", "bar"], ["bar", "foo"]), (["foo", "bar"], ["foo"]), (["foo"], ["foo", "bar"]), (["foo"], ["bar"]),
    (["foo", "bar"], ["bar", "baz"]),
    (["foo", "foo"], ["foo"]), ([], []), ([], ["foo"]), (["foo"], []), ([1, 2, 3], [3, 2, 1]), ([1, 2, 3], [2]), ([1], [1.0]), ([1, 2], [2, 3]),
    ([1, 2], [3, 4]),
    ([True, False], [False]), ([True], [False]), (["Калуш", "Косів"], ["Косів"]), (["a"], ["A"]), (["a", "b", "c"], ["c", "a"]),
)
TIMES = (
    ([day("1969-07-16"), day("1969-07-20")], [day("1969-07-20"), day("1969-07-16")]), ([day("1969-07-16")], [day("1969-07-17")]),
    ([moment("2022-04-16T10:13:19Z")], [moment("2022-04-16T10:13:19Z"), moment("2022-04-16T10:13:20Z")]),
)
BROKEN = (
    "A_CONTAINS(('a'))", "A_CONTAINS()", "A_CONTAINS(('a'),('b'),('c'))", "A_CONTAINS('a','b')", "A_CONTAINS(name,('a'))", "A_CONTAINS(('a'),5)",
    "A_CONTAINS(('a',),('a'))",
    "A_CONTAINS(('a' 'b'),('a'))", "A_CONTAINS(('a','b'),('a')", "A_INTERSECTS(('a'),('a'))", "A_CONTAINS(nothing,('a'))", "A_CONTAINS(geom,('a'))",
    "('a','b')", "A_EQUALS",
)


def pairs(api, name, arrays):
    """Two arrays that stand in the filter."""
    for one, other in arrays:
        literals(api, name, one, other)


def literals(api, name, one, other):
    unwrap = lambda v: str(v) if isinstance(v, dict) else v
    holds = ARRAYS[name](set(map(unwrap, one)), set(map(unwrap, other)))
    node = op(name, one, other)
    (everything if holds else nothing)(api, "neighborhoods", node)
    (nothing if holds else everything)(api, "neighborhoods", no(node))


def of_properties(api, relation):
    """Elements may be properties (rule arrayElement)."""
    place, admin = prop("place"), prop("admin_level")
    agrees(api, "settlements", op("and", no(op("isNull", place)), op(relation, [place, admin], ["village", "9"])))
    agrees(api, "settlements", op("and", no(op("isNull", place)), op(relation, ["town", "city"], [place])))
    agrees(api, "hydrants", op("and", no(op("isNull", prop("GATE"))), op(relation, [prop("GATE"), prop("SUBTYPE")], [0, 1])))


def of_queryables(api, name, key):
    """The expressions of the abstract test, for a queryable that is an array."""
    for relation in ARRAYS:
        agrees(api, name, op(relation, prop(key), ["foo", "bar"]))


def run(api):
    for name in (c["id"] for c in api.collections):
        for key in table(api, name).of("array"):
            api.test(f"{HERE}/array-predicates[{name}, {key}]", of_queryables, api, name, key)
    for relation in ARRAYS:
        api.test(f"/req/array-functions/array-predicates[{relation}, literals]", pairs, api, relation, PAIRS)
        api.test(f"/req/array-functions/array-predicates[{relation}, dates and times]", pairs, api, relation, TIMES)
        api.test(f"/req/array-functions/array-predicates[{relation}, properties]", of_properties, api, relation)
        node = op(relation, ["a", "b"], ["b"])
        api.test(f"/req/array-functions/array-predicates[{relation}, in any case]", reads, api, "neighborhoods", text(node).lower(), node)
    arrays = [op(r, [prop("place"), "x"], v) for r in ARRAYS for v in (["x", "village"], ["town", "x", "y"])]
    for i, node in enumerate(arrays):
        arrays[i] = op("and", no(op("isNull", prop("place"))), node)
    combinations(api, HERE, "settlements", arrays)
    api.test("/req/array-functions/array-predicates[refused]", all_refused, api, "settlements", BROKEN)
    for node in (op("a_contains", ["a"]), op("a_contains", "a", ["a"]), op("a_contains", prop("name"), ["a"]), op("a_contains", ["a"], ["a"], ["a"]),
        op("a_contains", {"a": 1}, [])):
        api.test(f"/req/array-functions/array-predicates[{node}]", refused, api, "settlements", node, "cql2-json")
