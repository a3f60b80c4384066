// What was done, as somebody wants to see it: chosen from a list, and written into files. Nothing here draws.

/** Those of `deeds` that somebody asks for: `text` is in a path or in the author's name, folder and deed are equal; what is empty asks for nothing. */
export function filtered(deeds, { text = "", folder = "", deed = "" }) {
  const sought = text.trim().toLocaleLowerCase();
  const has = (field) => field?.toLocaleLowerCase().includes(sought);
  return deeds.filter(
    (one) =>
      (!folder || one.folder === folder) && (!deed || one.deed === deed) && (!sought || has(one.path) || has(one.from) || has(one.author)),
  );
}

const COLUMNS = ["at", "deed", "folder", "path", "from", "here", "author"];

/** A table of `deeds` (RFC 4180). A cell that a spreadsheet would calculate gets an apostrophe: others choose the names of files. */
export function toCsv(deeds) {
  const lines = deeds.map((deed) => COLUMNS.map((column) => cell(deed[column])).join(","));
  // The mark at the beginning tells spreadsheets that it is UTF-8.
  return `\ufeff${[COLUMNS.join(","), ...lines].join("\r\n")}\r\n`;
}

function cell(value) {
  const text = String(value ?? "");
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function toJson(deeds) {
  return `${JSON.stringify(deeds, null, 2)}\n`;
}
