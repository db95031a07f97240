-- For wrk: asks for the lines of $PATHS in turn, "path<TAB>tag", and prints one line of JSON at the end.
local requests, n, at = {}, 0, 0
wrk.headers["Accept-Encoding"] = os.getenv("ACCEPT")

function init()
  for line in io.lines(os.getenv("PATHS")) do
    local path, tag = line:match("^(.-)\t(.*)$")
    n = n + 1
    wrk.headers["If-None-Match"] = tag ~= "" and tag or nil
    requests[n] = wrk.format("GET", path)
  end
end

function request()
  at = at % n + 1
  return requests[at]
end

function done(summary, latency)
  local e = summary.errors
  print(string.format('JSON{"rate":%f,"p50":%f,"p99":%f,"bytes":%f,"requests":%d,"errors":%d}',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.bytes / math.max(1, summary.requests), summary.requests, e.connect + e.read + e.write + e.status + e.timeout))
end
