// What the page says, in the reader's language: one file for each in text/.

import de from "/ui/text/de.js";
import en from "/ui/text/en.js";

const LANGUAGES = { en, de };
const KEPT_LANGUAGE = "ensafer-language";

let language = localStorage.getItem(KEPT_LANGUAGE);
if (!Object.hasOwn(LANGUAGES, language)) {
  language = navigator.languages.map((wanted) => wanted.split("-")[0]).find((wanted) => Object.hasOwn(LANGUAGES, wanted)) ?? "en";
}
document.documentElement.lang = language;

/** The languages, each with its own name. */
export function languages() {
  return Object.entries(LANGUAGES).map(([code, text]) => ({ code, name: text["language.name"] }));
}

export function currentLanguage() {
  return language;
}

export function chooseLanguage(code) {
  language = code;
  localStorage.setItem(KEPT_LANGUAGE, code);
  document.documentElement.lang = code;
}

/** The text of `key`, with `values` in its braces. A text in several forms is chosen by `values.count`. */
export function t(key, values = {}) {
  const entry = LANGUAGES[language][key];
  if (entry === undefined) throw new Error(`no text ${key}`);
  const text = typeof entry === "string" ? entry : entry[new Intl.PluralRules(language).select(values.count)];
  return text.replace(/\{(\w+)\}/g, (_, name) => shown(values[name]));
}

/** Whether there is a text of `key`. */
export function has(key) {
  return Object.hasOwn(LANGUAGES[language], key);
}

function shown(value) {
  return typeof value === "number" ? value.toLocaleString(language) : value;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A length, in powers of 1024. */
export function size(bytes) {
  const power = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  const digits = power === 0 ? 0 : 1;
  const number = (bytes / 1024 ** power).toLocaleString(language, { maximumFractionDigits: digits });
  return `${number} ${UNITS[power]}`;
}

/** The language as it is written where the reader is: days and months change places. */
function region() {
  return navigator.languages.find((wanted) => wanted.split("-")[0] === language) ?? language;
}

/** A moment, given in RFC 3339. */
export function time(text) {
  return new Intl.DateTimeFormat(region(), { dateStyle: "medium", timeStyle: "short" }).format(new Date(text));
}
