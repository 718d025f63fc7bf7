/* The CT viewer of one figure: first the pure part, which node tests, then the part that needs a page.
   Every value is a whole number of HU (int16); what is shown and what is measured come from these. */
"use strict";

// Where a window turns black and white, by the DICOM linear rule (PS3.3 C.11.2.1.2.1), and back.
const windowBounds = (level, width) => [level - 0.5 - (width - 1) / 2, level - 0.5 + (width - 1) / 2];
const windowOfBounds = (lower, upper) => ({ level: lower + (upper - lower + 1) / 2, width: upper - lower + 1 });

/** Grey value of each of the 65 536 possible int16 values; entry HU + 32768. */
const greyTable = (level, width) => new Uint8ClampedArray(65536).map(
  (_, i) => ((i - 32768 - (level - 0.5)) / Math.max(width - 1, 1e-6) + 0.5) * 255);

/** Entry of the 256 difference colours for each int16 value; the last colours stand at ±limit HU. */
const differenceTable = (limit) => new Uint8ClampedArray(65536).map((_, i) => ((i - 32768) / limit + 1) * 127.5);

/** Undo the packing of planes of `size` values: low and high bytes of differences from the value before,
    whose sign is the lowest bit. */
function unpack(bytes, planes, size) {
  const values = new Int16Array(planes * size);
  for (let p = 0; p < planes; p++) {
    for (let i = 0, low = 2 * p * size, sum = 0; i < size; i++) {
      const code = bytes[low + i] | (bytes[low + size + i] << 8);
      values[p * size + i] = sum += (code >>> 1) ^ -(code & 1);
    }
  }
  return values;
}

/** Number of pixels, mean and standard deviation in rows top to bottom - 1, columns left to right - 1. */
function statistics(plane, width, [top, left, bottom, right]) {
  const n = (bottom - top) * (right - left);
  let sum = 0, squares = 0;
  for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += plane[y * width + x];
  for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) squares += (plane[y * width + x] - sum / n) ** 2;
  return { n, mean: sum / n, sd: Math.sqrt(squares / n) };
}

/** a - b, kept inside int16. */
const subtract = (a, b) => a.map((v, i) => Math.max(-32768, Math.min(32767, v - b[i])));

/** Means of 2 x 2 pixels, rounded to whole HU. */
function halve(plane, width, height) {
  const w = width >> 1, corner = (i) => 2 * width * Math.floor(i / w) + 2 * (i % w);
  const mean = (k) => Math.floor((plane[k] + plane[k + 1] + plane[k + width] + plane[k + width + 1]) / 4 + 0.5);
  return new Int16Array(w * (height >> 1)).map((_, i) => mean(corner(i)));
}

/** Size of the panes: an image pixel is `scale` device pixels, after means of `reduce` x `reduce`;
    `across` x `down` such pixels are visible. `available` is in CSS pixels, `ratio` device per CSS pixel. */
function layout(available, panes, width, height, zoom, ratio) {
  const reduce = zoom * ratio < 0.75 ? 2 : 1, scale = Math.max(1, Math.floor(zoom * ratio + 0.5));
  const w = Math.floor(width / reduce), h = Math.floor(height / reduce);
  const room = Math.floor(available * ratio), gap = Math.floor(2 * ratio + 0.5), least = Math.min(w * scale, 200 * ratio);
  const most = Math.max(1, Math.min(panes, Math.floor((room + gap) / (least + gap))));
  const columns = Math.ceil(panes / Math.ceil(panes / most));
  const across = Math.max(1, Math.min(w, Math.floor((room - gap * (columns - 1)) / columns / scale)));
  return { reduce, scale, columns, across, down: Math.max(1, Math.floor((h * across) / w + 0.5)) };
}

/** SVG paths round and over a mask given as runs [row, column, length]. Between two rows the edge runs
    wherever exactly one of them is covered: pair up the sorted ends of the runs of both. */
