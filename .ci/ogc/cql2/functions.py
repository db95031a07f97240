"""OGC 21-065r2 §7.11, annex A, conformance class Functions: those that `/functions` lists, each by what its description says."""

import json

from abstract import same
from cql import FUNCTIONS, agrees, all_refused, both, day, each, either, everything, is_null, no, nothing, op, partition, prop, reads, refused
from cql import selects, table, text, written
from osgeo import ogr, osr
from suite import JSON, demand

CLASS = "http://www.opengis.net/spec/cql2/1.0/conf/functions"
HERE = "/conf/functions"
NAME, EDITED, GATE, TURN = prop("name"), prop("last_edited_date"), prop("GATE"), prop("ROTATION")
# For each function expressions of several operators (comparison, LIKE, BETWEEN, IN, another function, arithmetic).
OF_DATA = {
    "upper": [("settlements", op("=", op("upper", NAME), "КАЛУШ")), ("settlements", op("like", op("upper", NAME), "КО%")),
        ("settlements", op("<>", op("upper", NAME), NAME))],
    "lower": [("settlements", op("=", op("lower", NAME), "калуш")), ("hydrants", op("in", op("lower", prop("HYDRANT_COLOR")), ["blue", "red"]))],
    "trim": [("settlements", op("=", op("trim", NAME), NAME)), ("hydrants", op("<>", op("trim", prop("HYDRANT_COLOR")), prop("HYDRANT_COLOR")))],
    "char_length": [("settlements", op(">", op("char_length", NAME), 15)), ("settlements", op("between", op("char_length", NAME), 4, 5)),
        ("settlements", op("=", op("char_length", NAME), 6))],
    "concat": [("settlements", op("=", op("concat", NAME, ", ", prop("place")), "Калуш, town")),
        ("settlements", op("like", op("concat", NAME, prop("place")), "К%town"))],
    "substr": [("settlements", op("=", op("substr", NAME, 1, 3), "Кал")), ("settlements", op("=", op("substr", NAME, 4), "уш")),
        ("settlements", op("in", op("substr", NAME, 2, 1), ["о", "і"]))],
    "abs": [("hydrants", op("<", op("abs", op("-", TURN, 180)), 10)),
        ("hydrants", op("=", op("abs", prop("INSTALLDATE")), op("*", -1, prop("INSTALLDATE"))))],
    "floor": [("hydrants", op("=", op("floor", TURN), TURN)), ("hydrants", op("in", op("floor", TURN), [65, 90]))],
    "ceil": [("hydrants", op("=", op("ceil", TURN), 66)), ("hydrants", op("<>", op("ceil", TURN), op("floor", TURN)))],
    "round": [("hydrants", op("=", op("round", TURN), 65)), ("hydrants", op(">", op("round", TURN), TURN))],
    "sqrt": [("wards", op(">", op("sqrt", prop("TOTALPOP")), 57)), ("wards", op("<", op("sqrt", prop("Sort")), 3))],
    "min": [("hydrants", op("=", op("min", GATE, prop("SUBTYPE")), 0)), ("hydrants", op("<", op("min", TURN, 90, prop("HYDRANT_GPM")), 90))],
    "max": [("hydrants", op("=", op("max", GATE, prop("SUBTYPE")), 2)), ("hydrants", op(">", op("max", TURN, 90), 90))],
    "year": [("street-lights", op("=", op("year", EDITED), 2023)), ("streets", op("in", op("year", EDITED), [2017, 2022])),
        ("streets", op(">", op("year", EDITED), op("year", prop("created_date"))))],
    "month": [("street-lights", op("=", op("month", EDITED), 8)), ("streets", op("between", op("month", EDITED), 6, 8))],
    "day": [("street-lights", op("=", op("day", EDITED), 24)), ("streets", op(">", op("day", EDITED), 28))],
    "coalesce": [("settlements", op("=", op("coalesce", prop("place"), "none"), "none")),
        ("settlements", op("=", op("coalesce", prop("name_en"), NAME, "?"), NAME)),
                 ("hydrants", op("=", op("coalesce", GATE, prop("SUBTYPE")), 1))],
}
VALUES = (
    ("upper('ґєЇß')", "'ҐЄЇSS'"), ("lower('ҐЄЇ')", "'ґєї'"), ("trim('  a b ')", "'a b'"), ("char_length('Київ')", "4"), ("char_length('')", "0"),
    ("char_length('😀')", "1"),
    ("concat('a','b','c')", "'abc'"), ("substr('abcdef',2,3)", "'bcd'"), ("substr('abc',3)", "'c'"), ("abs(-5)", "5"), ("abs(5.5)", "5.5"),
    ("floor(2.7)", "2"), ("floor(-2.1)", "-3"),
    ("ceil(2.1)", "3"), ("ceil(-2.7)", "-2"), ("round(2.5)", "3"), ("round(-2.5)", "-3"), ("round(2.4)", "2"), ("sqrt(9)", "3"), ("min(3,1,2)", "1"),
    ("max(3,1,2)", "3"),
    ("year(DATE('2022-04-16'))", "2022"), ("month(TIMESTAMP('2022-04-16T10:13:19Z'))", "4"), ("day(DATE('2022-04-16'))", "16"),
    ("upper(lower('A'))", "'A'"),
    ("abs(min(-3, 2) * 2)", "6"), ("char_length(concat('a', upper('b'))) + 1", "3"), ("coalesce('a','b')", "'a'"), ("floor(7 / 2)", "3"),
    ("max(1 + 1, 3)", "3"),
)
BROKEN = (
    "nothing_like_it(name) = 1", "nothing_like_it() = 1", "upper() = 'A'", "upper(name, name) = 'A'", "upper(5) = 'A'", "upper(geom) = 'A'",
    "upper(name) = 5", "upper(name)",
    "char_length(name) = 'a'", "abs('a') = 1", "abs(name) = 1", "sqrt(TRUE) = 1", "year(name) = 2022", "year(5) = 2022", "substr(name) = 'a'",
    "substr(name, 'a') = 'a'",
    "concat(name, 5) = 'a'", "concat() = 'a'", "area(name) > 1", "area() > 1", "area(geom, geom) > 1", "length('a') > 1", "upper(nothing) = 'A'",
    "upper(name = 'A'", "upper name = 'A'",
    "upper(name) LIKE 5", "char_length(name) LIKE 'a%'", "min('a', 1) = 1", "coalesce(name, 5) = 'a'", "S_INTERSECTS(upper(name), POINT(24 48))",
    "T_AFTER(upper(name), DATE('2022-04-01'))",
)
# Equal areas and true distances, of which the functions may differ a little by the ellipsoid and by how they are computed.
NEAR = 0.005


