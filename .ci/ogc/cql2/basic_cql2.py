"""OGC 21-065r2 §6, annex A, conformance class Basic CQL2."""

from abstract import same
from cql import COMPARISONS, SAMPLES, agrees, both, combinations, either, everything, is_null, middle, name_text, no, nothing, op, partition, prop
from cql import reads, refused
from cql import refused_both, scalars, selects, table, test_data, text
from suite import demand

CLASS = "http://www.opengis.net/spec/cql2/1.0/conf/basic-cql2"
SCALAR = {"string", "boolean", "number", "integer"}
# A property that no feature of the collection has: whatever is compared with it is NULL.
NULL = op("=", prop("iso3166_2"), "UA-26")
TRUTH = {"TRUE": True, "FALSE": False, "NULL": None}
REFUSED_TYPES = (
    "name = 5", "name > TRUE", "name = DATE('2022-04-14')", "geom = 1", "geom = 'a'", "name = geom", "NOT name", "name AND TRUE", "TRUE OR 1",
    "name = POINT(24 48)", "geom > geom",
)
REFUSED_NAMES = ("nothing = 1", "NAME = 'Калуш'", "geometry IS NULL", "id = 1", "properties.name = 'Калуш'", '"name " = \'Калуш\'',
    "nothing IS NOT NULL")


def basic_test(api, name):
    """A data source has queryables with their types; where it has properties, one at least is no geometry."""
    properties = api.queryables(name)["properties"]
    demand(properties, "there are no queryables")
    without = [k for k, s in properties.items() if s.get("type") not in SCALAR | {"array"} and not s.get("format", "").startswith("geometry")]
    demand(not without, f"without a type: {without}")
    has_properties = any("type" in s for s in api.schema(name)["properties"].values())
    demand(not has_properties or any(s.get("type") in SCALAR for s in properties.values()), "no queryable is a text, a number, a boolean, a date or a time")


def comparison(api, name, key, value):
    """The six operators select what they mean; `=` and `<>`, `>` and `<=`, `<` and `>=` have nothing in common and leave out what is NULL."""
    found = {o: set(agrees(api, name, op(o, prop(key), value))) for o in COMPARISONS}
    known = {f["id"] for f in table(api, name).features if f["properties"][key] is not None}
    for one, other in (("=", "<>"), (">", "<="), ("<", ">=")):
        demand(not found[one] & found[other], f"{key}: {one} and {other} have features in common")
        same(list(found[one] | found[other]), list(known), f"{key}: {one} and {other} together")


def null(api, name, key):
    """IS NULL and IS NOT NULL have nothing in common, and are everything together."""
    missing, present = agrees(api, name, is_null(key)), agrees(api, name, no(is_null(key)))
    same(missing + present, [f["id"] for f in table(api, name).features], f"{key}: IS NULL and IS NOT NULL")
    reads(api, name, f"{name_text(key)} is not null", no(is_null(key)))


def boolean(api, name):
    everything(api, name, True)
    nothing(api, name, False)
    nothing(api, name, no(True))
    everything(api, name, no(False))


def truth(api, expression, value):
    """NULL and FALSE look the same in an answer, but not NOT of them: TRUE is everything, NOT FALSE too, and of NULL nothing is left."""
    (everything if value is True else nothing)(api, "settlements", expression)
    (everything if value is False else nothing)(api, "settlements", no(expression))


def three_valued(name):
    return NULL if name == "NULL" else TRUTH[name]


def truth_tables(api):
    """§6.2: the tables of AND, OR and NOT."""
    for one, a in TRUTH.items():
        truth_name = f"/req/basic-cql2/null-predicate[NOT {one}]"
        api.test(truth_name, truth, api, no(three_valued(one)), None if a is None else not a)
        for other, b in TRUTH.items():
            conjunction = False if False in (a, b) else None if None in (a, b) else True
            disjunction = True if True in (a, b) else None if None in (a, b) else False
            parts = three_valued(one), three_valued(other)
            api.test(f"/req/basic-cql2/cql2-filter[{one} AND {other}]", truth, api, both(*parts), conjunction)
            api.test(f"/req/basic-cql2/cql2-filter[{one} OR {other}]", truth, api, either(*parts), disjunction)


def identities(api, name, a, b):
    """De Morgan's laws, and the negation of each comparison, NULL left out."""
    for one, other in ((no(both(a, b)), either(no(a), no(b))), (no(either(a, b)), both(no(a), no(b))), (no(no(a)), a), (both(a, either(a, b)), a)):
        same(agrees(api, name, one), agrees(api, name, other), f"{text(one)} and {text(other)}")
    for o, negated in (("=", "<>"), ("<", ">="), (">", "<=")):
        first, second = (op(n, *a["args"]) for n in (o, negated))
        same(agrees(api, name, no(first)), agrees(api, name, second), f"NOT {text(first)} and {text(second)}")


