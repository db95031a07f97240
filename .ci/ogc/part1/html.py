"""OGC API Features, part 1, class HTML (OGC 17-069r4 §8.2, annex A.3): each resource has a page, with all that the JSON tells."""

import re
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

from abstract import item
from documents import HTML, JSON, items_path, json_of, media, one, representatives
from suite import GEOJSON, demand

CLASS = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/html"
# Elements without an end.
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
# Elements whose end may be left out.
OPEN = {"li", "dt", "dd", "p", "tr", "td", "th", "tbody", "thead", "option", "colgroup", "html", "head", "body"}


class Page(HTMLParser):
    """The texts of the body, addresses of its links, and whether elements are nested rightly."""

    def __init__(self, answer):
        super().__init__(convert_charrefs=True)
        self.base, self.stack, self.links, self.words, self.faults, self.identifiers = answer.url, [], set(), [], [], []
        self.titles, self.declared = 0, False
        self.feed(answer.body.decode())
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_decl(self, decl):
        self.declared = decl.lower() == "doctype html"

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.titles += tag == "title" and "svg" not in self.stack
        if "id" in attrs:
            self.identifiers.append(attrs["id"])
        if tag == "a" and "href" in attrs and "body" in self.stack:
            self.links.add(plain(urljoin(self.base, attrs["href"])))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        if tag in VOID:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        while self.stack and self.stack[-1] != tag and self.stack[-1] in OPEN:
            self.stack.pop()
        if not self.stack or self.stack.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing, line {self.getpos()[0]}")

    def handle_data(self, data):
        if "body" in self.stack and not {"script", "style"} & set(self.stack):
            self.words.append(data)


def plain(address):
    """An address without the format JSON or HTML, which is had without asking, by a program or a browser, and with any cursor."""
    parts = urlsplit(address)
    pairs = [(k, "any" if k == "cursor" else v) for k, v in parse_qsl(parts.query)]
    return parts.path, tuple(sorted(pair for pair in pairs if pair not in (("f", "json"), ("f", "html"))))


def run(api):
    for path in ("/", "/conformance", "/collections"):
        document(api, path, json_of(api, path))
    for name in representatives(api):
        path = f"/collections/{name}"
        document(api, path, json_of(api, path))
        api.test(f"/conf/html/content[{path}, texts]", says, api, path, metadata_words(json_of(api, path)))
        api.test(f"/conf/html/content[{path}, crs]", says, api, path, json_of(api, path).get("crs", []))
    for name in representatives(api):
        path = f"{items_path(name)}?limit=5"
        page = api.items(name, limit=5)
        document(api, path, page)
        api.test(f"/conf/html/content[{path}, values]", says, api, path, [w for f in page["features"] for w in feature_words(api, name, f)])
        api.test(f"/conf/html/content[{path}, numberMatched]", says, api, path, [page["numberMatched"]])
        for f in page["features"][-1:]:
            one_of = item(name, f["id"])
            document(api, one_of, one(api, name, f["id"]))
            api.test(f"/conf/html/content[{one_of}, values]", says, api, one_of, feature_words(api, name, f))
    api.test("/conf/html/content[/, texts]", says, api, "/", [json_of(api, "/").get("title"), json_of(api, "/").get("description")])
    api.test("/conf/html/content[/conformance, classes]", says, api, "/conformance", json_of(api, "/conformance")["conformsTo"])
    listed = [w for c in api.collections for w in (c.get("title"), c.get("description")) if w]
    api.test("/conf/html/content[/collections, texts]", says, api, "/collections", listed)


def document(api, path, told):
    api.test(f"/conf/html/definition[{path}]", is_html, api, path)
    api.test(f"/conf/html/content[{path}, HTML 5]", of_html5, api, path)
    api.test(f"/conf/html/content[{path}, links]", has_links, api, path, told)


def page_of(api, path):
    key = (path, "page")
    if key not in api.documents:
        api.documents[key] = Page(api.get(path, HTML))
    return api.documents[key]


def is_html(api, path):
    """The page comes by Accept, by that of a browser, and by f=html."""
    for accept in (HTML, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"):
        demand(media(api.get(path, accept)) == HTML, f"{path} with Accept {accept} is {media(api.get(path, accept))}")
    demand(media(api.get(path, GEOJSON if "/items" in path else JSON, f="html")) == HTML, f"{path} with f=html is no page")


def of_html5(api, path):
    """A doctype, one title, UTF-8, elements nested rightly and identifiers of elements used once."""
    page = page_of(api, path)
    demand(page.declared, "there is no <!doctype html>")
    demand(page.titles == 1, f"there are {page.titles} titles")
    demand(not page.faults and not [t for t in page.stack if t not in OPEN], f"{page.faults or page.stack}")
    twice = {i for i in page.identifiers if page.identifiers.count(i) > 1}
    demand(not twice, f"identifiers of elements that stand twice: {sorted(twice)}")


def has_links(api, path, told):
    """All links of the JSON are elements <a> in the body; self is the page itself, and the JSON its alternate."""
    wanted = {plain(l["href"]): l for l in told["links"]}
    shown = page_of(api, path).links | {plain(urljoin(api.root, path))}
    missing = [f"{l['rel'].rpartition('/')[2]} {l['href'].removeprefix(api.root)}" for a, l in wanted.items() if a not in shown]
    demand(not missing, f"{len(missing)} of {len(wanted)} links are not in the page: {missing}")


def says(api, path, words):
    """The page tells all of these texts, and of those that stand together one."""
    text = page_of(api, path).text
    tight = "".join(c for c in text if c not in " \u00a0\u202f,.")
    told = lambda w: " ".join(str(w).split()) in text or (number_in(w, tight) if isinstance(w, (int, float)) else date_in(w, text))
    missing = [w for w in words if w and not (any(map(told, w)) if isinstance(w, tuple) else told(w))]
    demand(not missing, f"the page does not tell {missing[:10]}")


def number_in(number, tight):
    """Numbers may be grouped and rounded for the eye, to no fewer than three digits."""
    digits = f"{abs(number):.12g}".replace(".", "")
    return digits in tight or len(digits) > 5 and digits[:4] in tight


def date_in(text_of, text):
    """Dates may be written with the name of the month."""
    match = re.match(r"(\d{4})-(\d\d)-(\d\d)", text_of)
    return bool(match) and re.search(rf"\b0?{int(match[3])}\b\D{{1,20}}\b{match[1]}\b", text) is not None


def metadata_words(c):
    box = c["extent"]["spatial"]["bbox"][0] if (c.get("extent") or {}).get("spatial") else []
    return [c.get("title"), c.get("description"), c.get("attribution"), *(n for n in box)]


def feature_words(api, name, feature):
    """Values; of codes that have a title this may stand instead."""
    known = {k: {c.get("const"): c.get("title") for c in p.get("oneOf", [])} for k, p in api.schema(name)["properties"].items()}
    shown = {k: v for k, v in feature["properties"].items() if isinstance(v, (str, int, float)) and not isinstance(v, bool) and len(str(v)) < 60}
    # Milliseconds since 1970 may be shown as a date.
    shown = {k: v for k, v in shown.items() if isinstance(v, str) or abs(v) < 1e11}
    return [(v, known[k][v]) if known.get(k, {}).get(v) else v for k, v in shown.items()]
