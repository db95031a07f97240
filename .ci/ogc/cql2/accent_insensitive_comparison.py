"""OGC 21-065r2 §7.4, annex A, conformance class Accent-insensitive Comparison."""

from abstract import same
from cql import agrees, combinations, each, everything, is_null, middle, name_text, no, nothing, op, partition, prop, reads, refused, scalars
from cql import test_data
from suite import demand

CLASS = "http://www.opengis.net/spec/cql2/1.0/conf/accent-insensitive-comparison"
HERE = "/conf/accent-insensitive-comparison"
ALIKE = (
    ("äöüéáí", "aoueai"), ("papá", "papa"), ("débárquér", "debarquer"), ("København", "Kobenhavn"), ("Ä", "A"), ("Zürich", "Zu\u0308rich"),
    ("ñ", "n"),
    ("Калу\u0301ш", "Калуш"), ("Коломи\u0301я", "Коломия"), ("é", "e\u0301"), ("Ångström", "Angstrom"), ("ǘ", "u"), ("", ""), ("Ệ", "E"), ("ά", "α"),
    ("foo", "foo"),
)
UNLIKE = (("a", "b"), ("Ä", "a"), ("и", "і"), ("е", "є"), ("г", "ґ"), ("a", "а"), ("foo", "FOO"), ("", "a"))
# With CASEI inside, letters of either case are the same too.
BOTH = (("ÄÉ", "ae"), ("KØBENHAVN", "kobenhavn"), ("КАЛУ\u0301Ш", "калуш"), ("ΆΛΦΑ", "αλφα"), ("Straße", "STRASSE"), ("PAPÁ", "papa"))


def accenti(value):
    return op("accenti", value)


def neither(value):
    return op("accenti", op("casei", value))


def sample(api, name, key):
    """The abstract tests `accenti`, `accenti-like`, `accenti-casei` and `accenti-casei-like`."""
    equal, other = (agrees(api, name, op(o, accenti(prop(key)), accenti(v))) for o, v in (("=", "äöüéáí"), ("<>", "aoueai")))
    demand(not set(equal) & set(other), f"{key}: = and <> have features in common")
    for pair, form, o in ((("Ä%", "A%"), accenti, "like"), (("ÄÉ", "ae"), neither, "="), (("Ä%", "a%"), neither, "like"),
        (("kØ%", "kO%"), neither, "like")):
        same(*(agrees(api, name, op(o, form(prop(key)), form(v))) for v in pair), f"{key}: {pair}")
    reads(api, name, f"accenti({name_text(key)}) = AccentI('äöüéáí')", op("=", accenti(prop(key)), accenti("äöüéáí")))


def data(api, name, key, value):
    """A value with a stress mark after its first vowel finds what the value finds; NULL stays NULL."""
    place = next((i for i, c in enumerate(value) if c in "aeouAEOUаеоуиАЕОУИ"), None)
    stressed = value if place is None else value[: place + 1] + "\u0301" + value[place + 1 :]
    found = [agrees(api, name, op("=", accenti(prop(key)), accenti(v))) for v in (value, stressed)]
    same(found[1], found[0], f"{key}: {stressed}")
    demand(found[0], f"{value} is not found")
    agrees(api, name, op("in", neither(prop(key)), [neither(stressed.upper()), neither("nothing")]))
    # With letters like Й the standard leaves open what is equal, but not that a predicate is either TRUE or FALSE.
    if not set("йїёўЙЇЁЎ") & {c for f in api.every(name) for c in f["properties"][key] or ""}:
        partition(api, name, op("=", accenti(prop(key)), accenti(stressed)), is_null(key))


def literals(api, form, one, other, alike):
    equal = op("=", form(one), form(other))
    (everything if alike else nothing)(api, "neighborhoods", equal)
    (nothing if alike else everything)(api, "neighborhoods", no(equal))


def run(api):
    for name, key, rows in scalars(api, "string"):
        api.test(f"{HERE}/accenti[{name}, {key}]", sample, api, name, key)
        values = [v for v in rows.values(key) if any(c.isalpha() for c in v) and not set("йїёўЙЇЁЎ") & set(v)]
        for value in {middle(values), values[-1]} if values else ():
            api.test(f"{HERE}/accenti[{name}, {key} and {value}]", data, api, name, key, value)
    for label, pairs, form, alike in (("alike", ALIKE, accenti, True), ("unlike", UNLIKE, accenti, False), ("with CASEI", BOTH, neither, True)):
        cases = [(api, form, one, other, alike) for one, other in pairs]
        api.test(f"/req/accent-insensitive-comparison/accenti-function[{label}]", each, literals, cases)
    test_data(api, "accent-insensitive-comparison")
    combinations(api, HERE, "hydrants", [
        op("=", accenti(prop("HYDRANT_COLOR")), accenti("BLÚE")), op("like", neither(prop("HYDRANT_LOCATION")), neither("%máss%")),
        is_null("HYDRANT_COLOR"),
        op("<>", neither(prop("HYDRANT_MANF")), neither("Müeller")), op("in", accenti(prop("HYDRANT_DRAIN")), [accenti("NÖ")]),
        op("=", prop("GATE"), 1),
    ])
    for name, filter in (
        ("hydrants", "ACCENTI(GATE) = ACCENTI('1')"), ("settlements", "ACCENTI(geom) = ACCENTI('a')"), ("settlements", "ACCENTI() = 'a'"),
        ("settlements", "ACCENTI(name, name) = 'a'"), ("settlements", "ACCENTI(5) = ACCENTI('5')"), ("settlements", "ACCENTI(name)"),
        ("settlements", "ACCENTI(nothing) = 'a'"),
    ):
        api.test(f"{HERE}[{name}, {filter}]", refused, api, name, filter)
    for node in (op("=", op("accenti"), "a"), op("=", op("accenti", prop("name"), "b"), "a"), op("accenti", "a")):
        api.test(f"{HERE}[settlements, {node}]", refused, api, "settlements", node, "cql2-json")
