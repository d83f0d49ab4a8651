"use strict";
/* What moves on kinefract's pages: values on hover, smoothed curves, videos that rest, the list of studies. */

const all = (selector, within = document) => [...within.querySelectorAll(selector)];

/* Values on hover, on touch and on focus: the <title> of a shape becomes the page's own tooltip. */
const tip = document.createElement("div");
tip.id = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);

function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = Math.min(x + 14, innerWidth - box.width - 8);
  const top = y + 18 + box.height > innerHeight ? y - box.height - 12 : y + 18;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${Math.max(8, top)}px`;
}

for (const title of all("svg title")) {
  title.parentNode.dataset.tip = title.textContent;
  title.remove();
}
for (const kind of ["pointermove", "pointerdown"]) {
  addEventListener(kind, (event) => {
    const shape = event.target.closest?.("[data-tip]");
    if (shape) showTip(shape.dataset.tip, event.clientX, event.clientY);
    else if (!event.target.closest?.("[data-curves]")) tip.hidden = true;
  });
}
addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

/* Training curves: the values at the epoch under the pointer, and a moving mean in place of the raw line. */
function smoothed(values, weight) {
  let mean = 0;
  return values.map((value, at) => {
    mean = weight * mean + (1 - weight) * value;
    return mean / (1 - weight ** (at + 1));
  });
}

for (const figure of all("[data-curves]")) {
  const svg = figure.querySelector("svg");
  const { frame, x, y, series, unit } = JSON.parse(figure.dataset.curves);
  const [left, top, width, height] = frame;
  const across = (epoch) => left + (width * (epoch - x[0])) / (x[1] - x[0]);
  const down = (value) => top + height - (height * (value - y[0])) / (y[1] - y[0]);
  const lines = series.map((line) => {
    const path = svg.querySelector(`#${line.id} path`);
    const raw = path.cloneNode();
    raw.style.strokeOpacity = "0.22";
    path.parentNode.insertBefore(raw, path);
    raw.style.display = "none";
    return { ...line, path, raw, shown: line.mean };
  });
  const rule = lines[0].path.cloneNode();
  rule.removeAttribute("clip-path");
  rule.style.cssText = "fill:none;stroke:var(--muted);stroke-width:.8;display:none";
  svg.append(rule);

  figure.smooth = (weight) => {
    for (const line of lines) {
      line.shown = smoothed(line.mean, weight);
      line.raw.style.display = weight ? "" : "none";
      line.path.setAttribute(
        "d", line.shown.map((value, at) => `${at ? "L" : "M"}${across(line.epochs[at])} ${down(value)}`).join(""));
    }
  };

  svg.addEventListener("pointermove", (event) => {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const wanted = x[0] + ((place.x - left) / width) * (x[1] - x[0]);
    const epochs = lines.flatMap((line) => line.epochs);
    const near = epochs.reduce((best, epoch) => (Math.abs(epoch - wanted) < Math.abs(best - wanted) ? epoch : best));
    const found = lines
      .map((line) => ({ line, at: line.epochs.indexOf(near) }))
      .filter(({ at }) => at >= 0)
      .map(({ line, at }) => {
        const spread = line.std[at] ? ` ± ${line.std[at]}` : "";
        const value = figure.weight ? `${+line.shown[at].toPrecision(4)} (${line.mean[at]}${spread})` : `${line.mean[at]}${spread}`;
        return { order: line.shown[at], text: `${line.label}: ${value}${unit}` };
      })
      .sort((one, other) => other.order - one.order);
    rule.setAttribute("d", `M${across(near)} ${top}V${top + height}`);
    rule.style.display = "";
    showTip([`epoch ${near}`, ...found.slice(0, 12).map(({ text }) => text)].join("\n"), event.clientX, event.clientY);
  });
  svg.addEventListener("pointerleave", () => {
    rule.style.display = "none";
    tip.hidden = true;
  });
}

for (const slider of all("[data-smooth]")) {
  slider.closest("[hidden]").hidden = false;
  slider.addEventListener("input", () => {
    const weight = Number(slider.value);
    slider.nextElementSibling.textContent = weight ? weight.toFixed(2) : "none";
    for (const figure of all("[data-curves]")) {
      figure.weight = weight;
      figure.smooth(weight);
    }
  });
}

/* Videos play while they are in view, and stand still for those who ask for less motion. */
const still = matchMedia("(prefers-reduced-motion: reduce)");
const seen = new Set();
function settle(video) {
  if (seen.has(video) && !still.matches) video.play().catch(() => {});
  else video.pause();
}
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) seen.add(target);
    else seen.delete(target);
    if (isIntersecting !== !target.paused) settle(target);
  }
});
all("video").forEach((video) => watcher.observe(video));
still.addEventListener("change", () => all("video").forEach(settle));

/* The contents: the section in view is marked. */
const entries = new Map(all(".contents a").map((entry) => [entry.hash.slice(1), entry]));
const headings = all("main section > h2[id]").filter(({ id }) => entries.has(id));
function mark() {
  const passed = headings.filter((heading) => heading.getBoundingClientRect().top < innerHeight / 3);
  const current = passed.at(-1) ?? headings[0];
  for (const [id, entry] of entries) {
    if (id === current?.id) entry.setAttribute("aria-current", "true");
    else entry.removeAttribute("aria-current");
  }
}
if (headings.length) {
  addEventListener("scroll", mark, { passive: true });
  mark();
}

/* The page of all studies: sort, filter by words, and choose by state. */
const controls = document.querySelector("#controls");
if (controls) {
  const list = document.querySelector("#studies");
  const articles = all("article", list);
  const waiting = document.querySelector("#waiting");
  const rows = waiting ? all("tbody tr", waiting) : [];
  const [text, order, ...states] = all("input, select", controls);
  const told = document.querySelector("#shown");
  const ranks = {
    given: () => 0,
    name: (one, other) => one.dataset.name.localeCompare(other.dataset.name),
    gain: (one, other) => other.dataset.gain - one.dataset.gain,
    runs: (one, other) => other.dataset.runs - one.dataset.runs,
  };
  const update = () => {
    const words = text.value.toLowerCase().split(" ");
    const said = (entry) => words.every((word) => entry.textContent.toLowerCase().includes(word));
    const wanted = states.filter((box) => box.checked).map((box) => box.value);
    for (const entry of articles) entry.hidden = !(wanted.includes(entry.dataset.state) && said(entry));
    for (const row of rows) row.hidden = !said(row);
    list.append(...[...articles].sort(ranks[order.value]));
    const found = rows.filter((row) => !row.hidden).length;
    if (text.value) waiting?.toggleAttribute("open", found > 0);
    told.textContent = `${articles.filter((entry) => !entry.hidden).length} of ${articles.length} shown`;
  };
  controls.hidden = false;
  controls.addEventListener("input", update);
  update();
}