def numbers(api, name, predicate, unknown):
    """numberMatched of A, NOT A and IS NULL is that of all together."""
    matched = [api.items(name, filter=text(p), limit=1)["numberMatched"] for p in (predicate, no(predicate), unknown)]
    demand(sum(matched) == len(api.every(name)), f"{text(predicate)}: {matched} of {len(api.every(name))}")


def combination(api, p1, p2, p3, p4):
    """The expression of the abstract test `logical`."""
    node = either(both(no(p2), p1), both(p3, p4), no(either(p1, p4)))
    agrees(api, "settlements", node)
    filter = f"(NOT ({text(p2)}) AND {text(p1)}) OR ({text(p3)} and {text(p4)}) or not ({text(p1)} OR {text(p4)})"
    reads(api, "settlements", filter, node)


def run(api):
    for name in (c["id"] for c in api.collections):
        api.test(f"/conf/basic-cql2/basic-test[{name}]", basic_test, api, name)
        if len(api.every(name)) < 2000:
            api.test(f"/conf/basic-cql2/boolean[{name}]", boolean, api, name)
        api.test(f"/conf/basic-cql2/is-null[{name}, geometry]", null, api, name, table(api, name).geometry)
    for name, key, rows in scalars(api):
        values = rows.values(key)
        api.test(f"/conf/basic-cql2/comparison[{name}, {key}, sample]", comparison, api, name, key, SAMPLES[rows.kind(key)])
        if values:
            literal = rows.literal(key, middle(values))
            api.test(f"/conf/basic-cql2/comparison[{name}, {key} and {text(literal)}]", comparison, api, name, key, literal)
            api.test(f"/req/basic-cql2/binary-comparison-predicate[{name}, {key}]", partition, api, name, op("<", prop(key), literal), is_null(key))
        api.test(f"/conf/basic-cql2/is-null[{name}, {key}]", null, api, name, key)
    test_data(api, "basic-cql2")
    truth_tables(api)
    pairs = (
        ("settlements", op("=", prop("place"), "village"), op(">", prop("name"), "Л"), is_null("place")),
        ("hydrants", op("<", prop("ROTATION"), 180), op("=", prop("GATE"), 1), is_null("ROTATION")),
        ("zoning", op(">", prop("last_edited_date"), {"date": "2026-01-08"}), op("=", prop("ZCODE"), 35), is_null("last_edited_date")),
        ("street-lights", op("=", prop("Owner"), "City"), op(">", prop("Neighborhood"), 5), is_null("Owner")),
        ("parcels", op(">", prop("year_built"), 1990), op("=", prop("use_code"), "101"), is_null("year_built")),
    )
    for name, a, b, unknown in pairs:
        if name != "parcels":
            api.test(f"/conf/basic-cql2/logical[{name}, identities]", identities, api, name, a, b)
        api.test(f"/conf/basic-cql2/logical[{name}, A, NOT A and NULL]", numbers, api, name, a, unknown)
        mixed = both(a, b)
        every = api.items(name, filter=text(mixed), limit=1)["numberMatched"]
        api.test(f"/conf/basic-cql2/logical[{name}, A AND B]", demand,
            every == len(set(selects(api, name, text(a))) & set(selects(api, name, text(b)))), every)
    predicates = [
        op("<>", prop("name"), "Калуш"), op("<", prop("name"), "Коломия"), op("=", prop("place"), "town"), is_null("place"), no(is_null("koatuu")),
        op(">=", prop("name_en"), "Kalush"), op("=", prop("admin_level"), "10"), NULL, op("<=", prop("population"), "473"), is_null("wikidata"), True,
        False,
    ]
    count = len(predicates)
    for i in range(16):
        chosen = [predicates[(i * step + shift) % count] for step, shift in ((1, 0), (5, 1), (7, 4), (11, 9))]
        api.test(f"/conf/basic-cql2/logical[{i + 1}]", combination, api, *chosen)
    combinations(api, "/conf/basic-cql2", "hydrants",
        [op(o, prop(k), v) for o in COMPARISONS for k, v in (("GATE", 1), ("ROTATION", 90.5), ("HYDRANT_GPM", 1500))])
    for filter in REFUSED_TYPES:
        api.test(f"/req/basic-cql2/binary-comparison-predicate[{filter}]", refused, api, "settlements", filter)
    for name, filter in (("hydrants", "ROTATION = 'north'"), ("hydrants", "GATE > TRUE"), ("zoning", "last_edited_date = 5"),
        ("zoning", "created_date < 'yesterday'")):
        api.test(f"/req/basic-cql2/binary-comparison-predicate[{name}, {filter}]", refused, api, name, filter)
    for filter in REFUSED_NAMES:
        api.test(f"/req/basic-cql2/property[{filter}]", refused, api, "settlements", filter)
    api.test("/req/basic-cql2/property[JSON]", refused_both, api, "settlements", op("=", prop("nothing"), 1))
