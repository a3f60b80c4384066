// The languages say the same things, and nothing that nobody asks for.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

import de from "../../daemon/ui/text/de.js";
import en from "../../daemon/ui/text/en.js";

const ui = new URL("../../daemon/ui/", import.meta.url);

async function sources() {
  const names = [...(await readdir(ui)), ...(await readdir(new URL("screens/", ui))).map((name) => `screens/${name}`)];
  const scripts = names.filter((name) => name.endsWith(".js"));
  return (await Promise.all(scripts.map((name) => readFile(new URL(name, ui), "utf8")))).join("\n");
}

const forms = (entry) => (typeof entry === "string" ? [entry] : Object.values(entry));
const values = (entry) => new Set(forms(entry).flatMap((text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)));

test("every language has every text, with the same values in it", () => {
  assert.deepEqual(Object.keys(de), Object.keys(en));
  for (const [key, text] of Object.entries(en)) {
    assert.deepEqual(values(de[key]), values(text), key);
    assert.equal(typeof de[key], typeof text, key);
    for (const language of [en, de]) {
      assert.ok(forms(language[key]).every((form) => form.length > 0), key);
      // Both have two forms (Unicode CLDR, plural rules).
      if (typeof text !== "string") assert.deepEqual(Object.keys(language[key]), ["one", "other"], key);
    }
  }
});

test("every text is used, and every used text is there", async () => {
  const source = await sources();
  const literal = new Set([...source.matchAll(/"([a-z-]+\.[a-z-]+)"/g)].map(([, key]) => key));
  const prefixes = [...source.matchAll(/`([a-z-]+\.[a-z-]*)\$\{/g)].map(([, prefix]) => prefix);
  const unused = Object.keys(en).filter((key) => !literal.has(key) && !prefixes.some((prefix) => key.startsWith(prefix)));
  assert.deepEqual(unused, []);
  const called = [...source.matchAll(/\bt\(\s*"([^"]+)"/g)].map(([, key]) => key);
  assert.ok(called.length > 100);
  assert.deepEqual(called.filter((key) => !Object.hasOwn(en, key)), []);
});
