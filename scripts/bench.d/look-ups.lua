-- For wrk: looks up one account after the other, spread over ACCOUNTS of them, and tells what came of it.
local number = 0

function request()
    number = (number + 7919) % ACCOUNTS
    return wrk.format("GET", string.format("/v1/users/load-%06d@example.com", number))
end

function done(summary, latency)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
    io.write(string.format("lookups_per_s\t%.1f\n", summary.requests / (summary.duration / 1e6)))
    io.write(string.format("lookup_p50_ms\t%.2f\n", latency:percentile(50) / 1e3))
    io.write(string.format("lookup_p99_ms\t%.2f\n", latency:percentile(99) / 1e3))
    io.write(string.format("lookups_failed\t%d\n", failed))
end