function maskPaths(runs) {
  const ends = new Map();
  let edge = "", area = "";
  for (const [row, column, length] of runs) {
    edge += `M${column} ${row}v1M${column + length} ${row}v1`;
    area += `M${column} ${row}h${length}v1h${-length}z`;
    for (const r of [row, row + 1]) ends.set(r, [...(ends.get(r) || []), column, column + length]);
  }
  for (const [row, xs] of ends) {
    xs.sort((a, b) => a - b);
    for (let i = 0; i < xs.length; i += 2) if (xs[i] < xs[i + 1]) edge += `M${xs[i]} ${row}H${xs[i + 1]}`;
  }
  return { edge, area };
}

const clamp = (v, lowest, highest) => Math.max(lowest, Math.min(highest, v));
const hu = (v, digits) => (digits ? v.toFixed(digits) : String(v)).replace("-", "−");
const pure = { windowBounds, windowOfBounds, greyTable, differenceTable, unpack, statistics, subtract, halve, layout, maskPaths };
if (typeof module !== "undefined") module.exports = pure;

// ------------------------------------------------------------------------------ the part with a page

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
async function inflate(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
/** Write a text where it changed, so that a screen reader hears it once. */
const say = (element, text) => { if (element.textContent !== text) element.textContent = text; };

class CtViewer {
  constructor(figure, data, values, runs) {
    Object.assign(this, { data, values, runs, outlines: new Map(), host: document.createElement("div") });
    this.root = this.host.attachShadow({ mode: "open" });
    this.root.innerHTML = data.template;
    this.ui = Object.fromEntries([...this.root.querySelectorAll("[data-is]")].map((e) => [e.dataset.is, e]));
    this.stage = this.root.querySelector(".stage");
    this.colours = bytesOf(data.colours);
    this.host.style.setProperty("--difference", data.gradient);
    const [top, left, bottom, right] = data.view.roi || [0, 0, data.height, data.width];
    this.initial = { ...data.view, row: (top + bottom) / 2, column: (left + right) / 2, swapped: false };
    this.view = { ...this.initial };
    this.panes = data.names.map((name, index) => this.addPane(name, index));
    if (data.pair) this.panes.push(this.addPane(data.pair.map((i) => data.names[i]).join(" − "), -1));
    this.connectControls();
    figure.querySelector("img").replaceWith(this.host);
    const refit = () => { this.fit(); this.draw(); };
    new ResizeObserver(refit).observe(this.host);
    addEventListener("resize", refit);
    this.fit();
    this.centreRange();
    this.draw();
  }

  addPane(name, index) {
    const pane = this.ui.pane.content.firstElementChild.cloneNode(true);
    const p = { pane, name, index, difference: index < 0, buffer: document.createElement("canvas") };
    for (const part of ["canvas", "title", "note", "svg", "masks", "roi", "cross", "stats"]) p[part] = pane.querySelector(`.${part}`);
    pane.onkeydown = (e) => this.key(e);
    pane.setAttribute("aria-label", name);
    p.canvas.setAttribute("aria-label", `${name}. ${this.data.alt}`);
    this.connectPointer(p);
    this.stage.append(pane);
    return p;
  }

  // ---- pixels
  raw(index) {
    const { depth, height, width } = this.data, first = (index * depth + this.view.slice) * height * width;
    return this.values.subarray(first, first + height * width);
  }

  /** The HU that a pane shows, on the full grid. */
  plane(p) {
    const { slice } = this.view;
    if (!p.difference) return this.raw(this.source(p));
    if (p.slice !== slice) Object.assign(p, { slice, values: subtract(...this.data.pair.map((i) => this.raw(i))) });
    return p.values;
  }

  /** Which image a pane shows: its own, or while blinking the other of the pair. */
  source(p) {
    return this.view.swapped && p.index === this.blink[1] ? this.blink[0] : p.index;
  }

  /** Left and top of the visible part, in shown pixels. */
  corner() {
    const { reduce, across, down } = this.box, { width, height } = this.data;
    const first = (centre, shown, all) => clamp(Math.floor(centre / reduce - shown / 2 + 0.5), 0, Math.floor(all / reduce) - shown);
    return [first(this.view.column, across, width), first(this.view.row, down, height)];
  }

  /** Opaque colour, as one 32-bit number, of each int16 value. */
  palette(difference) {
    const entry = difference ? differenceTable(this.view.limit) : greyTable(this.view.level, this.view.width);
    const colour = Uint32Array.from({ length: 256 }, (_, i) => {
      const [r, g, b] = difference ? this.colours.subarray(3 * i, 3 * i + 3) : [i, i, i];
      return 0xff000000 | (b << 16) | (g << 8) | r;
    });
    return new Uint32Array(65536).map((_, i) => colour[entry[i]]);
  }

  /** Size the panes for the room and the pixel ratio of the screen. */
  fit() {
    const ratio = devicePixelRatio || 1, { width, height } = this.data;
    this.box = layout(this.host.clientWidth || 736, this.panes.length, width, height, this.view.zoom, ratio);
    const { reduce, scale, columns, across, down } = this.box;
    this.stage.style.setProperty("--columns", columns);
    for (const p of this.panes) {
      Object.assign(p.canvas, { width: across * scale, height: down * scale });
      Object.assign(p.buffer, { width: Math.floor(width / reduce), height: Math.floor(height / reduce) });
      Object.assign(p, { front: p.canvas.getContext("2d"), back: p.buffer.getContext("2d") });
      p.image = p.back.createImageData(p.buffer.width, p.buffer.height);
      p.canvas.style.height = `${p.canvas.height / ratio}px`;
      p.pane.style.width = p.canvas.style.width = `${p.canvas.width / ratio}px`;
    }
  }

  draw() {
    this.waiting = false;
    const { reduce, across, down } = this.box, { width, height, names, pair } = this.data, { roi, limit } = this.view, [x, y] = this.corner();
    const palettes = [this.palette(false), pair && this.palette(true)];
    for (const p of this.panes) {
      const plane = this.plane(p), shown = reduce === 2 ? halve(plane, width, height) : plane;
      const pixels = new Uint32Array(p.image.data.buffer), palette = palettes[+p.difference];
      for (let i = 0; i < pixels.length; i++) pixels[i] = palette[shown[i] + 32768];
      p.back.putImageData(p.image, 0, 0);
      p.front.imageSmoothingEnabled = false;
      p.front.drawImage(p.buffer, x, y, across, down, 0, 0, p.canvas.width, p.canvas.height);
      p.svg.setAttribute("viewBox", [x, y, across, down].map((v) => v * reduce).join(" "));
      p.pane.classList.toggle("swapped", this.source(p) !== p.index);
      say(p.title, p.difference ? p.name : names[this.source(p)]);
      say(p.note, p.difference ? `± ${limit} HU` : "");
      p.roi.setAttribute("d", roi ? `M${roi[1]} ${roi[0]}H${roi[3]}V${roi[2]}H${roi[1]}z` : "");
      const { n, mean, sd } = roi ? statistics(plane, width, roi) : {};
      say(p.stats, roi ? `mean ${hu(mean, 1)} HU, SD ${hu(sd, 1)} HU, n ${n}` : "");
    }
    this.drawMasks();
    this.echo();
  }

  /** Masks on show in this slice: their runs, and paths round and over them. */
  masksHere() {
    const { runs, outlines, view: { slice, masks } } = this;
    if (!runs || masks === "hidden") return [];
    if (!outlines.has(slice)) {
      const n = this.data.masks.count, of = new Map();
      for (let i = 0; i < n; i++) {
        if (runs[n + i] === slice) of.set(runs[i], [...(of.get(runs[i]) || []), [2, 3, 4].map((k) => runs[k * n + i])]);
      }
      outlines.set(slice, [...of].map(([mask, list]) => ({ mask, list, ...maskPaths(list) })));
    }
    return outlines.get(slice);
  }

  drawMasks() {
    const { slice, masks } = this.view, state = `${slice} ${masks}`;
    if (!this.runs || this.drawnMasks === state) return;
    this.drawnMasks = state;
    const here = this.masksHere(), { colours, labels } = this.data.masks, colour = (m) => colours[m.mask % colours.length];
    const paths = here.map((m) => `<path class="edge" d="${m.edge}" stroke="${colour(m)}"/>` +
      (masks === "filled" ? `<path class="area" d="${m.area}" fill="${colour(m)}"/>` : "")).join("");
    for (const p of this.panes) p.masks.innerHTML = paths;
    this.ui.legend.replaceChildren(...here.slice(0, 12).map((m) => {
      const item = Object.assign(document.createElement("li"), { textContent: labels[m.mask] });
      item.style.setProperty("--colour", colour(m));
      return item;
    }), here.length > 12 ? `and ${here.length - 12} more` : "");
  }

  // ---- controls
  /** Change the view and draw it with the next frame. */
  set(changes) {
    const view = Object.assign(this.view, changes), { depth, height, width } = this.data;
    const ends = { level: [-32768, 32767], width: [1, 65536], limit: [1, 65536], slice: [0, depth - 1], row: [0, height], column: [0, width] };
    for (const name in ends) view[name] = clamp(view[name], ...ends[name]);
    if ("zoom" in changes) this.fit();
    if (!this.waiting) requestAnimationFrame(() => { if (this.waiting) this.draw(); });
    this.waiting = true;
  }

  connectControls() {
    const { ui, data } = this;
    const settle = (changes) => { this.set(changes); this.centreRange(); };
    ui.preset.prepend(...Object.entries(data.windows).map(([name, values]) => new Option(name, values)));
    ui.preset.onchange = () => { const [level, width] = ui.preset.value.split(",").map(Number); settle({ level, width }); };
    for (const name of ["level", "width", "limit"]) {
      ui[name].onchange = () => {
        settle({ [name]: ui[name].value === "" ? this.view[name] : Number(ui[name].value) });
        ui[name].value = this.view[name];
      };
    }
    ui.lower.oninput = () => this.set(windowOfBounds(Math.min(+ui.lower.value, +ui.upper.value), +ui.upper.value));
    ui.upper.oninput = () => this.set(windowOfBounds(+ui.lower.value, Math.max(+ui.lower.value, +ui.upper.value)));
    Object.assign(ui.slice, { max: data.depth - 1, oninput: () => this.set({ slice: +ui.slice.value }) });
    ui.zoom.onchange = () => this.set({ zoom: +ui.zoom.value });
    ui.masks.onchange = () => this.set({ masks: ui.masks.value });
    ui.reset.onclick = () => { this.timer = clearInterval(this.timer); settle(this.initial); };
    ui.tools.onchange = (e) => { this.stage.dataset.tool = e.target.value; };
    [ui.slices.hidden, ui.limits.hidden, ui.overlays.hidden] = [data.depth === 1, !data.pair, !this.runs];
    this.connectBlinking();
  }

  /** Blinking shows the later of two panes in the place of the earlier; by hand where the reader wants no motion. */
  connectBlinking() {
    const { ui, data: { names, pair } } = this, calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const stop = () => { this.timer = clearInterval(this.timer); this.set({ swapped: false }); };
    names.forEach((a, i) => names.slice(0, i).forEach((b, j) => ui.pair.append(new Option(`${b} ↔ ${a}`, `${i},${j}`))));
    if (pair) ui.pair.value = [Math.max(...pair), Math.min(...pair)].join();
    [ui.blinking.hidden, ui.pair.hidden, ui.blink.textContent] = [names.length < 2, names.length < 3, calm ? "Swap" : "Blink"];
    (ui.pair.onchange = () => { stop(); this.blink = ui.pair.value.split(",").map(Number); })();
    ui.blink.onclick = () => {
      if (this.timer) return stop();
      this.set({ swapped: !this.view.swapped });
      if (!calm) this.timer = setInterval(() => this.set({ swapped: !this.view.swapped }), 700);
    };
  }

  /** Let the two-thumb range cover the window and up to as much again on both sides where there are data. */
  centreRange() {
    const { ui, view: { level, width }, data: { lowest, highest } } = this, [black, white] = windowBounds(level, width);
    const lower = Math.floor(Math.min(black - width / 10, Math.max(lowest, black - width)));
    const upper = Math.ceil(Math.max(white + width / 10, Math.min(highest, white + width)));
    const bins = new Float64Array(96);
    this.range = [lower, upper];
    for (const thumb of [ui.lower, ui.upper]) Object.assign(thumb, { min: lower, max: upper });
    Object.assign(ui.range.dataset, { lower: hu(lower), upper: hu(upper) });
    for (const v of this.raw(0)) if (v >= lower && v < upper) bins[Math.floor((96 * (v - lower)) / (upper - lower))]++;
    const most = Math.log1p(Math.max(1, ...bins)), steps = [...bins].map((n, i) => `V${(1 - Math.log1p(n) / most).toFixed(3)}H${i + 1}`);
    ui.histogram.setAttribute("d", `M0 1${steps.join("")}V1z`);
    this.echo();
  }

  /** Let every control and the line of text say what is shown. */
  echo() {
    const { ui, view, data, box, range: [lower, upper] } = this, [black, white] = windowBounds(view.level, view.width);
    if (black < lower || white > upper) return this.centreRange();
    const [start, stop] = [black, white].map((v) => (100 * (v - lower)) / (upper - lower));
    [ui.lower.value, ui.upper.value] = [black, white];
    ui.lower.style.zIndex = start > 50 ? 1 : 0;
    ui.ramp.style.background = `linear-gradient(90deg, #000 ${start}%, #fff ${stop}%)`;
    for (const name of ["level", "width", "limit", "slice", "zoom", "masks"]) {
      if (this.root.activeElement !== ui[name] || ui[name].type !== "number") ui[name].value = view[name];
    }
    ui.preset.value = [view.level, view.width].join();
    if (ui.preset.selectedIndex < 0) ui.preset.value = "other";
    ui.blink.setAttribute("aria-pressed", String(Boolean(this.timer || view.swapped)));
    say(ui.number, String(data.numbers[view.slice]));
    ui.slice.setAttribute("aria-valuetext", ui.number.textContent);
    const seen = box.across * box.reduce, part = seen < data.width - 1 ? `, ${seen} of ${data.width} columns` : "";
    const zoom = (view.zoom === 0.5 ? "½" : view.zoom) + (box.reduce === 2 ? " (means of 2 × 2 pixels: noise looks weaker)" : "");
    const slice = data.numbered ? `, slice ${ui.number.textContent}` : "";
    say(ui.state, `level ${hu(view.level)} HU, width ${hu(view.width)} HU${slice}, zoom ${zoom}${part}`);
  }

  // ---- pointer and keys on a pane
  connectPointer(p) {
    let move = null;
    p.canvas.onpointerdown = (e) => { if (e.button === 0) { p.canvas.setPointerCapture(e.pointerId); move = this.dragging(p, e); } };
    p.canvas.onpointermove = (e) => { if (move) move(e); this.probe(p, e); };
    p.canvas.onpointerup = p.canvas.onpointercancel = () => { move = null; };
    p.canvas.onpointerleave = () => { say(this.ui.probe, ""); for (const q of this.panes) q.cross.setAttribute("d", ""); };
    p.canvas.onwheel = (e) => {
      if (!e.shiftKey || this.data.depth === 1) return;
      e.preventDefault();
      this.set({ slice: this.view.slice - Math.sign(e.deltaY || e.deltaX) });
    };
  }

  /** Row and column of the image under the pointer. */
  pixel(p, { clientX, clientY }) {
    const rect = p.canvas.getBoundingClientRect(), [x, y] = this.corner(), { reduce, across, down } = this.box;
    const at = (first, share, shown, all) => clamp(Math.floor((first + share * shown) * reduce), 0, all - 1);
    return [at(y, (clientY - rect.top) / rect.height, down, this.data.height), at(x, (clientX - rect.left) / rect.width, across, this.data.width)];
  }

  /** Say the HU under the pointer in every pane, and mark the place in the others. */
  probe(p, event) {
    const [row, column] = this.pixel(p, event), { names, offset, width, masks } = this.data;
    const values = names.map((name, i) => `${name} ${hu(this.raw(i)[row * width + column])}`).join(", ");
    const over = this.masksHere().filter((m) => m.list.some(([r, c, n]) => r === row && c <= column && column < c + n));
    say(this.ui.probe, `row ${row + offset[0]}, column ${column + offset[1]}: ${values} HU${over.map((m) => `, ${masks.labels[m.mask]}`).join("")}`);
    for (const q of this.panes) q.cross.setAttribute("d", q === p ? "" : `M${column - 4} ${row + 0.5}h3m3 0h3M${column + 0.5} ${row - 4}v3m0 3v3`);
  }

  /** What moving the pointer does from here on; the gain follows the size of the pane and the width of the window. */
  dragging(p, start) {
    const before = { ...this.view }, { reduce, across, down } = this.box, rect = p.canvas.getBoundingClientRect();
    const tool = start.shiftKey ? "pan" : this.stage.dataset.tool, from = this.pixel(p, start);
    return (event) => {
      const dx = (event.clientX - start.clientX) / rect.width, dy = (event.clientY - start.clientY) / rect.height, to = this.pixel(p, event);
      if (tool === "pan") this.set({ column: before.column - dx * across * reduce, row: before.row - dy * down * reduce });
      else if (tool === "roi") {
        this.set({ roi: [...from.map((v, i) => Math.min(v, to[i])), ...from.map((v, i) => Math.max(v, to[i]) + 1)] });
      } else if (p.difference) this.set({ limit: Math.round(before.limit * 4 ** dx) });
      else this.set({ width: Math.round(before.width * 4 ** dx), level: Math.round(before.level - dy * before.width) });
    };
  }

  key(event) {
    const { view, data, ui } = this, step = ARROWS[event.key], tool = this.stage.dataset.tool;
    const slices = { PageUp: 1, PageDown: -1 }[event.key] || (step && tool === "window" ? -step[0] : 0);
    const zooms = { "+": 1, "=": 1, "-": -1 }[event.key];
    if (slices && data.depth > 1) this.set({ slice: view.slice + slices });
    else if (zooms) this.set({ zoom: +ui.zoom.options[clamp(ui.zoom.selectedIndex + zooms, 0, ui.zoom.length - 1)].value });
    else if (event.key === "Escape" && view.roi) this.set({ roi: null });
    else if (step && tool === "pan") this.set({ row: view.row + 8 * step[0], column: view.column + 8 * step[1] });
    else if (step && tool === "roi") this.set({ roi: this.movedRoi(step, event.shiftKey) });
    else return;
    event.preventDefault();
  }

  /** The rectangle one pixel further, or one larger or smaller; at first one in the middle. */
  movedRoi(step, resize) {
    const { view: { roi }, data: { height, width } } = this;
    if (!roi) return [0.4 * height, 0.4 * width, 0.6 * height, 0.6 * width].map(Math.ceil);
    const [top, left, bottom, right] = roi.map((v, i) => v + (resize && i < 2 ? 0 : step[i % 2]));
    return top >= 0 && left >= 0 && bottom <= height && right <= width && bottom > top && right > left ? [top, left, bottom, right] : roi;
  }
}

/** Bring every figure of this name to life once it comes near the screen; where that cannot be, the preview stays. */
function start(name, data) {
  for (const figure of document.querySelectorAll(`figure[data-ct-viewer="${name}"]:not([data-found])`)) {
    figure.dataset.found = "";
    if (typeof DecompressionStream === "undefined") continue;
    const near = new IntersectionObserver(async (entries) => {
      if (!entries.some((e) => e.isIntersecting)) return;
      near.disconnect();
      const begun = performance.now();
      const values = unpack(await inflate(data.values), data.names.length * data.depth, data.height * data.width);
      figure.viewer = new CtViewer(figure, data, values, data.masks && unpack(await inflate(data.masks.runs), 5, data.masks.count));
      figure.dataset.ready = (performance.now() - begun).toFixed(0);
    }, { rootMargin: "800px" });
    near.observe(figure);
  }
}
