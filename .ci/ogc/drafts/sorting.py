"""Draft of OGC API Features part 8, class Sorting (OGC 24-030 §7, annex A.2): the order of the answer, against the data."""

import re

from abstract import refuses, same
from documents import SCHEMA, form_parameter, items_path, light, representatives
from suite import demand, link

CLASS = "http://www.opengis.net/spec/ogcapi-features-8/1.0/conf/sorting"
# What the pattern of the draft, ^[+-]?[^+\-\s].*$, allows and what not.
RIGHT = ("name", "+name", "-name", "назва", "-назва", "_id", "2nd", "a-b")
WRONG = ("", "+", "-", "--name", "+-name", " name", "- name", "-\tname")


def run(api):
    for name in representatives(api):
        api.test(f"/req/sorting/sortby-definition[{name}]", definition, api, name)
        api.test(f"/req/sorting/sortby-definition[{name}, pattern]", pattern, api, name)
    for name in representatives(api):
        for key in sortables(api, name):
            api.test(f"/conf/sorting/sortby-param[{name}, {key}]", up_and_down, api, name, key)
        for keys in pairs(api, name):
            api.test(f"/conf/sorting/sortby-param[{name}, {','.join(keys)}]", ordered, api, name, keys)
        api.test(f"/conf/sorting/sortby-param[{name}, signs]", signs, api, name)
        api.test(f"/conf/sorting/sortby-param[{name}, pages]", pages, api, name)
    for name in representatives(api)[:3]:
        for value in ("THIS IS NOT A SORTBY EXPRESSION", "this_is_not_a_sortable", "-this_is_not_a_sortable", "geom", "", ",", "-"):
            api.test(f"/conf/sorting/expression-construction[{name}, {value}]", invalid, api, name, value)
        api.test(f"/req/sorting/sortby-definition[{name}, blank]", blank, api, name)


def sortables(api, name):
    return list(api.document(f"/collections/{name}/sortables", SCHEMA)["properties"])


def pairs(api, name):
    """Keys of which the first has equal values for the second to order."""
    groups = sorted(sortables(api, name), key=lambda k: len({str(f["properties"].get(k)) for f in api.every(name)}))
    groups = [k for k in groups if any(f["properties"].get(k) is not None for f in api.every(name))]
    if len(groups) > 1:
        first, second = groups[0] if len(groups) < 3 else groups[1], groups[-1]
        yield from ([first, second], [f"-{first}", second], [first, f"-{second}"], [f"-{first}", f"-{second}"])
    if len(groups) > 2:
        yield [groups[0], f"-{groups[1]}", groups[2]]


def definition(api, name):
    """A list of one text at least, not exploded."""
    schema = form_parameter(api, items_path(name), "sortby", explode=False)
    demand(schema["type"] == "array" and schema.get("minItems") == 1 and schema["items"]["type"] == "string", f"sortby is {schema}")


def pattern(api, name):
    """The pattern allows a sign and a name, and neither two signs nor a blank before the name."""
    found = form_parameter(api, items_path(name), "sortby")["items"].get("pattern")
    demand(found, "sortby has no pattern")
    refused = [v for v in RIGHT if not re.search(found, v)]
    allowed = [v for v in WRONG if re.search(found, v)]
    demand(not refused and not allowed, f"the pattern {found} refuses {refused} and allows {allowed}")


def kind(api, name, key):
    return api.schema(name)["properties"].get(key, {}).get("type")


LETTERS = "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"




def up_and_down(api, name, key):
    for sign in ("", "-"):
        ordered(api, name, [sign + key])


def ordered(api, name, keys):
    """All features, by the keys: numbers and dates by their value; equal texts stand together, and the order of texts is one.

    Missing values stand all at one end. Of two texts that begin with two letters of one alphabet, Ukrainian or Latin, in one case, that of the
    letter that comes first is first."""
    got = api.items(name, limit=10_000, sortby=",".join(keys), skipGeometry="true")["features"]
    same([f["id"] for f in got], [f["id"] for f in api.every(name)], f"sortby={','.join(keys)}")
    check(api, name, got, keys)


def check(api, name, features, keys):
    if not keys or len(features) < 2:
        return
    key, down = keys[0].lstrip("+-"), keys[0].startswith("-")
    values = [f["properties"].get(key) for f in features]
    present = [i for i, v in enumerate(values) if v is not None]
    if not present:
        check(api, name, features, keys[1:])
        return
    demand(present[-1] - present[0] + 1 == len(present), f"{key}: missing values stand between others")
    demand(len(present) == len(features) or present[0] == 0 or present[-1] == len(features) - 1, f"{key}: missing values stand at both ends")
    textual = kind(api, name, key) == "string" and not dated(api, name, key)
    runs = groups(values)
    seen = [v for v, _, _ in runs]
    # Equal values, case left out, may be one for the server.
    for (a, _, _), (b, _, _) in zip(runs, runs[1:]):
        if a is not None and b is not None:
            demand(in_order(a, b, textual, down), f"{keys[0]}: {a!r} stands before {b!r}")
    demand(textual or len(seen) == len(set(map(str, seen))), f"{key}: a value comes again after another")
    for _, begin, end in runs:
        check(api, name, features[begin:end], keys[1:])


def dated(api, name, key):
    return api.schema(name)["properties"][key].get("format") in ("date", "date-time")


def groups(values):
    """Equal values that follow each other: the value, the begin and the end."""
    found, begin = [], 0
    for i in range(1, len(values) + 1):
        if i == len(values) or values[i] != values[begin]:
            found.append((values[begin], begin, i))
            begin = i
    return found


def in_order(a, b, textual, down):
    if not textual:
        return a >= b if down else a <= b
    x, y = (b, a) if down else (a, b)
    first, second = x[:1], y[:1]
    for alphabet in (LETTERS, LETTERS.upper(), "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"):
        if first and second and first in alphabet and second in alphabet and not (alphabet[0] == "0" and x[1:2].isdigit() | y[1:2].isdigit()):
            return alphabet.index(first) <= alphabet.index(second)
    return True


def signs(api, name):
    """Ascending is the default and the same as +; descending is the contrary, of values that all differ."""
    for key in sortables(api, name):
        values = [f["properties"].get(key) for f in api.every(name)]
        ids = lambda sign: light(api, name, sortby=sign + key)
        demand(ids("") == ids("+"), f"{key} and +{key} are two orders")
        if None not in values and len(set(map(str, values))) == len(values):
            demand(ids("-") == ids("")[::-1], f"-{key} is not the contrary of {key}")


def pages(api, name):
    """Page after page the order is that of one page."""
    for key in sortables(api, name)[:3]:
        whole = light(api, name, sortby=f"-{key}")
        limit, got = max(1, len(whole) // 5), []
        page = api.items(name, limit=limit, sortby=f"-{key}", skipGeometry="true")
        while True:
            got += [f["id"] for f in page["features"]]
            follow = link(page["links"], "next")
            if not follow or len(got) > len(whole):
                break
            page = api.get(follow["href"]).json()
        demand(got == whole, f"sortby=-{key} in pages of {limit} is another order")


def invalid(api, name, value):
    if value != "geom" or "geom" not in sortables(api, name):
        refuses(api, items_path(name), f"sortby={value}", sortby=value)


def blank(api, name):
    """A plus that was not encoded comes as a blank; a key that begins with one is not valid (§7.2, note)."""
    for key in sortables(api, name)[:1]:
        refuses(api, f"{items_path(name)}?sortby=%20{key}", "a key that begins with a blank")
