"""OGC 21-065r2 §7.10, annex A, conformance class Property-Property Comparisons: literals on the left, properties on the right."""

from abstract import same
from cql import COMPARISONS, SAMPLES, SPATIAL, TEMPORAL, agrees, box, combinations, day, everything, is_null, line, middle, no, nothing, op, partition
from cql import prop, rectangle
from cql import scalars, span, table, test_data, text
from places import box_of
from suite import demand

CLASS = "http://www.opengis.net/spec/cql2/1.0/conf/property-property"
HERE = "/conf/property-property"
MIRROR = {"=": "=", "<>": "<>", ">": "<", "<": ">", ">=": "<=", "<=": ">="}
PAIRS = (
    ("settlements", "name", "name_uk"), ("settlements", "name", "name_en"), ("streets", "L_From", "L_To"), ("streets", "FromNode", "ToNode"),
    ("streets", "ZIP_Left", "ZIP_Right"),
    ("streets", "R_From", "Potential_R_From"), ("streets", "created_date", "last_edited_date"), ("zoning", "PUD_TYPE", "PUD_TYPE_NEW"),
    ("zoning", "created_date", "last_edited_date"),
    ("hydrants", "ROTATION", "HYDRANT_GPM"), ("hydrants", "GATE", "SUBTYPE"), ("wards", "Ward", "Precinct"), ("wards", "TOTALPOP", "Sort"),
    ("street-lights", "Lamp1", "Lamp2"),
)
# Other functions of an operand exchanged for the second one.
SWAPPED = {"s_contains": "s_within", "s_within": "s_contains", "t_after": "t_before", "t_before": "t_after"}
INSTANTS = ("t_after", "t_before", "t_disjoint", "t_equals", "t_intersects")


def value_property(api, name, key, value):
    """comparison-value-property: the literal first, which is the mirrored operator with the property first."""
    found = {o: agrees(api, name, op(o, value, prop(key))) for o in COMPARISONS}
    for one, other in (("=", "<>"), (">", "<="), ("<", ">=")):
        demand(not set(found[one]) & set(found[other]), f"{key}: {one} and {other} have features in common")
    for o, ids in found.items():
        same(ids, agrees(api, name, op(MIRROR[o], prop(key), value)), f"{key}: {o} and its mirror")


def property_itself(api, name, key):
    """comparison-property-property: a value equals itself, and where there is none nothing holds."""
    found = {o: agrees(api, name, op(o, prop(key), prop(key))) for o in COMPARISONS}
    demand(not found["<>"] and not found["<"] and not found[">"], f"{key} differs from itself")
    known = [f["id"] for f in table(api, name).features if f["properties"][key] is not None]
    for o in ("=", ">=", "<="):
        same(found[o], known, f"{key} {o} {key}")


def value_value(api, value):
    """comparison-value-value: the result does not depend on the feature."""
    for o in COMPARISONS:
        (everything if o in ("=", ">=", "<=") else nothing)(api, "neighborhoods", op(o, value, value))


def two_properties(api, name, one, other):
    """Two properties of a feature; NULL in either makes NULL."""
    for o in COMPARISONS:
        agrees(api, name, op(o, prop(one), prop(other)))
    partition(api, name, op("<", prop(one), prop(other)), op("or", is_null(one), is_null(other)))


def spatial(api, name, relation):
    """The geometry first: contains is within the other way round, the rest are symmetric; and a geometry beside itself."""
    key = prop(table(api, name).geometry)
    west, south, east, north = box_of(next(c for c in api.collections if c["id"] == name))
    middle_x, middle_y = (west + east) / 2, (south + north) / 2
    for geometry in (box(west, south, middle_x, middle_y), line((west, south), (east, north)), rectangle(west, south, east, middle_y)):
        ids = agrees(api, name, op(relation, geometry, key))
        same(ids, agrees(api, name, op(SWAPPED.get(relation, relation), key, geometry)), f"{name}: {relation} the other way round")
    agrees(api, name, op(relation, key, key))


