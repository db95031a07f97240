"""OGC 21-065r2 §8.3 and its JSON Schema cql2.json, conformance class CQL2 JSON. The other files send theirs as text and as JSON."""

import json

from abstract import same
from cql import agrees, all_refused, box, both, day, either, everything, expected, moment, no, nothing, op, prop, selects, span, text

CLASS = "http://www.opengis.net/spec/cql2/1.0/conf/cql2-json"
NAME, PLACE = prop("name"), prop("place")
TOWN = op("=", PLACE, "town")
TRIANGLE = {"type": "Polygon", "coordinates": [[[24, 48], [25, 48], [25, 49], [24, 48]]]}
# Every rule of the schema once: collection and filter.
RULES = {
    "andOrExpression": [("settlements", both(TOWN, op("like", NAME, "К%"))),
        ("settlements", either(TOWN, op("like", NAME, "К%"), op("isNull", PLACE)))],
    "notExpression": [("settlements", no(TOWN)), ("settlements", no(no(TOWN))), ("settlements", no(op("isNull", PLACE)))],
    "binaryComparisonPredicate": [("settlements", op(o, NAME, "Калуш")) for o in ("=", "<>", "<", ">", "<=", ">=")],
    "isLikePredicate": [("settlements", op("like", op("casei", NAME), op("casei", "КО%"))),
        ("settlements", op("like", op("accenti", op("casei", prop("name_en"))), op("accenti", op("casei", "Ká%"))))],
    "isBetweenPredicate": [("hydrants", op("between", prop("ROTATION"), 10, 20.5)),
        ("hydrants", op("between", op("*", prop("ROTATION"), 2), 10, op("+", 10, 10)))],
    "isInListPredicate": [("settlements", op("in", PLACE, ["town", "city"])), ("zoning", op("in", prop("last_edited_date"), [day("2026-01-08")])),
        ("zoning", op("in", prop("ZCODE"), [35, 198]))],
    "isNullPredicate": [("settlements", op("isNull", PLACE)), ("zoning", op("isNull", prop("created_date"))), ("zoning", op("isNull", prop("geom")))],
    "spatialPredicate": [("settlements", op(f"s_{r}", prop("geom"), TRIANGLE)) for r in ("contains", "crosses", "disjoint", "equals", "intersects",
        "overlaps", "touches", "within")],
    "temporalPredicate": [("zoning", op("t_after", prop("last_edited_date"), day("2026-01-08"))),
        ("zoning", op("t_intersects", prop("last_edited_date"), span("2026-01-01", ".."))),
                          ("streets", op("t_finishedBy", span(prop("created_date"), prop("last_edited_date")), span("..", "2024-09-26")))],
    "arrayPredicate": [("settlements", both(no(op("isNull", PLACE)), op("a_containedBy", [PLACE], ["town", "city"]))),
        ("neighborhoods", op("a_overlaps", ["a", 1], [1, "b"]))],
    "arithmeticExpression": [("zoning", op("=", op(o, prop("ZCODE"), 5), value)) for o,
        value in (("+", 40), ("-", 30), ("*", 175), ("/", 7), ("%", 1), ("div", 7), ("^", 52521875))],
    "functionRef": [("settlements", op("=", op("upper", NAME), "КАЛУШ")), ("settlements", op(">", op("char_length", op("concat", NAME, PLACE)), 20))],
    "bboxLiteral": [("settlements", op("s_intersects", prop("geom"), box(24.6, 48.85, 24.8, 48.99))),
        ("settlements", op("s_intersects", prop("geom"), {"bbox": [24.6, 48.85, 0, 24.8, 48.99, 1000]}))],
    "geometryLiteral": [("settlements", op("s_intersects", prop("geom"), {**TRIANGLE, "bbox": [24, 48, 25, 49]}))],
    "instantInstance": [("zoning", op("<", prop("last_edited_date"), day("2026-01-30"))),
        ("neighborhoods", op("<", moment("2022-04-16T10:13:19Z"), moment("2022-04-16T10:13:19.5Z")))],
}
BROKEN = (
    "", "{", "}", "[]", "null", "1", '"a"', "{}", '{"op":"="}', '{"args":[]}', '{"op":"=","args":[]}', '{"op":"=","args":[{"property":"place"}]}',
    "place = 'town'",
    '{"op":"=","args":[{"property":"place"},"town","city"]}', '{"op":"=","args":{"property":"place"}}', '{"op":1,"args":[]}',
    '{"op":"eq","args":[{"property":"place"},"town"]}',
    '{"op":"==","args":[{"property":"place"},"town"]}', '{"op":"=","args":[{"property":5},"town"]}',
    '{"op":"=","args":[{"property":"nothing"},"town"]}',
    '{"op":"=","args":[{"Property":"place"},"town"]}', '{"op":"=","args":[{"property":"place"},null]}',
    '{"op":"=","args":[{"property":"place"},{"a":1}]}',
    '{"op":"and","args":[]}', '{"op":"and","args":[true]}', '{"op":"and","args":true}', '{"op":"and","args":[true,1]}',
    '{"op":"or","args":["a",true]}', '{"op":"or","args":[false]}',
    '{"op":"not","args":[]}', '{"op":"not","args":[true,false]}', '{"op":"not","args":["a"]}', '{"op":"isNull","args":[]}',
    '{"op":"isNull","args":[{"property":"place"},{"property":"name"}]}',
    '{"op":"between","args":[{"property":"place"},1]}', '{"op":"like","args":["a"]}', '{"op":"in","args":[{"property":"place"},"town"]}',
    '{"property":"place"}', '[{"op":"and"}]',
    '{"op":"=","args":[{"property":"place"},"town"]} x', '{"op":"=","args":[{"property":"place"},"town"]}{"op":"="}',
    "{'op':'=','args':[{'property':'place'},'town']}",
    '{"op":"=","args":[{"property":"place"},"town"],}', '{"op":"=","args":[{"date":"2022-13-01"},{"date":"2022-04-01"}]}',
    '{"op":"=","args":[1,NaN]}', '{"op":"+","args":[1,1]}',
    '{"op":"t_after","args":[{"property":"place"},{"date":"2022-04-01"}]}', '{"op":"s_intersects","args":[{"property":"geom"}]}',
    '{"op":"casei","args":["a"]}',
    '{"op":"=","args":[{"property":"place"},"to' + "\x00" + 'wn"]}',
)


