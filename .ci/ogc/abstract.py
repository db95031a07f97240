"""The abstract tests of OGC's standards that OGC's own suites have not, one file a requirements class, in the folders below.

A file has the class it tests as `CLASS`, and `run(api)`, which calls `api.test(name, body, *arguments)`; the name is the one of the standard's
abstract test (or of the requirement, where a draft has no tests yet), and where it runs on: `/conf/filter/filter-param[parcels]`.
"""

import http.client
import importlib
import json
import os
import pathlib
from urllib.parse import quote, urlencode, urlsplit

from suite import GEOJSON, JSON, OPENAPI, Answer, Failed, Suite, demand

FOLDERS = ("part1", "part2", "part3", "cql2", "part5", "drafts", "part4", "part11")
# Those write, which needs an account that may.
WRITING = ("part4", "part11")


class Api(Suite):
    """The server under test, with what many tests ask for read once."""

    def __init__(self, root, _openapi=None):
        super().__init__()
        self.root = root.rstrip("/")
        self.host = urlsplit(self.root).netloc
        self.prefix = urlsplit(self.root).path
        self.connection = None
        self.documents = {}
        # Everything is read by nobody in particular; this is for what is written.
        self.token = os.environ.get("HROMADA_TOKEN")

    def run(self, only=""):
        here = pathlib.Path(__file__).parent
        declared = set(self.document("/conformance")["conformsTo"])
        for folder in FOLDERS:
            for file in sorted((here / folder).glob("*.py")):
                if only not in f"{folder}/{file.stem}":
                    continue
                module = importlib.import_module(f"{folder}.{file.stem}")
                self.scope = f"{folder}/{file.stem}"
                self.test("declared", demand, module.CLASS in declared, f"{module.CLASS} is not declared")
                if folder in WRITING and not self.token:
                    self.test("an account that may write", demand, False, "HROMADA_TOKEN is not set")
                    continue
                module.run(self)

    def test(self, name, body, *arguments):
        return super().test(f"{self.scope} {name}", body, *arguments)

    def ask(self, path, accept=None, method="GET", body=None, headers=None, **parameters):
        """The answer to a path (or a whole address), whatever its status, over one connection."""
        url = path if path.startswith("http") else self.root + path
        if parameters:
            url += ("&" if "?" in url else "?") + urlencode({k.replace("_", "-") if k in DASHED else k: v for k, v in parameters.items()})
        target = url[url.index("/", url.index("//") + 2):]
        sent = {**({"Accept": accept} if accept else {}), **(headers or {})}
        for again in (False, True):
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.host, timeout=120)
            try:
                self.connection.request(method, target, body=body, headers=sent)
                response = self.connection.getresponse()
                if response.headers.get("Content-Type", "").startswith("text/event-stream"):
                    # It never ends: what comes first is enough.
                    answer = Answer(url, response, response.readline())
                    self.connection.close()
                    self.connection = None
                    return answer
                return Answer(url, response, response.read())
            except (OSError, http.client.HTTPException) as error:
                # A kept connection may have been closed meanwhile.
                self.connection.close()
                self.connection = None
                if again:
                    raise Failed(f"{url}: {error!r}") from None

    def get(self, path, accept=GEOJSON, expect=200, **parameters):
        answer = self.ask(path, accept, **parameters)
        expected = expect if isinstance(expect, tuple) else (expect,)
        names = " or ".join(map(str, expected))
        demand(answer.status in expected, f"{answer.url[:400]} answers {answer.status}, expected {names}: {answer.body[:300]!r}")
        return answer

    def document(self, path, accept=JSON):
        """A document that no test changes, read once."""
        if (path, accept) not in self.documents:
            self.documents[path, accept] = self.get(path, accept).json()
        return self.documents[path, accept]

    @property
    def collections(self):
        return self.document("/collections")["collections"]

    @property
    def openapi(self):
        return self.document("/api", OPENAPI)

    def queryables(self, name):
        return self.document(f"/collections/{name}/queryables", "application/schema+json")

    def schema(self, name):
        return self.document(f"/collections/{name}/schema", "application/schema+json")

    def items(self, name, /, **parameters):
        """A page of a collection as GeoJSON."""
        return self.get(f"/collections/{name}/items", **parameters).json()

    def ids(self, name, /, limit=10_000, **parameters):
        """What a request selects, from all its pages."""
        page, found = self.items(name, limit=limit, **parameters), []
        while True:
            found += [f["id"] for f in page["features"]]
            url = next((l["href"] for l in page["links"] if l["rel"] == "next"), None)
            if not url:
                return found
            page = self.get(url).json()

    def every(self, name):
        """All features of a collection, read once, page by page."""
        key = (name, "every")
        if key not in self.documents:
            features, url = [], f"/collections/{name}/items?limit=10000"
            while url:
                page = self.get(url).json()
                features += page["features"]
                url = next((l["href"] for l in page["links"] if l["rel"] == "next"), None)
            self.documents[key] = features
        return self.documents[key]


# Names of parameters that have a dash, which no name in Python has.
DASHED = {"filter_lang", "filter_crs", "bbox_crs", "exclude_properties", "zoom_level"}


def item(name, identifier):
    return f"/collections/{name}/items/{quote(str(identifier), safe='')}"


def same(got, expected, what):
    """Two lists of identifiers hold the same, in whatever order."""
    missing, extra = set(expected) - set(got), set(got) - set(expected)
    short = lambda ids: sorted(map(str, ids))[:5]
    demand(not missing and not extra, f"{what}: {len(missing)} missing {short(missing)}, {len(extra)} too many {short(extra)}")
    demand(len(got) == len(set(got)), f"{what}: a feature comes twice")


def refuses(api, path, what, status=400, **parameters):
    """A clear no: the status, and a problem document that has a text."""
    answer = api.get(path, expect=status, **parameters)
    kind = answer.headers.get("Content-Type", "")
    demand(kind.startswith("application/problem+json"), f"{what}: {answer.url} answers {kind}")
    demand(answer.json().get("detail"), f"{what}: {answer.url} does not say what is wrong")
