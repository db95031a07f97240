"""OGC 21-065r2 §7.2, annex A, conformance class Advanced Comparison Operators: LIKE, BETWEEN and IN."""

from abstract import same
from cql import agrees, combinations, day, each, everything, is_null, middle, name_text, no, nothing, op, partition, prop, reads, refused, scalars
from cql import table, test_data, text
from suite import demand

CLASS = "http://www.opengis.net/spec/cql2/1.0/conf/advanced-comparison-operators"
HERE = "/conf/advanced-comparison-operators"
# Value, pattern, whether they match (/req/advanced-comparison-operators/like-predicate A to K).
PATTERNS = (
    ("", "", True), ("", "%", True), ("", "_", False), ("a", "", False), ("a", "_", True), ("ab", "_", False), ("ab", "__", True),
    ("abc", "a%", True),
    ("abc", "%c", True), ("abc", "%b%", True), ("abc", "b%", False), ("abc", "A%", False), ("a%c", r"a\%c", True), ("abc", r"a\%c", False),
    ("a_c", r"a\_c", True), ("abc", r"a\_c", False), (r"a\c", r"a\\c", True), ("ї", "_", True), ("київ", "ки_в", True), ("київ", "КИЇВ", False),
    ("😀", "_", True), ("a.c", "a.c", True), ("abc", "a.c", False), ("a*c", "a*", False), ("a\nb", "a%b", True), ("aab", "%ab", True),
    ("abab", "%ab", True),
    ("abc", "%%%c", True), ("(a", "(_", True), ("[a]", "[a]", True), ("a", "[a]", False), ("it's", "it's", True), ("aXbXc", "a%b%c", True),
    ("acb", "a%b%c", False),
)


def like_sample(api, name, key):
    """The abstract test's patterns: `_%` and the empty one have nothing in common, `%` and `%%` are the same."""
    found = {p: agrees(api, name, op("like", prop(key), p)) for p in ("%", "_%", "", "%%", r"\%\_")}
    demand(not set(found["_%"]) & set(found[""]), "`_%` and the empty pattern have features in common")
    same(found["%"], found["%%"], "`%` and `%%`")
    reads(api, name, f"{name_text(key)} like '_%'", op("like", prop(key), "_%"))


def like_data(api, name, key, value):
    """Parts of a value of the data: its begin, its end, its middle, one character left out, and the negation of each."""
    escaped = "".join("\\" + c if c in "\\%_" else c for c in value)
    if escaped == value and len(value) > 2:
        for pattern in (value[:2] + "%", "%" + value[-2:], f"%{value[1:-1]}%", value[0] + "_" + value[2:], value[0] + "%" + value[-1],
            "_" * len(value)):
            agrees(api, name, op("like", prop(key), pattern))
            agrees(api, name, no(op("like", prop(key), pattern)))
    demand(agrees(api, name, op("like", prop(key), escaped)), f"{value} is not like itself")
    partition(api, name, op("like", prop(key), escaped), is_null(key))


def pattern(api, value, pattern_, matches):
    """A value that stands in the filter."""
    (everything if matches else nothing)(api, "neighborhoods", op("like", value, pattern_))
    (nothing if matches else everything)(api, "neighborhoods", no(op("like", value, pattern_)))