def rule(api, name, node):
    """The filter as JSON, and as the text that it stands for."""
    agrees(api, name, node)


def written(api, form):
    """Blanks, the order of members, escapes: another writing of the same value is the same filter."""
    yes, _ = expected(api, "settlements", TOWN)
    same(selects(api, "settlements", form, "cql2-json"), yes, form)


def ukrainian(api):
    """Letters as themselves and as \\u escapes."""
    node = op("=", NAME, "Калуш")
    found = [selects(api, "settlements", json.dumps(node, ensure_ascii=a), "cql2-json") for a in (True, False)]
    for ids in found:
        same(ids, expected(api, "settlements", node)[0], "a name in Ukrainian")


def run(api):
    for label, filters in RULES.items():
        for name, node in filters:
            api.test(f"/conf/cql2-json/validate[{label}: {name}, {text(node)[:80]}]", rule, api, name, node)
    for form in (
        '{"op":"=","args":[{"property":"place"},"town"]}', '{"args":[{"property":"place"},"town"],"op":"="}',
        ' { "op" : "=" , "args" : [ { "property" : "place" } , "town" ] } ',
        '{\n\t"op": "=",\r\n\t"args": [{"property": "place"}, "town"]\n}', '{"\\u006fp":"=","args":[{"property":"pl\\u0061ce"},"t\\u006fwn"]}',
        '{"op":"=","args":["town",{"property":"place"}]}',
    ):
        api.test(f"/conf/cql2-json/validate[{form!r}]", written, api, form)
    api.test("/conf/cql2-json/validate[letters]", ukrainian, api)
    for node, whole in ((True, everything), (False, nothing), (op("and", True, True), everything), (op("or", False, False), nothing),
        (op("=", "it's \"a\"\t\\", "it's \"a\"\t\\"), everything),
                        (op("=", True, True), everything), (op("=", 1, 1.0), everything), (op("=", 100, 1e2), everything),
                        (op("isNull", "a"), nothing)):
        api.test(f"/conf/cql2-json/validate[{json.dumps(node)}]", whole, api, "neighborhoods", node)
    for i in range(0, len(BROKEN), 10):
        api.test(f"/conf/cql2-json/validate[refused {i // 10 + 1}]", all_refused, api, "settlements", BROKEN[i : i + 10], "cql2-json")
