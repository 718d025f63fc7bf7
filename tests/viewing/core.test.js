// The pure part of the viewer against what the Python side computed (CASES) and against brute force.
"use strict";
const test = require("node:test");
const assert = require("node:assert/strict");
const fs = require("node:fs");
const zlib = require("node:zlib");
const path = require("node:path");
const core = require(path.join(__dirname, "../../ldctlib/viewing/viewer.js"));

const cases = JSON.parse(fs.readFileSync(process.env.CASES, "utf8"));
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));

test("every window gives the grey values and bounds of units, at each of 65536 HU", () => {
  assert.ok(cases.windows.length > 5);
  for (const { level, width, bounds, grey } of cases.windows) {
    assert.deepEqual(core.windowBounds(level, width), bounds);
    assert.deepEqual(Buffer.from(core.greyTable(level, width)), Buffer.from(bytes(grey)), `${level}/${width}`);
  }
});

test("the bounds of a window lead back to the window", () => {
  for (const { level, width } of cases.windows) {
    assert.deepEqual(core.windowOfBounds(...core.windowBounds(level, width)), { level, width });
  }
});

test("differences have the same colours as in Python, and are symmetric", () => {
  for (const { limit, entry } of cases.differences) {
    assert.deepEqual(Buffer.from(core.differenceTable(limit)), Buffer.from(bytes(entry)), `${limit}`);
  }
  const entry = core.differenceTable(100);
  assert.equal(entry[32768 - 100], 0);
  assert.equal(entry[32768 + 100], 255);
});

test("what Python packed unpacks, extremes and all", () => {
  for (const { text, planes, values } of cases.packed) {
    assert.deepEqual([...core.unpack(zlib.inflateSync(bytes(text)), planes, values.length / planes)], values);
  }
});

test("statistics of a rectangle are numpy's", () => {
  const { plane, width, roi, n, mean, sd } = cases.statistics;
  const got = core.statistics(Int16Array.from(plane), width, roi);
  assert.equal(got.n, n);
  assert.ok(Math.abs(got.mean - mean) < 1e-9);
  assert.ok(Math.abs(got.sd - sd) < 1e-9);
});

test("layout and means of 2 x 2 pixels are those of the preview", () => {
  for (const { panes, height, width, zoom, layout } of cases.layouts) {
    assert.deepEqual(core.layout(736, panes, width, height, zoom, 1), layout, JSON.stringify({ panes, height, width, zoom }));
  }
  const { plane, width, height, half } = cases.halved;
  assert.deepEqual([...core.halve(Int16Array.from(plane), width, height)], half);
});

test("an image pixel is a whole number of device pixels, and panes fit", () => {
  for (const ratio of [1, 1.25, 1.5, 2, 2.625, 3]) for (const zoom of [0.5, 1, 2, 3, 4]) for (const room of [320, 500, 736, 1100]) {
    const { reduce, scale, columns, across, down } = core.layout(room, 3, 512, 400, zoom, ratio);
    assert.ok(Number.isInteger(scale) && Number.isInteger(across) && Number.isInteger(down));
    assert.ok(columns * across * scale + (columns - 1) * 2 * ratio <= room * ratio + 2);
    assert.ok(across <= 512 / reduce && down <= 400 / reduce);
    assert.ok(Math.abs(down / across - 400 / 512) < 1 / across + 0.01);
  }
});

test("differences stay inside int16", () => {
  assert.deepEqual([...core.subtract(Int16Array.of(32767, -32768, 5), Int16Array.of(-1, 1, 7))], [32767, -32768, -2]);
});

test("the outline of a mask is exactly the set of edges between inside and outside", () => {
  // A ring with a hole, a bridge of one pixel, and two runs in one row.
  const rows = ["..####..", "..#..#..", "..####.#", "....#...", "#..###.."];
  const runs = [];
  rows.forEach((row, y) => { for (const m of row.matchAll(/#+/g)) runs.push([y, m.index, m[0].length]); });
  const inside = (y, x) => (rows[y] || "")[x] === "#";
  const expected = new Set();
  for (let y = 0; y <= rows.length; y++) for (let x = 0; x <= 8; x++) {
    if (inside(y, x) !== inside(y, x - 1)) expected.add(`v${x},${y}`);
    if (inside(y, x) !== inside(y - 1, x)) expected.add(`h${x},${y}`);
  }
  const drawn = new Set();
  const { edge, area } = core.maskPaths(runs);
  for (const [, x, y, , to] of edge.matchAll(/M(\d+) (\d+)(v1|H(\d+))/g)) {
    if (to === undefined) drawn.add(`v${x},${y}`);
    else for (let i = +x; i < +to; i++) drawn.add(`h${i},${y}`);
  }
  assert.deepEqual([...drawn].sort(), [...expected].sort());
  assert.equal(area.match(/M/g).length, runs.length);
});
