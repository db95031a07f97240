"""OGC 21-065r2 §7.3, annex A, conformance class Case-insensitive Comparison: CASEI folds by all of Unicode's rules."""

from abstract import same
from cql import agrees, combinations, each, everything, is_null, middle, name_text, no, nothing, op, partition, prop, reads, refused, scalars
from cql import test_data
from suite import demand

CLASS = "http://www.opengis.net/spec/cql2/1.0/conf/case-insensitive-comparison"
HERE = "/conf/case-insensitive-comparison"
# /req/case-insensitive-comparison/casei-function E: the full case folding, in which one character may become two, and a sigma is a sigma.
ALIKE = (
    ("foo", "FOO"), ("Straße", "STRASSE"), ("Οδος", "ΟΔΟΣ"), ("οδος", "οδοσ"), ("Київ", "КИЇВ"), ("ґанок", "ҐАНОК"), ("Єзупіль", "єЗУПІЛЬ"),
    ("København", "KØBENHAVN"),
    ("ﬁn", "FIN"), ("ǅ", "ǆ"), ("ÀÉ", "àé"), ("", ""), ("ŉ", "ʼN"), ("ẞ", "ß"), ("Ա", "ա"), ("ı", "ı"), ("it's", "IT'S"), ("ſ", "s"), ("K", "k"),
    ("Å", "å"),
)
UNLIKE = (("foo", "fooo"), ("и", "і"), ("е", "є"), ("г", "ґ"), ("o", "ø"), ("e", "é"), ("a", "а"), ("ı", "i"), ("", "a"))


def casei(value):
    return op("casei", value)


def sample(api, name, key):
    """The abstract test `casei`, and `casei-like`."""
    equal, other = (agrees(api, name, op(o, casei(prop(key)), casei(v))) for o, v in (("=", "foo"), ("<>", "FOO")))
    demand(not set(equal) & set(other), f"{key}: = and <> have features in common")
    same(*(agrees(api, name, op("like", casei(prop(key)), casei(v))) for v in ("foo%", "FOO%")), f"{key}: LIKE of either case")
    reads(api, name, f"casei({name_text(key)}) = Casei('foo')", op("=", casei(prop(key)), casei("foo")))


def data(api, name, key, value):
    """A value of the data in either case finds the same, itself among them; NULL stays NULL."""
    forms = (value, value.upper(), value.lower(), value.swapcase())
    found = [agrees(api, name, op("=", casei(prop(key)), casei(v))) for v in forms]
    demand(found[0], f"{value} is not found")
    for ids in found[1:]:
        same(ids, found[0], f"{key}: {value} in another case")
    start = value[: max(1, len(value) // 2)] + "%"
    if not set("%_\\") & set(value):
        same(*(agrees(api, name, op("like", casei(prop(key)), casei(v))) for v in (start.upper(), start.lower())), f"{key}: LIKE {start}")
    agrees(api, name, op("in", casei(prop(key)), [casei(value.upper()), casei("nothing")]))
    partition(api, name, op("=", casei(prop(key)), casei(value)), is_null(key))


def literals(api, one, other, alike):
    equal = op("=", casei(one), casei(other))
    (everything if alike else nothing)(api, "neighborhoods", equal)
    (nothing if alike else everything)(api, "neighborhoods", no(equal))


def run(api):
    for name, key, rows in scalars(api, "string"):
        api.test(f"{HERE}/casei[{name}, {key}]", sample, api, name, key)
        values = [v for v in rows.values(key) if any(c.isalpha() for c in v)]
        for value in {middle(values), values[-1]} if values else ():
            api.test(f"{HERE}/casei[{name}, {key} and {value}]", data, api, name, key, value)
    for pairs, alike in ((ALIKE, True), (UNLIKE, False)):
        cases = [(api, one, other, alike) for one, other in pairs]
        api.test(f"/req/case-insensitive-comparison/casei-function[{'alike' if alike else 'unlike'}]", each, literals, cases)
    test_data(api, "case-insensitive-comparison")
    combinations(api, HERE, "hydrants", [
        op("=", casei(prop("HYDRANT_COLOR")), casei("blue")), op("like", casei(prop("HYDRANT_LOCATION")), casei("%mass%")), is_null("HYDRANT_COLOR"),
        op("<>", casei(prop("HYDRANT_MANF")), casei("Mueller")), op("in", casei(prop("HYDRANT_DRAIN")), [casei("no"), casei("Slow")]),
        op("=", prop("GATE"), 1),
    ])
    for name, filter in (
        ("hydrants", "CASEI(GATE) = CASEI('1')"), ("settlements", "CASEI(geom) = CASEI('a')"), ("settlements", "CASEI(name, name) = CASEI('a')"),
        ("settlements", "CASEI() = 'a'"), ("settlements", "CASEI(5) = CASEI('5')"), ("settlements", "CASEI(name"), ("settlements", "CASEI(name)"),
        ("settlements", "CASEI(nothing) = CASEI('a')"), ("zoning", "CASEI(created_date) = CASEI('a')"),
    ):
        api.test(f"{HERE}[{name}, {filter}]", refused, api, name, filter)
    for node in (op("=", op("casei"), "a"), op("=", op("casei", prop("name"), "b"), "a"), op("=", op("casei", 5), "a"), op("casei", "a")):
        api.test(f"{HERE}[settlements, {node}]", refused, api, "settlements", node, "cql2-json")
