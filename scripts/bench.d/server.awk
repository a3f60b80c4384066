# Turns server.tsv into a Markdown table or a JSON document (-v format=md|json).
BEGIN {
    FS = "\t"
    split("logins_per_s p50_ms p99_ms server_cpu_ms_per_login database_cpu_ms_per_login client_cpu_ms_per_login " \
        "lookups_per_s lookup_p50_ms lookup_p99_ms lookups_failed server_resident_kib server_peak_kib", rows, " ")
    words["logins_per_s"] = "whole logins a second, generator on the same cores"
    words["p50_ms"] = "a login, median (ms)"
    words["p99_ms"] = "a login, 99 of 100 (ms)"
    words["server_cpu_ms_per_login"] = "processor time of the server for a login (ms)"
    words["database_cpu_ms_per_login"] = "processor time of PostgreSQL for a login (ms)"
    words["client_cpu_ms_per_login"] = "processor time of the generator for a login (ms)"
    words["lookups_per_s"] = "look-ups a second, wrk on the same cores"
    words["lookup_p50_ms"] = "a look-up, median (ms)"
    words["lookup_p99_ms"] = "a look-up, 99 of 100 (ms)"
    words["lookups_failed"] = "look-ups that failed"
    words["server_resident_kib"] = "the server's memory at the end (KiB)"
    words["server_peak_kib"] = "the server's memory at most (KiB)"
}

$1 == "machine" { machine[$2] = $3; next }
{ if (!($1 in seen)) { seen[$1] = 1; storages[++storage_count] = $1 } taken[$1, $2] = $3 }

function markdown(    s, r, line) {
    printf "%s, %d cores, %s; %d accounts, %d at a time, %d s each.\n\n|", machine["date"], machine["cores"], machine["cpu"], \
        taken[storages[1], "accounts"], taken[storages[1], "concurrency"], machine["seconds"]
    line = "|---|"
    for (s = 1; s <= storage_count; s++) { printf " | %s", storages[s]; line = line "---|" }
    print " |\n" line
    for (r = 1; r in rows; r++) {
        printf "| %s |", words[rows[r]]
        for (s = 1; s <= storage_count; s++)
            printf " %s |", (storages[s], rows[r]) in taken ? taken[storages[s], rows[r]] : "–"
        print ""
    }
    printf "\nOn %d cores that did nothing else the server (and its database) would take %s logins a second.\n", \
        machine["cores"], alone()
}

# What the processor time of server and database allows for.
function alone(    s, each, text) {
    for (s = 1; s <= storage_count; s++) {
        each = taken[storages[s], "server_cpu_ms_per_login"] + taken[storages[s], "database_cpu_ms_per_login"]
        if (each > 0) text = text sprintf("%s%.0f (%s)", (text ? ", " : ""), machine["cores"] * 1000 / each, storages[s])
    }
    return text
}

function json(    s, r, name, first) {
    printf "{\n  \"machine\": {\"date\": \"%s\", \"cores\": %d, \"cpu\": \"%s\"},\n  \"seconds\": %d,\n  \"results\": {", \
        machine["date"], machine["cores"], machine["cpu"], machine["seconds"]
    for (s = 1; s <= storage_count; s++) {
        printf "%s\n    \"%s\": {\"accounts\": %d, \"concurrency\": %d, \"logins\": %d", (s > 1 ? "," : ""), storages[s], \
            taken[storages[s], "accounts"], taken[storages[s], "concurrency"], taken[storages[s], "logins"]
        for (r = 1; r in rows; r++)
            if ((storages[s], rows[r]) in taken) printf ", \"%s\": %s", rows[r], taken[storages[s], rows[r]]
        printf "}"
    }
    print "\n  }\n}"
}

END { if (format == "md") markdown(); else json() }