def listed(api):
    return {f["name"]: f for f in api.document("/functions", JSON)["functions"]}


def known(api):
    """Every function that is listed is tested, so that a new one is not forgotten."""
    missing = set(listed(api)) - set(OF_DATA) - {"area", "length"}
    demand(not missing, f"functions without a test: {sorted(missing)}")
    demand(set(FUNCTIONS) <= set(listed(api)), f"functions that are tested and not listed: {sorted(set(FUNCTIONS) - set(listed(api)))}")


def of_data(api, name, node):
    """The expression and its negation select what the function's description says."""
    ids = agrees(api, name, node)
    without = agrees(api, name, no(node))
    demand(not set(ids) & set(without), f"{text(node)} and its negation have features in common")


def value(api, expression, result):
    everything(api, "neighborhoods", f"{expression} = {result}")
    nothing(api, "neighborhoods", f"{expression} <> {result}")
    everything(api, "neighborhoods", f"{result} = {expression}")


# What an argument or a result of a type may be; a function of several types is tested with the first of these that it has.
LITERALS = {"string": "'a'", "number": "1", "boolean": "TRUE", "date": "DATE('2022-04-16')", "datetime": "TIMESTAMP('2022-04-16T10:13:19Z')",
    "geometry": "geom"}


def literal(kinds):
    return next(text_ for kind, text_ in LITERALS.items() if kind in kinds)


def returns(api, function):
    """A function gives a value of a type that it says: with that it compares, and in place of a geometry it is refused."""
    arguments = ", ".join(literal(a["type"]) for a in function["arguments"])
    api.items("settlements", filter=f"{function['name']}({arguments}) = {literal(function['returns'])}", limit=1)
    if "geometry" not in function["returns"]:
        refused(api, "settlements", f"{function['name']}({arguments}) = geom")
        refused(api, "settlements", f"S_INTERSECTS({function['name']}({arguments}), POINT(24 48))")