def between(api, name, key, rows):
    """Both ends belong to it; with the greater first there is nothing; NULL is neither within nor without."""
    values = rows.values(key) or [0]
    low, mid, high = values[len(values) // 4], middle(values), values[len(values) * 3 // 4]
    agrees(api, name, op("between", prop(key), 0, 100))
    reads(api, name, f"{name_text(key)} between 100.0 and 1.0", op("between", prop(key), 100.0, 1.0))
    nothing(api, name, op("between", prop(key), values[-1] + 1, values[0] - 1))
    ids = agrees(api, name, op("between", prop(key), low, high))
    wanted = op("and", op(">=", prop(key), low), op("<=", prop(key), high))
    same(ids, agrees(api, name, wanted), f"{key} BETWEEN {low} AND {high} and two comparisons")
    same(agrees(api, name, op("between", prop(key), mid, mid)), agrees(api, name, op("=", prop(key), mid)), f"{key} BETWEEN {mid} AND {mid}")
    partition(api, name, op("between", prop(key), low, high), is_null(key))


def among(api, name, key, rows):
    """One value, several, values that are not there, the same twice; IN is a chain of `=`, NOT IN leaves out NULL."""
    values = [rows.literal(key, v) for v in rows.values(key)]
    if not values:
        return nothing(api, name, op("in", prop(key), [{"string": "foo"}.get(rows.kind(key), 1)]))
    some = [values[0], middle(values), values[-1]]
    for items in (some[:1], some, some + some[:1]):
        ids = agrees(api, name, op("in", prop(key), items))
        chain = op("or", *[op("=", prop(key), v) for v in items]) if len(items) > 1 else op("=", prop(key), items[0])
        same(ids, agrees(api, name, chain), f"{key} IN and a chain of =")
    return partition(api, name, op("in", prop(key), some), is_null(key))


def among_sample(api, name, key, rows):
    """The lists of the abstract test; dates stand there as texts."""
    kind = rows.kind(key)
    if kind in ("number", "integer"):
        reads(api, name, f"{name_text(key)} IN (1, 2, 3)", op("in", prop(key), [1, 2, 3]))
    elif kind == "string":
        reads(api, name, f"{name_text(key)} in ('foo', 'bar')", op("in", prop(key), ["foo", "bar"]))
    elif kind == "date":
        days = ["2022-04-14", "2022-05-04", "2023-02-16", "2026-01-08"]
        reads(api, name, f"{name_text(key)} in ('{days[0]}', '{days[1]}', '{days[2]}', '{days[3]}')", op("in", prop(key), [day(d) for d in days]))


def run(api):
    for name, key, rows in scalars(api, "string"):
        api.test(f"{HERE}/like[{name}, {key}]", like_sample, api, name, key)
        values = [v for v in rows.values(key) if v]
        for value in {middle(values), values[-1]} if values and len(rows.features) < 1000 else {middle(values)} if values else ():
            api.test(f"{HERE}/like[{name}, {key} and {value}]", like_data, api, name, key, value)
    api.test("/req/advanced-comparison-operators/like-predicate[literals]", each, pattern, [(api, *case) for case in PATTERNS])
    for name, key, rows in scalars(api, "number", "integer"):
        api.test(f"{HERE}/between[{name}, {key}]", between, api, name, key, rows)
    for name, key, rows in scalars(api):
        api.test(f"{HERE}/in[{name}, {key}]", among, api, name, key, rows)
        api.test(f"{HERE}/in[{name}, {key}, sample]", among_sample, api, name, key, rows)
    test_data(api, "advanced-comparison-operators")
    combinations(api, HERE, "settlements", [
        op("like", prop("name"), "К%"), op("in", prop("place"), ["town", "city"]), no(op("like", prop("name_en"), "%k")),
        op("in", prop("koatuu"), ["2610400000"]),
        no(op("in", prop("place"), ["village"])), op("like", prop("parent"), "%halytska%"), is_null("wikidata"), op("<", prop("name"), "П"),
    ])
    rotation = prop("ROTATION")
    combinations(api, HERE, "hydrants", [
        op("between", rotation, 90, 180), no(op("between", prop("HYDRANT_GPM"), 1000, 2000)), op("in", prop("GATE"), [0]),
        op("like", prop("HYDRANT_COLOR"), "B%"),
        op("in", prop("HYDRANT_COLOR"), ["BLUE", "blue"]), is_null("GATE"), op(">", rotation, 270),
    ])
    for name, filter in (
        ("hydrants", "GATE LIKE '1%'"), ("settlements", "name LIKE 5"), ("settlements", "geom LIKE 'a'"), ("settlements", "name LIKE"),
        ("settlements", "LIKE 'a'"),
        ("settlements", "name LIKE 'a"), ("settlements", "name BETWEEN 1 AND 5"), ("hydrants", "GATE BETWEEN 'a' AND 'b'"),
        ("hydrants", "GATE BETWEEN 1"),
        ("hydrants", "GATE BETWEEN 1 AND"), ("hydrants", "GATE BETWEEN 1 OR 2"), ("hydrants", "GATE IN ()"), ("hydrants", "GATE IN"),
        ("hydrants", "GATE IN 1"),
        ("hydrants", "GATE IN (1,)"), ("hydrants", "GATE IN (1 2)"), ("hydrants", "GATE IN (1, 'a')"), ("settlements", "name IN (1, 2)"),
        ("settlements", "geom IN (1)"),
        ("zoning", "last_edited_date IN ('a')"), ("settlements", "nothing LIKE 'a%'"), ("settlements", "nothing IN ('a')"),
        ("hydrants", "nothing BETWEEN 1 AND 2"),
    ):
        api.test(f"{HERE}[{name}, {filter}]", refused, api, name, filter)
    for node in (
        {"op": "like", "args": [prop("name")]}, {"op": "like", "args": [prop("name"), 5]}, {"op": "between", "args": [prop("ZCODE"), 1]},
        {"op": "in", "args": [prop("name"), "a"]}, {"op": "in", "args": [prop("name"), [1]]}, {"op": "in", "args": [prop("name")]},
    ):
        api.test(f"{HERE}[{node['op']}, {str(node['args'])}]", refused, api, "zoning" if "ZCODE" in str(node) else "settlements", node, "cql2-json")
    api.test(f"{HERE}/in[parcels]", agrees, api, "parcels", op("in", prop("use_code"), ["0101", "0104", "nothing"]))
    table(api, "parcels")
    api.test(f"{HERE}/between[parcels]", agrees, api, "parcels", op("between", prop("year_built"), 1700, 1750))
    api.test(f"{HERE}/like[parcels]", agrees, api, "parcels", op("like", prop("location"), "%BELLIS%"))
    api.test(f"{HERE}/like[parcels, text]", reads, api, "parcels", text(op("like", prop("location"), "1_ %")), op("like", prop("location"), "1_ %"))
