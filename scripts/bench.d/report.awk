# Turns machine.tsv and measurements.tsv into a Markdown table, a JSON document or an SVG chart (-v format=md|json|svg).
# A ratio is to `cp` of the same round (to `find` where nothing is copied); of the rounds the median is shown.
BEGIN {
    FS = "\t"
    split("tree-up tree-down big-up big-down unchanged", rows, " ")
    split("cp find ensafer gocryptfs rclone restic age openssl unison", tools, " ")
    split("tmpfs disk", places, " ")
    words["tree-up"] = "first encryption of the tree"
    words["tree-down"] = "a second device decrypts it all"
    words["big-up"] = "one big file, encryption"
    words["big-down"] = "one big file, decryption"
    words["unchanged"] = "nothing has changed"
}

FNR == NR { machine[$1] = $2; fields[++field_count] = $1; next }
{ taken[$1, $2, $3, $4] = $5 / 1e9; if ($4 > last_round) last_round = $4 }

# The median of values[1..n]; an even number of them: the lower of the two in the middle.
function median(values, n,    i, j, swap) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && values[j - 1] > values[j]; j--) {
            swap = values[j]; values[j] = values[j - 1]; values[j - 1] = swap
        }
    return values[int((n + 1) / 2)]
}

# Sets `seconds` and `ratio`; how many rounds there were.
function look(place, row, tool,    base, round, n, all_seconds, all_ratios) {
    base = row == "unchanged" ? "find" : "cp"
    n = 0
    for (round = 1; round <= last_round; round++) {
        if (!((place, row, tool, round) in taken)) continue
        n++
        all_seconds[n] = taken[place, row, tool, round]
        all_ratios[n] = (place, row, base, round) in taken ? all_seconds[n] / taken[place, row, base, round] : 0
    }
    if (n) { seconds = median(all_seconds, n); ratio = median(all_ratios, n) }
    return n
}

function quoted(text) {
    gsub(/\\/, "\\\\", text)
    gsub(/"/, "\\\"", text)
    return "\"" text "\""
}

function markdown(    p, r, t, line) {
    printf "%s, %d cores, %s; %d files of %.0f MB, one file of %.0f MiB; median of %d rounds (disk: one round, written out).\n", \
        machine["date"], machine["cores"], machine["cpu"], machine["tree_files"], machine["tree_bytes"] / 1e6, \
        machine["big_bytes"] / 1048576, machine["rounds"]
    for (p = 1; p <= 2; p++) {
        if (!look(places[p], "unchanged", "find")) continue
        printf "\n| %s |", places[p] == "tmpfs" ? "in memory (tmpfs)" : "on disk"
        line = "|---|"
        for (t = 1; t in tools; t++) if (occurs(places[p], tools[t])) { printf " %s |", tools[t]; line = line "---|" }
        print "\n" line
        for (r = 1; r in rows; r++) {
            printf "| %s |", words[rows[r]]
            for (t = 1; t in tools; t++) {
                if (!occurs(places[p], tools[t])) continue
                if (look(places[p], rows[r], tools[t])) printf " %.2f s (%.2f ×) |", seconds, ratio
                else printf " – |"
            }
            print ""
        }
    }
    print "\n× is to `cp` of the same round; where nothing has changed, to `find` with the times of every file."
}

function occurs(place, tool,    r) {
    for (r = 1; r in rows; r++) if ((place, rows[r], tool, 1) in taken) return 1
    return 0
}

function json(    p, r, t, f, n, comma) {
    printf "{\n  \"machine\": {"
    for (f = 1; f <= field_count; f++) {
        printf "%s\n    %s: ", (f > 1 ? "," : ""), quoted(fields[f])
        printf "%s", (machine[fields[f]] ~ /^[0-9]+$/ ? machine[fields[f]] : quoted(machine[fields[f]]))
    }
    printf "\n  },\n  \"results\": ["
    for (p = 1; p <= 2; p++) for (r = 1; r in rows; r++) for (t = 1; t in tools; t++) {
        n = look(places[p], rows[r], tools[t])
        if (!n) continue
        printf "%s\n    {\"place\": %s, \"what\": %s, \"tool\": %s, \"seconds\": %.4f, \"ratio\": %.3f, \"rounds\": %d}", \
            comma, quoted(places[p]), quoted(rows[r]), quoted(tools[t]), seconds, ratio, n
        comma = ","
    }
    print "\n  ]\n}"
}

# Bars of ratios, shorter is better; what does not fit is cut off and says its number.
function svg(    r, t, y, width, most, body, colour) {
    most = 16
    y = 24
    for (r = 1; r <= 4; r++) {
        body = body sprintf("<text x=\"8\" y=\"%d\" font-weight=\"bold\">%s</text>\n", y, words[rows[r]])
        y += 8
        for (t = 1; t in tools; t++) {
            if (tools[t] == "find" || !look("tmpfs", rows[r], tools[t])) continue
            width = (ratio > most ? most : ratio) * 28
            colour = tools[t] == "ensafer" ? "#0a7d5a" : tools[t] == "cp" ? "#888888" : "#5b7fa6"
            body = body sprintf("<rect x=\"100\" y=\"%d\" width=\"%.1f\" height=\"13\" fill=\"%s\"/>", y, width, colour)
            body = body sprintf("<text x=\"94\" y=\"%d\" text-anchor=\"end\">%s</text>", y + 11, tools[t])
            body = body sprintf("<text x=\"%.1f\" y=\"%d\">%.1f ×</text>\n", 106 + width, y + 11, ratio)
            y += 17
        }
        y += 22
    }
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 %d\" font-family=\"sans-serif\" font-size=\"12\">\n", y + 8
    printf "<rect width=\"640\" height=\"%d\" fill=\"#ffffff\"/>\n%s", y + 8, body
    printf "<text x=\"8\" y=\"%d\">Time as a multiple of cp on tmpfs; shorter is better. %s</text>\n</svg>\n", y, machine["date"]
}

END {
    if (format == "md") markdown()
    else if (format == "json") json()
    else svg()
}
