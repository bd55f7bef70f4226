// A page of maps comes alive: another layer, head or scale by button or key, the weight under the
// pointer, and the text in the colours of the row that is pointed at. Without it the page reads too.
(() => {
  const DECADES = 3, SMALL = 56; // of the logarithmic scale; pixels of a map among all
  const SCALES = ["shared", "own", "row", "log", "rank"];
  // From weights to places on the bar, 0 to 1 or with signs -1 to 1, as Scale has it in Python.
  const scaleOf = (name, values, columns, shared) => {
    const sizes = values.map(Math.abs);
    const most = (from, to) => sizes.subarray(from, to).reduce((top, size) => Math.max(top, size), 0);
    const top = name === "own" ? most() : Math.max(most(), shared);
    const tops = [], ranked = name === "rank" ? sizes.filter((size) => size > 0).sort() : [];
    if (name === "row") for (let n = 0; n < sizes.length; n += columns) tops.push(most(n, n + columns));
    const count = (isBelow) => {
      let [low, high] = [0, ranked.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (isBelow(ranked[middle])) low = middle + 1;
        else high = middle;
      }
      return low;
    };
    const share = (size, n) => {
      if (name === "log") return 1 + Math.log10(size / (top || 1)) / DECADES;
      if (name === "row") return size / (tops[Math.floor(n / columns)] || 1);
      if (name !== "rank") return size / (top || 1);
      const first = count((other) => other < size), last = count((other) => other <= size);
      return (first + last + 1) / 2 / ranked.length; // equals share their mean
    };
    const at = (place) => {
      if (name === "rank") {
        const number = place * ranked.length; // halves to the even number, as in Python
        return ranked[Math.round(number - (number % 2 === 0.5 ? 0.5 : 0)) - 1] || 0;
      }
      if (name === "log") return top * 10 ** (DECADES * (place - 1));
      return name === "row" ? place : top * place;
    };
    const ends = [Math.min(...tops), Math.max(...tops)].map((end) => `${+end.toPrecision(2)}`);
    return {
      at,
      place: (n) => (sizes[n] ? Math.sign(values[n]) * Math.min(Math.max(share(sizes[n], n), 0), 1) : 0),
      row: `× each row's largest (${ends[0] === ends[1] ? ends[0] : ends.join(" to ")})`,
    };
  };
  const blend = (ramp, part) => {
    const place = Math.min(Math.max(part, 0), 1) * (ramp.length - 1);
    const left = Math.min(Math.floor(place), ramp.length - 2);
    return ramp[left].map((low, n) => Math.round(low + (ramp[left + 1][n] - low) * (place - left)));
  };
  const inkOn = ([r, g, b]) => (0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#000" : "#fff");
  const made = (name, text, parent) => {
    const element = document.createElement(name);
    element.textContent = text;
    parent.append(element);
    return element;
  };

  const enliven = (part) => {
    part.dataset.live = "yes";
    const data = JSON.parse(part.querySelector("script[type='application/json']").textContent);
    const [layers, heads, rows, columns] = data.shape;
    const codes = new Uint16Array(Uint8Array.from(atob(data.codes), (c) => c.charCodeAt(0)).buffer);
    const [low, step] = data.signed ? [-data.most, (2 * data.most) / 65534] : [0, data.most / 65535];
    const single = (layer, head) => {
      const from = (layer * heads + head) * rows * columns;
      return Float32Array.from(codes.subarray(from, from + rows * columns), (code) => low + step * code);
    };
    const map = (layer, head) => {
      if (head < heads) return single(layer, head);
      const sum = single(layer, 0);
      for (let n = 1; n < heads; n++) single(layer, n).forEach((value, place) => (sum[place] += value));
      return sum.map((value) => value / heads);
    };
    const shade = (place) => blend(data.ramp, data.signed ? (place + 1) / 2 : place);
    const weight = (row, column) => now.values[row * columns + column];
    const colour = (row, column) => shade(now.scale.place(row * columns + column));
    const now = { layer: data.shown[0], head: data.shown[1], row: -1, by: data.scale };
    const what = part.querySelector(".what"), says = part.querySelector(".says");
    const table = part.querySelector(".map table"), cells = [...part.querySelectorAll(".map td")];
    const text = part.querySelector(".text"), words = text ? [...text.children] : [];
    const canvas = table ? null : document.createElement("canvas");
    const pairs = (row, column) => `${data.query[row]} → ${data.key[column]}`;
    const buttons = { layer: [], head: [] };

    const scale = () => {
      now.values = map(now.layer, now.head);
      now.scale = scaleOf(now.by, now.values, columns, data.tops[+(now.head === heads)]);
      const written = (value) => value.toFixed(value < 0.1 ? 4 : 2).replace(/^0\.0*$/, "0");
      const at = (place) => written(now.scale.at(place));
      const [first, middle, last] = part.querySelectorAll(".bar b");
      first.textContent = data.signed ? `−${at(1)}` : at(0);
      middle.textContent = data.signed ? "0" : at(0.5);
      last.textContent = (data.signed ? "+" : "") + at(1);
      const meaning = {
        shared: data.shared[+(now.head === heads)],
        own: "this map's own scale", row: now.scale.row,
        log: "logarithmic, one scale for all maps", rank: "by rank in this map",
      }[now.by];
      part.querySelector(".bar small").textContent = ["weight", meaning].filter(Boolean).join(", ");
    };
    const thumbnail = (picture) => {
      const values = map(+picture.dataset.layer, +picture.dataset.head);
      const found = scaleOf(now.by, values, columns, data.tops[0]);
      const [high, wide] = [Math.min(rows, SMALL), Math.min(columns, SMALL)];
      const canvas = document.createElement("canvas"), places = new Float32Array(high * wide);
      [canvas.width, canvas.height] = [wide, high];
      for (let n = 0; n < values.length; n++) { // each the largest of those it stands for
        const down = Math.floor(Math.floor(n / columns) * high / rows);
        const spot = down * wide + Math.floor((n % columns) * wide / columns), place = found.place(n);
        if (Math.abs(place) > Math.abs(places[spot])) places[spot] = place;
      }
      paint(canvas, (n) => shade(places[n]));
      picture.src = canvas.toDataURL();
    };
    const paint = (canvas, shaded) => {
      const context = canvas.getContext("2d");
      const pixels = context.createImageData(canvas.width, canvas.height);
      for (let n = 0; n < canvas.width * canvas.height; n++) pixels.data.set([...shaded(n), 255], 4 * n);
      context.putImageData(pixels, 0, 0);
    };
    const draw = () => {
      scale();
      const name = now.head < heads ? `head ${now.head + 1} of ${heads}` : `mean of ${heads} heads`;
      if (layers * heads > 1) {
        what.textContent = heads > 1 ? `${data.names[now.layer]}, ${name}` : data.names[now.layer];
      }
      cells.forEach((cell, n) => {
        const row = Math.floor(n / columns), value = weight(row, n % columns);
        const shade = colour(row, n % columns);
        cell.style.background = `rgb(${shade})`;
        cell.title = `${pairs(row, n % columns)} ${value.toFixed(3)}`;
        if (data.numbers) {
          cell.textContent = value.toFixed(2).replace("0.", ".");
          cell.style.color = inkOn(shade);
        }
      });
      if (canvas) paint(canvas, (n) => colour(Math.floor(n / columns), n % columns));
      for (const side of ["layer", "head"]) {
        buttons[side].forEach((each, n) => each.setAttribute("aria-pressed", n === now[side]));
      }
      point(now.row);
    };
    const point = (row, column = -1) => {
      now.row = row;
      if (row < 0) return;
      says.textContent = column < 0 ? data.query[row]
        : `${pairs(row, column)}: ${weight(row, column).toFixed(4)}`;
      words.forEach((word, place) => {
        const value = weight(row, place), shade = colour(row, place);
        const seen = Math.abs(now.scale.place(row * columns + place)) >= 0.1;
        word.style.background = seen ? `rgb(${shade})` : "none";
        word.style.color = seen ? inkOn(shade) : "inherit";
        word.title = value.toFixed(4);
      });
    };
    const choose = (layer, head) => {
      now.layer = (layer + layers) % layers;
      const count = heads > 1 ? heads + 1 : 1;
      now.head = (head + count) % count;
      draw();
    };

    const controls = document.createElement("p");
    const switches = (side, labels) => {
      if (labels.length < 2) return;
      made("span", `${side} `, controls);
      labels.forEach((label, n) => {
        const button = made("button", label, controls);
        button.onclick = () => choose(...(side === "layer" ? [n, now.head] : [now.layer, n]));
        buttons[side].push(button);
      });
      made("span", "  ", controls);
    };
    const numbered = (count) => [...Array(count).keys()].map((n) => `${n + 1}`);
    switches("layer", numbered(layers));
    switches("head", heads > 1 ? [...numbered(heads), "mean"] : []);
    const rescale = () => {
      now.by = SCALES[(SCALES.indexOf(now.by) + 1) % SCALES.length];
      part.querySelectorAll("img[data-head]").forEach(thumbnail);
      draw();
    };
    made("button", "scale", controls).onclick = rescale;
    const moves = layers * heads > 1 ? "← → head, ↑ ↓ layer, " : "";
    made("small", `  keys: ${moves}s scale: shared, own, by row, logarithmic, by rank`, controls);
    what.after(controls);
    for (const small of part.querySelectorAll("img[data-head]")) {
      small.onclick = () => choose(+small.dataset.layer, +small.dataset.head);
      small.style.cursor = "pointer";
    }
    if (canvas) {
      const picture = part.querySelector(".map img");
      [canvas.width, canvas.height, canvas.className] = [columns, rows, "large"];
      canvas.style.cssText = picture.style.cssText;
      picture.replaceWith(canvas);
      canvas.onmousemove = (event) => {
        const box = canvas.getBoundingClientRect();
        const share = (at, from, size, count) => Math.min(count - 1, Math.max(0, Math.floor((at - from) / size * count)));
        point(share(event.clientY, box.top, box.height, rows), share(event.clientX, box.left, box.width, columns));
      };
    } else {
      table.onmouseover = (event) => {
        const line = event.target.closest("tr"), place = event.target.cellIndex;
        if (line && line.rowIndex > 0 && place !== undefined) point(line.rowIndex - 1, place - 1);
      };
    }
    part.tabIndex = 0;
    const keys = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    part.onkeydown = (event) => {
      if (event.key === "s") rescale();
      const by = keys[event.key];
      if (!by || (by[0] ? layers : heads) < 2) return;
      event.preventDefault();
      choose(now.layer + by[0], now.head + by[1]);
    };
    draw();
  };
  const parts = [...document.querySelectorAll("section.dlcc:not([data-live])")];
  parts.filter((part) => part.querySelector("script[type='application/json']")).forEach(enliven);
  if (parts.length === 1) parts[0].focus({ preventScroll: true });
})();
