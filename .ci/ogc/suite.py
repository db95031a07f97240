"""What both suites are made of: requests, demands, results."""

import http.client
import json
from urllib.parse import urlencode, urlsplit

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
CRS84H = "http://www.opengis.net/def/crs/OGC/0/CRS84h"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
GEOJSON = "application/geo+json"
JSON = "application/json"
TILESETS = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-"


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def demand(condition, message):
    if not condition:
        raise Failed(message)


class Answer:
    def __init__(self, url, response, body):
        self.url, self.status, self.headers, self.body, self.version = url, response.status, response.headers, body, response.version

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            raise Failed(f"{self.url} answers no JSON: {self.body[:80]!r}") from None


def get(url, accept=JSON, expect=200):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers={"Accept": accept})
        response = connection.getresponse()
        answer = Answer(url, response, response.read())
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"{url}: {error!r}") from None
    finally:
        connection.close()
    expected = expect if isinstance(expect, tuple) else (expect,)
    demand(answer.status in expected, f"{url} answers {answer.status}, expected {' or '.join(map(str, expected))}: {answer.body[:300]!r}")
    return answer


def with_query(url, **parameters):
    return url + ("&" if "?" in url else "?") + urlencode(parameters)


def links_of(document, where):
    links = document.get("links") if isinstance(document, dict) else None
    demand(isinstance(links, list) and links, f"{where} has no links")
    return links


def link(links, rel, media=None):
    return next((l for l in links if l.get("rel") == rel and (media is None or l.get("type") == media)), None)


class Suite:
    def __init__(self):
        self.results = []

    def test(self, name, body, *arguments):
        """Runs one test; gives what it returned, or None."""
        try:
            value = body(*arguments)
            self.results.append((name, "passed", ""))
            return value
        except Skipped as reason:
            self.results.append((name, "skipped", str(reason)))
        except Failed as reason:
            self.results.append((name, "failed", str(reason)))
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            self.results.append((name, "failed", f"the document is not of the shape expected: {error!r}"))
        return None