def temporal(api, name, key, relation, literal):
    ids = agrees(api, name, op(relation, literal, prop(key)))
    same(ids, agrees(api, name, op(SWAPPED.get(relation, relation), prop(key), literal)), f"{name}: {relation} the other way round")


def interval(api, name, first, second, relation):
    agrees(api, name, op("and", op("<=", prop(first), prop(second)), op(relation, span("2022-04-25", "2022-05-04"), span(prop(first), prop(second)))))


def run(api):
    for name, key, rows in scalars(api):
        if len(rows.features) > 1000:
            continue
        values = rows.values(key)
        api.test(f"{HERE}/comparison-value-property[{name}, {key}, sample]", value_property, api, name, key, SAMPLES[rows.kind(key)])
        if values:
            api.test(f"{HERE}/comparison-value-property[{name}, {key}]", value_property, api, name, key, rows.literal(key, middle(values)))
        api.test(f"{HERE}/comparison-property-property[{name}, {key}]", property_itself, api, name, key)
    for value in SAMPLES.values():
        api.test(f"{HERE}/comparison-value-value[{text(value)}]", value_value, api, value)
    for name, one, other in PAIRS:
        api.test(f"{HERE}/comparison-property-property[{name}, {one} and {other}]", two_properties, api, name, one, other)
    for name in ("zoning", "drainage", "wards"):
        for relation in SPATIAL:
            api.test(f"/req/property-property/withdraw-permissions[{name}, {relation}]", spatial, api, name, relation)
    for relation in SPATIAL:
        node = op(relation, rectangle(0, 0, 2, 2), rectangle(1, 1, 3, 3))
        whole = everything if relation in ("s_intersects", "s_overlaps") else nothing
        api.test(f"/req/property-property/withdraw-permissions[{relation}, two literals]", whole, api, "neighborhoods", node)
    for relation in INSTANTS:
        for literal in (day("2023-02-16"), span("2019-01-01", "2024-12-31")):
            for name in ("streets", "zoning"):
                label = f"{name}, {relation}, {text(literal)}"
                api.test(f"/req/property-property/withdraw-permissions[{label}]", temporal, api, name, "last_edited_date", relation, literal)
    for relation in TEMPORAL:
        for name in ("streets", "wards"):
            api.test(f"/req/property-property/withdraw-permissions[{name}, {relation}]", interval, api, name, "created_date", "last_edited_date",
                relation)
    for label, node, whole in (
        ("LIKE", op("like", "København", "K_benhavn"), everything), ("NOT LIKE", no(op("like", "København", "K_benhavn")), nothing),
        ("IN", op("in", 2, [1, 2, 3]), everything),
        ("NOT IN", no(op("in", "a", ["a", "b"])), nothing), ("BETWEEN", op("between", 2, 1, 3), everything), ("IS NULL", op("isNull", "a"), nothing),
        ("IS NOT NULL", no(op("isNull", 1)), everything),
    ):
        api.test(f"/req/property-property/withdraw-permissions[{label} of literals]", whole, api, "neighborhoods", node)
    streets = [prop(k) for k in ("L_From", "L_To", "R_From", "R_To")]
    for node in (
        op("between", streets[0], streets[2], streets[1]), no(op("between", streets[0], streets[2], streets[1])),
        op("between", 100, streets[0], streets[1]),
        op("in", streets[0], streets[1:]), op("in", 1, streets), no(op("in", streets[0], [streets[2], 1])),
        op("in", "Broadway", [prop("Street"), prop("Alias")]),
    ):
        api.test(f"/req/property-property/withdraw-permissions[streets, {text(node)}]", agrees, api, "streets", node)
    test_data(api, "property-property")
    combinations(api, HERE, "streets", [op(o, prop(one), prop(other)) for o in ("=", "<", ">=") for name, one, other in PAIRS if name == "streets"])
