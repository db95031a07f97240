"""Draft of OGC API Features part 9, class Features Text Search (OGC 24-031 §7, annex A.2)."""

from abstract import same
from documents import extent_of, items_path, light, meeting, numbers, parameter, representatives
from drafts.text_search import terms
from suite import demand, link

CLASS = "http://www.opengis.net/spec/ogcapi-features-9/1.0/conf/features-text-search"


def run(api):
    for name in representatives(api):
        api.test(f"/req/features-text-search/q-param[{name}]", parameter, api, items_path(name), "q")
    for name in representatives(api):
        for case, term in terms(api, name):
            api.test(f"/conf/features-text-search/text-search-on-items[{name}, {case}, bbox]", with_box, api, name, term)
            api.test(f"/conf/features-text-search/text-search-on-items[{name}, {case}, pages]", pages, api, name, term)


def with_box(api, name, term):
    """q and bbox combine by AND."""
    west, south, east, north = extent_of(api.every(name))
    box = (west, south, (west + east) / 2, (south + north) / 2)
    expected = set(light(api, name, q=term)) & set(meeting(api, name, box))
    same(light(api, name, q=term, bbox=numbers(box)), expected, f"q={term} and bbox")


def pages(api, name, term):
    """Page after page all that is found is there once."""
    whole = light(api, name, q=term)
    limit, got = max(1, len(whole) // 4), []
    page = api.items(name, q=term, limit=limit, skipGeometry="true")
    while True:
        demand(page["numberMatched"] == len(whole), f"numberMatched is {page['numberMatched']} of {len(whole)}")
        got += [f["id"] for f in page["features"]]
        follow = link(page["links"], "next")
        if not follow or len(got) > len(whole):
            break
        page = api.get(follow["href"]).json()
    same(got, whole, f"q={term} in pages of {limit}")
