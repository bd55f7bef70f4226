// A page of maps comes alive: another layer or head by button or key, the weight under the pointer,
// and the text in the colours of the row that is pointed at. Without this the page reads as it is.
(() => {
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
    const single = (layer, head, row, column) =>
      low + step * codes[((layer * heads + head) * rows + row) * columns + column];
    const weight = (row, column) => {
      if (now.head < heads) return single(now.layer, now.head, row, column);
      let sum = 0;
      for (let head = 0; head < heads; head++) sum += single(now.layer, head, row, column);
      return sum / heads;
    };
    const colour = (value) => {
      const share = now.top ? value / now.top : 0;
      return blend(data.ramp, data.signed ? (share + 1) / 2 : share);
    };
    const now = { layer: data.shown[0], head: data.shown[1], row: -1, own: false, top: 1 };
    const what = part.querySelector(".what"), says = part.querySelector(".says");
    const table = part.querySelector(".map table"), cells = [...part.querySelectorAll(".map td")];
    const text = part.querySelector(".text"), words = text ? [...text.children] : [];
    const canvas = table ? null : document.createElement("canvas");
    const pairs = (row, column) => `${data.query[row]} → ${data.key[column]}`;
    const buttons = { layer: [], head: [] };

    const scale = () => {
      now.top = data.tops[+(now.head === heads)];
      if (now.own) {
        now.top = 0;
        for (let n = 0; n < rows * columns; n++) {
          now.top = Math.max(now.top, Math.abs(weight(Math.floor(n / columns), n % columns)));
        }
      }
      const written = (value) => value.toFixed(now.top < 0.1 ? 4 : 2);
      const [first, middle, last] = part.querySelectorAll(".bar b");
      first.textContent = data.signed ? `−${written(now.top)}` : "0";
      middle.textContent = data.signed ? "0" : written(now.top / 2);
      last.textContent = (data.signed ? "+" : "") + written(now.top);
      const kind = now.head < heads ? "heads" : "means";
      const what = now.own ? "this map's own scale" : layers * heads > 1 ? `one scale for all ${kind}` : "";
      part.querySelector(".bar small").textContent = ["weight", what].filter(Boolean).join(", ");
    };
    const draw = () => {
      scale();
      const name = now.head < heads ? `head ${now.head + 1} of ${heads}` : `mean of ${heads} heads`;
      if (layers * heads > 1) {
        what.textContent = heads > 1 ? `${data.names[now.layer]}, ${name}` : data.names[now.layer];
      }
      cells.forEach((cell, n) => {
        const row = Math.floor(n / columns), value = weight(row, n % columns), shade = colour(value);
        cell.style.background = `rgb(${shade})`;
        cell.title = `${pairs(row, n % columns)} ${value.toFixed(3)}`;
        if (data.numbers) {
          cell.textContent = value.toFixed(2).replace("0.", ".");
          cell.style.color = inkOn(shade);
        }
      });
      if (canvas) {
        const context = canvas.getContext("2d"), pixels = context.createImageData(columns, rows);
        for (let n = 0; n < rows * columns; n++) {
          pixels.data.set([...colour(weight(Math.floor(n / columns), n % columns)), 255], 4 * n);
        }
        context.putImageData(pixels, 0, 0);
      }
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
        const value = weight(row, place), shade = colour(value), seen = Math.abs(value) >= now.top / 10;
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
    const own = () => {
      now.own = !now.own;
      draw();
    };
    if (layers * heads > 1) {
      made("button", "scale", controls).onclick = own;
      made("small", "  keys: ← → head, ↑ ↓ layer, s scale", controls);
    }
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
      if (event.key === "s") own();
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
