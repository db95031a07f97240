"""Draft of OGC API Features part 9, class Text Search (OGC 24-031 §6, annex A.1). Its text names the classes of part 8, by a slip."""

import re

from abstract import refuses, same
from documents import form_parameter, items_path, light, representatives
from suite import demand

CLASS = "http://www.opengis.net/spec/ogcapi-features-9/1.0/conf/text-search"


def run(api):
    for name in representatives(api):
        api.test(f"/req/text-search/q-definition[{name}]", definition, api, name)
    for name in representatives(api):
        for case, term in terms(api, name):
            api.test(f"/conf/text-search/q-param[{name}, {case}]", contains, api, name, [term])
            api.test(f"/req/text-search/q-definition[{name}, {case}, case]", any_case, api, name, term)
        two = [t for _, t in terms(api, name)][:2]
        if len(two) == 2:
            api.test(f"/req/text-search/q-response[{name}, or]", either, api, name, two)
        for case, words in phrases(api, name):
            api.test(f"/req/text-search/q-response[{name}, {case}]", in_order, api, name, words)
            api.test(f"/req/text-search/q-response[{name}, {case}, turned round]", in_order, api, name, words[::-1])
            api.test(f"/req/text-search/q-response[{name}, {case}, blanks]", blanks, api, name, words)
        api.test(f"/conf/text-search/q-param[{name}, nothing]", nothing, api, name)
        api.test(f"/conf/text-search/q-param[{name}, empty]", refuses, api, f"{items_path(name)}?q=", "a search for nothing")


def definition(api, name):
    schema = form_parameter(api, items_path(name), "q", explode=False)
    demand(schema["type"] == "array" and schema["items"]["type"] == "string", f"q is {schema}")


def texts(feature):
    """The texts of a feature: all, for which are searched is the server's choice."""
    return [str(v) for v in feature["properties"].values() if v is not None] + [str(feature["id"])]


def plain(text):
    return " ".join(text.casefold().split())


def holds(feature, term):
    """One of the texts has the words of the term, in this order, with any blanks between."""
    return any(plain(term) in plain(t) for t in texts(feature))


def words_of(api, name):
    """Words of the data that the server finds, and how the feature has them."""
    key = (name, "words")
    if key not in api.documents:
        seen, found = set(), []
        for f in api.every(name)[:: max(1, len(api.every(name)) // 60)]:
            for value in f["properties"].values():
                for word in re.findall(r"[^\W\d_]{4,}", value) if isinstance(value, str) else []:
                    if word.casefold() not in seen:
                        seen.add(word.casefold())
                        found.append(word)
        api.documents[key] = [w for w in found[:60] if api.items(name, limit=1, q=w, skipGeometry="true")["numberMatched"]]
    return api.documents[key]


def terms(api, name):
    found = words_of(api, name)
    return [(f"{w}", w) for w in (found[:1] + found[len(found) // 2:][:1] + found[-1:] if len(found) > 2 else found)]


def phrases(api, name):
    """Two words that follow each other in a text that is searched."""
    known = {w.casefold() for w in words_of(api, name)}
    for f in api.every(name):
        for value in f["properties"].values():
            pair = value.split()[:2] if isinstance(value, str) and "," not in value else []
            if len({w.casefold() for w in pair}) == 2 and all(re.fullmatch(r"[^\W_]+", w) for w in pair) and pair[0].casefold() in known:
                yield " ".join(pair), pair
                return


def contains(api, name, wanted):
    """Each feature has one of the terms, and there is one at least; a feature that has it in the property where others have it is there too."""
    got = api.items(name, limit=10_000, skipGeometry="true", q=",".join(wanted))["features"]
    demand(got, f"q={','.join(wanted)} finds nothing")
    for f in got:
        demand(any(holds(f, t) for t in wanted), f"feature {f['id']} has none of {wanted}: {texts(f)[:4]}")
    searched = searched_properties(api, name)
    expected = [f["id"] for f in api.every(name) if any(plain(t) in plain(str(f["properties"].get(k) or "")) for t in wanted for k in searched)]
    missing = set(expected) - {f["id"] for f in got}
    demand(not missing, f"q={','.join(wanted)}: {len(missing)} features that have it are missing: {sorted(map(str, missing))[:5]}")


def searched_properties(api, name):
    """Properties that are searched, as the answers show: a word that stands in this property alone finds its feature."""
    key = (name, "searched")
    if key not in api.documents:
        api.documents[key] = [k for k, p in api.schema(name)["properties"].items() if p.get("type") == "string" and is_searched(api, name, k)]
    return api.documents[key]


def is_searched(api, name, key):
    for f in api.every(name):
        value = f["properties"].get(key)
        word = max(re.findall(r"\w+", value), key=len, default="") if isinstance(value, str) else ""
        alone = word and not any(word.casefold() in str(v).casefold() for k, v in f["properties"].items() if k != key)
        if alone and word.casefold() not in str(f["id"]).casefold():
            return f["id"] in light(api, name, q=word)
    return False


def any_case(api, name, term):
    """Case does not matter."""
    found = [set(light(api, name, q=t)) for t in (term, term.upper(), term.lower(), term.swapcase())]
    demand(all(f == found[0] for f in found), f"{term} finds {[len(f) for f in found]} as it is, in capitals, in small letters and turned round")


def either(api, name, two):
    """Terms between commas: those that have the one or the other."""
    expected = set(light(api, name, q=two[0])) | set(light(api, name, q=two[1]))
    same(light(api, name, q=",".join(two)), expected, f"q={','.join(two)}")


def in_order(api, name, words):
    """Words between blanks: only features that have all of them, one after the other, in this order."""
    for f in api.items(name, limit=10_000, skipGeometry="true", q=" ".join(words))["features"]:
        demand(holds(f, " ".join(words)), f"feature {f['id']} has no {' '.join(words)!r}: {texts(f)[:6]}")


def blanks(api, name, words):
    """How many blanks there are, and of which kind, does not matter."""
    found = [set(light(api, name, q=f"{words[0]}{gap}{words[1]}")) for gap in (" ", "   ", "\t", " \t ")]
    demand(found[0] and all(f == found[0] for f in found), f"{words} with other blanks finds {[len(f) for f in found]}")


def nothing(api, name):
    """A term that is nowhere finds nothing."""
    page = api.items(name, q="ьыйцукъззз", limit=10)
    demand(not page["features"] and page["numberMatched"] == 0, f"{page['numberMatched']} features have a word that there is not")
