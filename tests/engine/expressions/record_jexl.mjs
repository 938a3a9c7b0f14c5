// Records what npm jexl 2.3.0 makes of the expressions in cases.json, into jexl-2.3.0.json beside it.
// The Python tests read the recording only. To record anew:
//
//   npm install --prefix /some/folder jexl@2.3.0
//   node tests/engine/expressions/record_jexl.mjs /some/folder
//
// An outcome is {"value": ...}, {"error": "parse" | "run"}, or {"beyond": name} for what JSON has no word for;
// within a value, what JSON has no word for is {"$": name}.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const VERSION = "2.3.0";
const require = createRequire(join(resolve(process.argv[2] ?? "."), "package.json"));
const { Jexl } = require("jexl");
const installed = require("jexl/package.json").version;
if (installed !== VERSION) throw new Error(`this records jexl ${VERSION}, found ${installed}`);

const jexl = new Jexl();
const isList = Array.isArray;
jexl.addTransforms({
  upper: (text) => text.toUpperCase(),
  lower: (text) => text.toLowerCase(),
  trim: (text) => text.trim(),
  length: (value) => (typeof value === "string" || isList(value) ? value.length : Object.keys(value).length),
  split: (text, separator) => text.split(separator),
  join: (list, separator) => list.join(separator),
  replace: (text, search, replacement) => text.replaceAll(search, replacement),
  contains: (value, wanted) => value.includes(wanted),
  first: (list) => list[0],
  last: (list) => list[list.length - 1],
  keys: Object.keys,
  values: Object.values,
  entries: Object.entries,
  fromEntries: Object.fromEntries,
  merge: (object, other) => ({ ...object, ...other }),
  concat: (list, other) => list.concat(other),
  slice: (value, start, end) => value.slice(start, end),
  reverse: (list) => [...list].reverse(),
  flatten: (list, depth) => list.flat(depth),
  unique: (list) => [...new Set(list)],
  sum: (list) => list.reduce((total, item) => total + item, 0),
  map: (list, key) => list.map((item) => item[key]),
  sort: (list) => [...list].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
  min: (value, ...more) => (isList(value) ? Math.min(...value, ...more) : Math.min(value, ...more)),
  max: (value, ...more) => (isList(value) ? Math.max(...value, ...more) : Math.max(value, ...more)),
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  round: (number) => Math.round(number),
  number: Number,
  default: (value, fallback) => value ?? fallback,
  json: (value) => JSON.stringify(value),
  parseJson: (text) => JSON.parse(text),
  toIso: (milliseconds) => new Date(milliseconds).toISOString(),
  fromIso: (text) => Date.parse(text),
  base64: (text) => Buffer.from(text, "utf8").toString("base64"),
  fromBase64: (text) => Buffer.from(text, "base64").toString("utf8"),
  startsWith: (text, beginning) => text.startsWith(beginning),
  endsWith: (text, ending) => text.endsWith(ending),
});

function beyondJson(value) {
  if (value === undefined) return "undefined";
  if (typeof value === "function") return "function";
  if (typeof value !== "number") return null;
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? null : String(value);
}

function written(value) {
  const name = beyondJson(value);
  if (name !== null) return { $: name };
  if (isList(value)) return value.map(written);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, written(item)]));
}

function outcome(expression, names) {
  let compiled;
  try {
    compiled = jexl.createExpression(expression).compile();
  } catch {
    return { error: "parse" };
  }
  try {
    const value = compiled.evalSync(structuredClone(names));
    const name = beyondJson(value);
    return name === null ? { value: written(value) } : { beyond: name };
  } catch {
    return { error: "run" };
  }
}

const here = import.meta.dirname;
const { contexts, pairs, groups } = JSON.parse(readFileSync(join(here, "cases.json"), "utf8"));
const lines = [];
const record = (group, context, expression) =>
  lines.push(JSON.stringify({ group, context, expression, ...outcome(expression, contexts[context]) }));

for (const operator of pairs.operators) {
  for (const left of pairs.operands) {
    for (const right of pairs.operands) record("pairs", pairs.context, `${left} ${operator} ${right}`);
  }
}
for (const { name, context, expressions } of groups) {
  for (const expression of expressions) record(name, context, expression);
}
const text = `{\n"jexl": ${JSON.stringify(VERSION)},\n"cases": [\n${lines.join(",\n")}\n]\n}\n`;
writeFileSync(join(here, "jexl-2.3.0.json"), text);
console.log(`${lines.length} cases recorded`);