def too_many(api, function):
    """As many arguments as are listed: none less than those required, none more."""
    given = [literal(a["type"]) for a in function["arguments"]]
    needed = sum(a.get("required", True) for a in function["arguments"])
    other = literal(function["returns"])
    refused(api, "settlements", f"{function['name']}({', '.join(given[: needed - 1])}) = {other}")
    if not function.get("repeatsLast"):
        refused(api, "settlements", f"{function['name']}({', '.join([*given, given[-1]])}) = {other}")


def measure(api, name, function, code):
    """Area and length in metres, within half a per cent of what a projection that keeps them gives."""
    degrees, metres = osr.SpatialReference(), osr.SpatialReference()
    degrees.SetFromUserInput("OGC:CRS84")
    metres.SetFromUserInput(code)
    change = osr.CoordinateTransformation(degrees, metres)
    sizes = {}
    for feature in table(api, name).features:
        shape = ogr.CreateGeometryFromJson(json.dumps(feature["geometry"]))
        shape.Transform(change)
        sizes[feature["id"]] = shape.Area() if function == "area" else shape.Length()
    for share in (0.25, 0.5, 0.9):
        limit = sorted(sizes.values())[int(len(sizes) * share)]
        unsure = {i for i, size in sizes.items() if abs(size - limit) < limit * NEAR}
        for language, filter in written(op(">", op(function, prop("geom")), limit)):
            ids = selects(api, name, filter, language)
            same([i for i in ids if i not in unsure], [i for i, size in sizes.items() if size > limit and i not in unsure], f"{name}: {filter}")


def run(api):
    api.test(f"{HERE}/functions[all are tested]", known, api)
    for name, function in listed(api).items():
        api.test(f"{HERE}/functions[{name}, what it returns]", returns, api, function)
        api.test(f"{HERE}/functions[{name}, number of arguments]", too_many, api, function)
    for function, nodes in OF_DATA.items():
        for name, node in nodes:
            api.test(f"{HERE}/functions[{function}: {name}, {text(node)}]", of_data, api, name, node)
    api.test("/req/functions/functions[literals]", each, value, [(api, *case) for case in VALUES])
    for name, function, code in (
        ("settlements", "area", "+proj=laea +lat_0=48.7 +lon_0=24.6 +ellps=WGS84"),
        ("zoning", "area", "+proj=laea +lat_0=42.38 +lon_0=-71.11 +ellps=WGS84"),
        ("streets", "length", "+proj=aeqd +lat_0=42.38 +lon_0=-71.11 +ellps=WGS84"),
        ("drainage", "length", "+proj=aeqd +lat_0=42.38 +lon_0=-71.11 +ellps=WGS84"),
    ):
        api.test(f"{HERE}/functions[{function}: {name}]", measure, api, name, function, code)
    for name, node, missing in (
        ("settlements", op("=", op("upper", prop("place")), "VILLAGE"), is_null("place")),
        ("hydrants", op(">", op("max", TURN, 90), 100), is_null("ROTATION")),
        ("streets", op("=", op("year", EDITED), 2017), is_null("last_edited_date")),
        ("hydrants", op("<", op("abs", op("-", TURN, 180)), 90), is_null("ROTATION")),
    ):
        api.test(f"/req/functions/functions[{name}, {text(node)}, NULL]", partition, api, name, node, missing)
    mixed = both(op(">", op("char_length", NAME), 6), either(op("=", op("lower", prop("place")), "town"), op("like", op("upper", NAME), "%ІВ")))
    api.test(f"{HERE}/functions[settlements, {text(mixed)}]", agrees, api, "settlements", mixed)
    api.test(f"{HERE}/functions[parcels]", agrees, api, "parcels",
        both(op("=", op("year", prop("edit_date")), 2007), op(">", prop("edit_date"), day("2007-06-01"))))
    for filter in ("upper( name )='КАЛУШ'", "upper(\"name\") = 'КАЛУШ'", "(upper(name)) = 'КАЛУШ'", "upper\n(name) = 'КАЛУШ'"):
        api.test(f"/req/functions/functions[{filter!r}]", reads, api, "settlements", filter, op("=", op("upper", NAME), "КАЛУШ"))
    api.test("/req/functions/functions[refused]", all_refused, api, "settlements", BROKEN)
    for node in (op("=", op("nothing_like_it", NAME), 1), op("=", op("upper"), "A"), op("=", op("upper", 5), "A"), op("=", {"op": "upper"}, "A"),
        op("=", {"op": "upper", "args": NAME}, "A")):
        api.test(f"/req/functions/functions[{node}]", refused, api, "settlements", node, "cql2-json")
