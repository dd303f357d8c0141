"use strict";
// The page's behaviour: unpack the arrays, then keep player, plots and timeline at one time.

const el = (id) => document.getElementById(id);
const result = JSON.parse(el("content").textContent);
const MISSING = -32768;

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

// An array of the block as Float64Array, NaN where a value is missing.
function values(block, { start, shape, kind, scale }) {
  const size = shape.reduce((product, side) => product * side, 1);
  if (kind === "f8") return new Float64Array(block, start, size);
  if (kind === "f4") return Float64Array.from(new Float32Array(block, start, size));
  const whole = new Int16Array(block, start, size);
  return Float64Array.from(whole, (value) => (value === MISSING ? NaN : value * scale));
}

function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(2).padStart(5, "0")}`;
}

class Report {
  constructor(block) {
    this.times = values(block, result.times);
    this.indices = values(block, result.indices);
    this.people = result.people.map((person) => ({
      ...person,
      ...Object.fromEntries(
        ["scores", "x", "y", "confidence", "speed", "angles"].map((key) => [key, values(block, person[key])]),
      ),
      shown: true,
    }));
    this.at = 0;
    this.playing = false;
    this.plots = [];
    this.joint = Math.max(0, result.keypoints.indexOf("left_wrist"));
    this.angle = Math.max(0, result.angles.indexOf("left_knee_flexion"));
    this.video = el("movie").textContent ? el("video") : null;
    this.setUpStage();
    this.setUpFacts();
    this.setUpControls();
    this.setUpChoices();
    this.makePlots();
    this.fillNumbers();
    this.drawTimeline();
    this.show(0);
    addEventListener("resize", () => this.resize());
  }

  // ---- the player

  setUpStage() {
    const stage = el("stage");
    stage.style.aspectRatio = `${result.width} / ${result.height}`;
    stage.style.maxWidth = `${Math.round((62 * result.width) / result.height)}vh`;
    if (!this.video) {
      el("video").remove();
      return;
    }
    this.video.src = el("movie").textContent;
    this.video.addEventListener("ended", () => this.pause());
  }

  setUpControls() {
    el("play").onclick = () => (this.playing ? this.pause() : this.play());
    el("back").onclick = () => this.jump(this.at - 1);
    el("ahead").onclick = () => this.jump(this.at + 1);
    el("rate").onchange = () => this.video && (this.video.playbackRate = +el("rate").value);
    addEventListener("keydown", (event) => {
      if (event.target.tagName === "SELECT") return;
      const act = { " ": () => el("play").click(), ArrowLeft: () => this.jump(this.at - 1), ArrowRight: () => this.jump(this.at + 1) }[event.key];
      if (act) {
        event.preventDefault();
        act();
      }
    });
    el("timeline").onclick = (event) => {
      const { left, width } = el("timeline").getBoundingClientRect();
      const span = this.times.at(-1) - this.times[0];
      this.jump(this.frameAt(this.times[0] + (span * (event.clientX - left - this.margin)) / (width - this.margin)));
    };
  }

  play() {
    if (this.at === this.times.length - 1) this.jump(0);
    this.playing = true;
    el("play").textContent = "Pause";
    const rate = () => +el("rate").value;
    let last = performance.now();
    let now = this.times[this.at];
    if (this.video) {
      this.video.playbackRate = rate();
      this.video.play();
    }
    const tick = (moment) => {
      if (!this.playing) return;
      now = this.video ? this.times[0] + this.video.currentTime : now + ((moment - last) / 1000) * rate();
      last = moment;
      this.show(this.frameAt(now));
      if (!this.video && now >= this.times.at(-1)) this.pause();
      else requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  pause() {
    this.playing = false;
    el("play").textContent = "Play";
    if (this.video) this.video.pause();
  }

  jump(frame) {
    this.pause();
    frame = Math.min(Math.max(frame, 0), this.times.length - 1);
    // A hair after the frame's own time, so that rounding cannot show the one before.
    if (this.video) this.video.currentTime = this.times[frame] - this.times[0] + 0.001;
    this.show(frame);
  }

  // The last frame that is not after `time`.
  frameAt(time) {
    let low = 0;
    let high = this.times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.times[middle] <= time + 1e-4) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  show(frame) {
    this.at = frame;
    el("clock").textContent = `${clock(this.times[frame])}  frame ${this.indices[frame]}`;
    document.body.dataset.frame = frame;
    this.drawFigures();
    this.drawTimeline();
    for (const plot of this.plots) {
      plot.setCursor({ left: plot.valToPos(this.times[frame], "x"), top: plot.cursor.top < 0 ? 0 : plot.cursor.top }, false);
    }
  }

  drawFigures() {
    const canvas = el("figures");
    const ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    const scale = canvas.width / result.width;
    const pen = canvas.getContext("2d");
    pen.lineCap = "round";
    for (const person of this.people) {
      const row = this.at - person.first;
      if (!person.shown || row < 0 || row >= person.count || Number.isNaN(person.scores[row])) continue;
      const K = result.keypoints.length;
      const point = (joint) => [(person.x[row * K + joint] + 0.5) * scale, (person.y[row * K + joint] + 0.5) * scale];
      const sure = (joint) => person.confidence[row * K + joint] > 0.2;
      pen.strokeStyle = pen.fillStyle = person.colour;
      pen.lineWidth = Math.max(1.5, 2 * ratio);
      for (const [a, b] of result.edges) {
        if (!sure(a) || !sure(b)) continue;
        pen.beginPath();
        pen.moveTo(...point(a));
        pen.lineTo(...point(b));
        pen.stroke();
      }
      let top = [Infinity, Infinity];
      for (let joint = 0; joint < K; joint += 1) {
        if (!sure(joint)) continue;
        const [x, y] = point(joint);
        if (y < top[1]) top = [x, y];
        pen.beginPath();
        pen.arc(x, y, (joint === this.joint ? 4.5 : 2.2) * ratio, 0, 2 * Math.PI);
        pen.fill();
      }
      if (top[1] < Infinity) {
        pen.font = `${13 * ratio}px system-ui, sans-serif`;
        pen.fillText(`${person.id}`, top[0] + 6 * ratio, Math.max(14 * ratio, top[1] - 6 * ratio));
      }
    }
  }

  // ---- who is there when

  drawTimeline() {
    const canvas = el("timeline");
    const style = getComputedStyle(document.body);
    const ratio = devicePixelRatio || 1;
    const row = 18;
    const height = row * Math.max(1, this.people.length) + 4;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "12px system-ui, sans-serif";
    this.margin = 34;
    const width = canvas.clientWidth - this.margin;
    const span = this.times.at(-1) - this.times[0] || 1;
    const x = (frame) => {
      const time = frame < this.times.length ? this.times[frame] : this.times.at(-1);
      return this.margin + ((time - this.times[0]) / span) * width;
    };
    const joined = new Set(result.perhapsSame.flat());
    this.people.forEach((person, index) => {
      const y = index * row + 3;
      pen.fillStyle = style.color;
      pen.fillText(`${person.id}${joined.has(person.id) ? "?" : ""}`, 0, y + 11);
      const [begin, end] = [x(person.first), x(person.first + person.count)];
      pen.strokeStyle = person.colour;
      pen.setLineDash([2, 3]); // a gap between two sightings
      pen.beginPath();
      pen.moveTo(begin, y + 6.5);
      pen.lineTo(end, y + 6.5);
      pen.stroke();
      pen.setLineDash([]);
      pen.fillStyle = person.colour;
      for (const [from, to] of person.present) pen.fillRect(x(from), y, Math.max(1.5, x(to) - x(from)), 13);
    });
    pen.fillStyle = style.color;
    pen.fillRect(x(this.at) - 0.75, 0, 1.5, height);
  }

  // ---- plots

  setUpChoices() {
    const fill = (id, names, chosen, then) => {
      el(id).replaceChildren(...names.map((name, index) => new Option(name.replaceAll("_", " "), index, false, index === chosen)));
      el(id).onchange = () => {
        then(+el(id).value);
        this.makePlots();
        this.fillNumbers();
        this.drawFigures();
      };
    };
    fill("keypoint", result.keypoints, this.joint, (value) => (this.joint = value));
    fill("angle", result.angles, this.angle, (value) => (this.angle = value));
    el("people").replaceChildren(
      ...this.people.map((person) => {
        const label = document.createElement("label");
        const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
        box.onchange = () => {
          person.shown = box.checked;
          this.makePlots();
          this.drawFigures();
        };
        const swatch = Object.assign(document.createElement("span"), { className: "swatch" });
        swatch.style.background = person.colour;
        label.append(box, swatch, `person ${person.id}`);
        return label;
      }),
    );
  }

  // One person's column of an array, over all frames; null where there is none.
  column(person, array, width, at) {
    const line = new Array(this.times.length).fill(null);
    for (let row = 0; row < person.count; row += 1) {
      const value = array[row * width + at];
      if (!Number.isNaN(value)) line[person.first + row] = value;
    }
    return line;
  }

  makePlots() {
    const K = result.keypoints.length;
    const joint = result.keypoints[this.joint].replaceAll("_", " ");
    const wanted = [
      [`${joint}: x, pixels`, (person) => this.column(person, person.x, K, this.joint)],
      [`${joint}: y, pixels (downwards)`, (person) => this.column(person, person.y, K, this.joint), true],
      [`${joint}: speed, pixels a second`, (person) => this.column(person, person.speed, K, this.joint)],
    ];
    if (result.angles.length) {
      const name = result.angles[this.angle].replaceAll("_", " ");
      wanted.push([`${name}, degrees`, (person) => this.column(person, person.angles, result.angles.length, this.angle)]);
    }
    wanted.push([`${joint}: confidence`, (person) => this.column(person, person.confidence, K, this.joint)]);
    for (const plot of this.plots) plot.destroy();
    el("plots").replaceChildren();
    this.plots = wanted.map(([title, line, down]) => this.makePlot(title, line, down));
  }

  makePlot(title, line, down) {
    const card = Object.assign(document.createElement("div"), { className: "plot" });
    card.append(Object.assign(document.createElement("h3"), { textContent: title }));
    el("plots").append(card);
    const shown = this.people.filter((person) => person.shown);
    const style = getComputedStyle(document.body);
    const axis = { stroke: style.color, grid: { stroke: style.getPropertyValue("--line") }, ticks: { stroke: style.getPropertyValue("--line") } };
    const plot = new uPlot(
      {
        width: card.clientWidth - 18,
        height: 150,
        scales: { x: { time: false }, y: { dir: down ? -1 : 1 } },
        axes: [{ ...axis, values: (_, ticks) => ticks.map((tick) => `${tick} s`) }, { ...axis, size: 54 }],
        series: [
          { label: "time", value: (_, time) => (time == null ? "" : clock(time)) },
          ...shown.map((person) => ({ label: `${person.id}`, stroke: person.colour, width: 1.4, spanGaps: false, points: { show: false }, value: (_, value) => (value == null ? "" : value.toFixed(2)) })),
        ],
        cursor: { y: false, drag: { x: true, y: false }, focus: { prox: 20 } },
        legend: { live: true },
      },
      [Array.from(this.times), ...shown.map(line)],
      card,
    );
    plot.over.addEventListener("click", () => plot.cursor.idx != null && this.jump(plot.cursor.idx));
    const save = Object.assign(document.createElement("button"), { className: "save", textContent: "PNG", title: "Save this plot as a picture" });
    save.onclick = () => this.savePlot(plot, title);
    card.append(save);
    return plot;
  }

  savePlot(plot, title) {
    const picture = document.createElement("canvas");
    const head = 26 * (devicePixelRatio || 1);
    picture.width = plot.ctx.canvas.width;
    picture.height = plot.ctx.canvas.height + head;
    const pen = picture.getContext("2d");
    const style = getComputedStyle(document.body);
    pen.fillStyle = style.getPropertyValue("--card");
    pen.fillRect(0, 0, picture.width, picture.height);
    pen.drawImage(plot.ctx.canvas, 0, head);
    pen.fillStyle = style.color;
    pen.font = `${head * 0.5}px system-ui, sans-serif`;
    pen.fillText(`${result.name} - ${title}`, 8, head * 0.68);
    picture.toBlob((blob) => {
      const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `${title.replace(/[^\w]+/g, "_")}.png` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  }

  // ---- words and numbers

  setUpFacts() {
    const span = this.times.at(-1) - this.times[0];
    el("name").textContent = result.name;
    el("version").textContent = result.version;
    el("facts").textContent = `${this.times.length} frames, ${clock(span)} min, ${result.width} x ${result.height} pixels, ${this.people.length} ${this.people.length === 1 ? "person" : "people"}, model ${result.model}`;
    const pairs = result.perhapsSame.map(([now, before]) => `${now} and ${before}`);
    el("same").textContent = pairs.length ? `Perhaps one person with two ids: ${pairs.join(", ")}.` : "";
  }

  fillNumbers() {
    const angle = result.angles[this.angle];
    const head = ["person", "first seen", "last seen", "frames", "gaps", "longest gap", "score", "way, pixels"];
    if (angle) head.push(...["least", "mean", "greatest"].map((word) => `${word} ${angle.replaceAll("_", " ")}`));
    const rows = this.people.map((person) => {
      const frames = person.present.reduce((sum, [from, to]) => sum + to - from, 0);
      const gaps = person.present.slice(1).map(([from], index) => this.times[from] - this.times[person.present[index][1] - 1]);
      const cells = [
        person.id,
        clock(this.times[person.first]),
        clock(this.times[person.first + person.count - 1]),
        frames,
        gaps.length,
        gaps.length ? `${Math.max(...gaps).toFixed(2)} s` : "",
        mean(person.scores).toFixed(2),
        way(person).toFixed(0),
      ];
      if (angle) {
        const line = this.column(person, person.angles, result.angles.length, this.angle).filter((value) => value != null);
        const least = line.reduce((a, b) => Math.min(a, b), Infinity);
        const greatest = line.reduce((a, b) => Math.max(a, b), -Infinity);
        cells.push(...(line.length ? [least, mean(line), greatest].map((value) => value.toFixed(1)) : ["", "", ""]));
      }
      return cells;
    });
    const line = (cells, kind) => {
      const row = document.createElement("tr");
      row.append(...cells.map((cell) => Object.assign(document.createElement(kind), { textContent: cell })));
      return row;
    };
    el("numbers").replaceChildren(line(head, "th"), ...rows.map((cells) => line(cells, "td")));
  }

  resize() {
    for (const plot of this.plots) plot.setSize({ width: plot.root.parentElement.clientWidth - 18, height: 150 });
    this.show(this.at);
  }
}

function mean(numbers) {
  let [sum, count] = [0, 0];
  for (const number of numbers) {
    if (!Number.isNaN(number)) {
      sum += number;
      count += 1;
    }
  }
  return count ? sum / count : NaN;
}

// How far the middle of a person's known keypoints moved, in pixels.
function way(person) {
  const K = result.keypoints.length;
  let [sum, before] = [0, null];
  for (let row = 0; row < person.count; row += 1) {
    const part = [person.x, person.y].map((array) => mean(array.subarray(row * K, row * K + K)));
    if (Number.isNaN(part[0])) continue;
    if (before) sum += Math.hypot(part[0] - before[0], part[1] - before[1]);
    before = part;
  }
  return sum;
}

unpack(el("arrays").textContent).then((block) => {
  window.report = new Report(block);
  document.body.dataset.ready = "yes";
});
