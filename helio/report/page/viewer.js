// A viewer of molecules and crystals on a canvas. It draws every <figure class="viewer"> of a page, whose scene is the
// JSON in its <script>; helio.report.page.viewer says what a scene holds. Nothing is loaded from anywhere.
"use strict";
(() => {
  const FOG_LEVELS = 8;
  const BUCKETS = 4096; // of depth, for sorting
  const SPRITE_SIZES = [8, 16, 32, 64, 128];
  const FRAMES_PER_SECOND = 15; // at speed 1
  const BALLS = 4000; // atoms up to which balls and sticks are drawn as such by default
  const PERSPECTIVE = 5; // distance of the eye in radii of the scene

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  /** What is shown, unpacked: numbers of elements, bonds, frames of int16 coordinates and their boxes. */
  function unpack(scene) {
    const frames = new Int16Array(bytes(scene.positions).buffer);
    const count = scene.atoms;
    return {
      ...scene,
      kinds: bytes(scene.kinds),
      water: bytes(scene.water),
      bonds: new Uint32Array(bytes(scene.bonds).buffer),
      frames,
      frameCount: frames.length / (3 * count),
    };
  }

  const multiply = (a, b) =>
    [0, 1, 2].map((i) => [0, 1, 2].map((j) => a[i][0] * b[0][j] + a[i][1] * b[1][j] + a[i][2] * b[2][j]));

  /** A turn about the axes of the screen: right drags turn about y, downward drags about x. */
  function turned(rotation, byX, byY) {
    const [cx, sx, cy, sy] = [Math.cos(byX), Math.sin(byX), Math.cos(byY), Math.sin(byY)];
    const about = multiply([[1, 0, 0], [0, cx, -sx], [0, sx, cx]], [[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]);
    return multiply(about, rotation);
  }

  const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const mixed = (a, b, share) => a.map((value, i) => value + (b[i] - value) * share);
  const css = (color) => `rgb(${color.map((value) => Math.round(value)).join(",")})`;

  /** Shaded balls of each element at each depth, drawn once and copied then; and the colours of bonds. */
  class Paint {
    constructor(elements, background) {
      this.sprites = new Map();
      this.elements = elements.map((element) => {
        return Array.from({ length: FOG_LEVELS }, (_, level) => {
          const fog = (0.62 * level) / (FOG_LEVELS - 1);
          const of = (color) => css(mixed(color, background, fog));
          const base = rgb(element.color);
          return {
            light: of(mixed(base, [255, 255, 255], 0.65)),
            base: of(base),
            shade: of(mixed(base, [0, 0, 0], 0.45)),
            rim: of(mixed(base, [0, 0, 0], 0.62)),
          };
        });
      });
    }

    sprite(kind, level, size) {
      const key = (kind * FOG_LEVELS + level) * 256 + size;
      let made = this.sprites.get(key);
      if (made === undefined) {
        made = this.drawn(this.elements[kind][level], size);
        this.sprites.set(key, made);
      }
      return made;
    }

    drawn(color, size) {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = size;
      const context = canvas.getContext("2d");
      const half = size / 2;
      const gradient = context.createRadialGradient(half * 0.68, half * 0.62, size * 0.02, half, half, half);
      gradient.addColorStop(0, color.light);
      gradient.addColorStop(0.38, color.base);
      gradient.addColorStop(0.86, color.shade);
      gradient.addColorStop(1, color.rim);
      context.fillStyle = gradient;
      context.beginPath();
      context.arc(half, half, half - 0.25, 0, 2 * Math.PI);
      context.fill();
      return canvas;
    }
  }

  class Viewer {
    constructor(root) {
      this.root = root;
      this.scene = unpack(JSON.parse(root.querySelector("script").textContent));
      this.canvas = root.querySelector("canvas");
      this.context = this.canvas.getContext("2d");
      const count = this.scene.atoms;
      this.x = new Float32Array(count);
      this.y = new Float32Array(count);
      this.depth = new Float32Array(count);
      this.size = new Float32Array(count); // pixels per A there
      this.first = new Float32Array(3 * count); // A, in the axes of the screen
      this.order = new Uint32Array(count + this.scene.bonds.length);
      this.keys = new Uint16Array(this.order.length);
      this.starts = new Uint32Array(BUCKETS + 1);
      this.solute = this.scene.water.some((flag) => flag === 0);
      this.frame = 0;
      this.playing = false;
      this.speed = 1;
      this.style = count > BALLS ? "dots" : "balls";
      this.showWater = true;
      this.home();
      this.connect();
      this.resize();
    }

    home() {
      this.rotation = this.scene.rotation;
      this.zoom = 1;
      this.shift = [0, 0];
    }

    control(name) {
      return this.root.querySelector(`[data-control="${name}"]`);
    }

    connect() {
      const on = (name, event, action) => {
        const element = this.control(name);
        if (element !== null) element.addEventListener(event, () => { action(element); this.redraw(); });
      };
      on("play", "click", () => this.play(!this.playing));
      on("frame", "input", (input) => this.show(Number(input.value)));
      on("speed", "change", (select) => { this.speed = Number(select.value); });
      on("style", "change", (select) => { this.style = select.value; });
      on("water", "change", (box) => { this.showWater = box.checked; });
      on("home", "click", () => this.home());
      const style = this.control("style");
      if (style !== null) style.value = this.style;
      this.connectPointers();
      this.canvas.addEventListener("keydown", (event) => this.key(event));
      new ResizeObserver(() => this.resize()).observe(this.canvas);
      document.addEventListener("themechange", () => { this.paint = undefined; this.redraw(); });
      for (const link of document.querySelectorAll(`[data-viewer="${this.root.id}"]`)) {
        link.addEventListener("click", () => { this.play(false); this.show(Number(link.dataset.frame)); });
      }
    }

    connectPointers() {
      const canvas = this.canvas;
      const held = new Map();
      canvas.addEventListener("pointerdown", (event) => {
        canvas.setPointerCapture(event.pointerId);
        held.set(event.pointerId, [event.clientX, event.clientY]);
      });
      canvas.addEventListener("pointermove", (event) => {
        const before = held.get(event.pointerId);
        if (before === undefined) return;
        const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
        const others = [...held].filter(([id]) => id !== event.pointerId);
        held.set(event.pointerId, [event.clientX, event.clientY]);
        if (others.length > 0) {
          const [ox, oy] = others[0][1];
          const was = Math.hypot(before[0] - ox, before[1] - oy);
          this.zoomBy(Math.hypot(event.clientX - ox, event.clientY - oy) / Math.max(1, was));
        } else if (event.shiftKey || event.buttons === 2 || event.buttons === 4) {
          this.shift = [this.shift[0] + dx, this.shift[1] + dy];
        } else {
          this.rotation = turned(this.rotation, dy * 0.008, dx * 0.008);
        }
        this.redraw();
      });
      const release = (event) => held.delete(event.pointerId);
      canvas.addEventListener("pointerup", release);
      canvas.addEventListener("pointercancel", release);
      canvas.addEventListener("contextmenu", (event) => event.preventDefault());
      canvas.addEventListener("wheel", (event) => {
        event.preventDefault();
        this.zoomBy(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.04 : 0.0015)));
      }, { passive: false });
    }

    key(event) {
      const turn = { ArrowLeft: [0, -0.1], ArrowRight: [0, 0.1], ArrowUp: [-0.1, 0], ArrowDown: [0.1, 0] }[event.key];
      if (turn !== undefined) this.rotation = turned(this.rotation, turn[0], turn[1]);
      else if (event.key === "+" || event.key === "=") this.zoomBy(1.15);
      else if (event.key === "-") this.zoomBy(1 / 1.15);
      else if (event.key === " ") this.play(!this.playing);
      else if (event.key === "." || event.key === ",") this.step(event.key === "." ? 1 : -1);
      else return;
      event.preventDefault();
      this.redraw();
    }

    zoomBy(factor) {
      this.zoom = Math.min(20, Math.max(0.2, this.zoom * factor));
      this.redraw();
    }

    step(by) {
      this.play(false);
      this.show((this.frame + by + this.scene.frameCount) % this.scene.frameCount);
    }

    show(frame) {
      this.frame = frame;
      const slider = this.control("frame");
      if (slider !== null) slider.value = String(frame);
      const label = this.control("time");
      if (label !== null) label.textContent = this.scene.labels[frame];
      this.redraw();
    }

    play(on) {
      this.playing = on && this.scene.frameCount > 1;
      const button = this.control("play");
      if (button !== null) {
        button.textContent = this.playing ? "Pause" : "Play";
        button.setAttribute("aria-pressed", String(this.playing));
      }
      if (!this.playing) return;
      let last = performance.now();
      let due = 0;
      const tick = (now) => {
        if (!this.playing) return;
        due += ((now - last) / 1000) * FRAMES_PER_SECOND * this.speed;
        last = now;
        if (due >= 1) {
          this.show((this.frame + Math.floor(due)) % this.scene.frameCount);
          due %= 1;
        }
        requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    }

    resize() {
      const ratio = Math.min(2, window.devicePixelRatio || 1); // finer is not seen, but paid for
      const { clientWidth, clientHeight } = this.canvas;
      if (clientWidth === 0) return; // not shown, as in a closed <details>
      this.ratio = ratio;
      this.canvas.width = Math.round(clientWidth * ratio);
      this.canvas.height = Math.round(clientHeight * ratio);
      this.redraw();
    }

    redraw() {
      if (this.pending || this.ratio === undefined) return;
      this.pending = true;
      requestAnimationFrame(() => { this.pending = false; this.draw(); });
    }

    draw() {
      if (this.paint === undefined) {
        const probe = getComputedStyle(this.canvas);
        const background = probe.backgroundColor.match(/[\d.]+/g).slice(0, 3).map(Number);
        this.paint = new Paint(this.scene.elements, background);
        this.boxColor = probe.color;
      }
      const { width, height } = this.canvas;
      this.context.clearRect(0, 0, width, height);
      this.project(width, height);
      const edges = this.edges();
      this.drawEdges(edges, true);
      if (this.style === "dots") this.drawDots();
      else this.drawBodies();
      this.drawEdges(edges, false);
    }

    /** Pixels per A that fill the canvas with the first frame as it is turned at first, so that no turn hides much. */
    fitting(width, height) {
      const { frames, atoms, origin, step, center, radius, filling, rotation, boxes } = this.scene;
      const round = (filling * Math.min(width, height)) / radius;
      if (boxes.length > 0) return round;
      if (this.extent === undefined) {
        this.extent = [0, 1].map((row) => {
          let most = 1;
          for (let i = 0; i < 3 * atoms; i += 3) {
            const along = [0, 1, 2].map((k) => rotation[row][k] * ((frames[i + k] + 32768) * step + origin[k] - center[k]));
            most = Math.max(most, Math.abs(along[0] + along[1] + along[2]) + 1);
          }
          return most;
        });
      }
      return Math.min((0.46 * width) / this.extent[0], (0.46 * height) / this.extent[1], 1.8 * round);
    }

    /** Where each atom is on the screen; x, y in pixels, depth in A towards the eye. */
    project(width, height) {
      const { frames, atoms, origin, step, center, radius } = this.scene;
      const [r0, r1, r2] = this.rotation;
      const eye = PERSPECTIVE * radius;
      this.scale = this.fitting(width, height) * this.zoom;
      this.eye = eye;
      this.middle = [width / 2 + this.shift[0] * this.ratio, height / 2 + this.shift[1] * this.ratio];
      const [cx, cy, cz] = center.map((value, i) => value - origin[i]);
      const { x, y, depth, size, first } = this;
      for (let i = 0, at = 3 * atoms * this.frame; i < atoms; i++, at += 3) {
        const px = (frames[at] + 32768) * step - cx;
        const py = (frames[at + 1] + 32768) * step - cy;
        const pz = (frames[at + 2] + 32768) * step - cz;
        const sx = r0[0] * px + r0[1] * py + r0[2] * pz;
        const sy = r1[0] * px + r1[1] * py + r1[2] * pz;
        const sz = r2[0] * px + r2[1] * py + r2[2] * pz;
        const near = (this.scale * eye) / Math.max(0.2 * eye, eye - sz);
        first[3 * i] = sx;
        first[3 * i + 1] = sy;
        first[3 * i + 2] = sz;
        x[i] = this.middle[0] + sx * near;
        y[i] = this.middle[1] - sy * near;
        depth[i] = sz;
        size[i] = near;
      }
    }

    hidden(i) {
      return this.scene.water[i] === 1 && !this.showWater;
    }

    fog(depth) {
      const far = (this.scene.radius - depth) / (2 * this.scene.radius);
      return Math.max(0, Math.min(FOG_LEVELS - 1, Math.floor(far * FOG_LEVELS)));
    }

    /** Atoms (numbers from 0) and halves of bonds (numbers from the atoms' count), the farthest first. */
    sorted() {
      const { atoms, bonds, radius, reach, kinds, elements } = this.scene;
      const { order, keys, starts, depth, first } = this;
      const push = (BUCKETS - 1) / (2.4 * radius);
      const bucket = (z) => Math.max(0, Math.min(BUCKETS - 1, ((z + 1.2 * radius) * push) | 0));
      const items = this.items ?? (this.items = new Uint32Array(order.length));
      let count = 0;
      starts.fill(0);
      const add = (item, z) => {
        items[count] = item;
        starts[(keys[count++] = bucket(z)) + 1] += 1;
      };
      for (let i = 0; i < atoms; i++) if (!this.hidden(i)) add(i, depth[i]);
      for (let b = 0; this.style !== "spheres" && b < bonds.length; b += 2) {
        const [i, j] = [bonds[b], bonds[b + 1]];
        if (this.hidden(i)) continue;
        const dx = first[3 * i] - first[3 * j];
        const dy = first[3 * i + 1] - first[3 * j + 1];
        const dz = first[3 * i + 2] - first[3 * j + 2];
        const limit = reach * (elements[kinds[i]].covalent + elements[kinds[j]].covalent);
        if (dx * dx + dy * dy + dz * dz > limit * limit) continue; // broken, or across a boundary
        add(atoms + b, 0.75 * depth[i] + 0.25 * depth[j]);
        add(atoms + b + 1, 0.25 * depth[i] + 0.75 * depth[j]);
      }
      for (let k = 0; k < BUCKETS; k++) starts[k + 1] += starts[k];
      for (let k = 0; k < count; k++) order[starts[keys[k]]++] = items[k];
      return count;
    }

    drawBodies() {
      const { atoms } = this.scene;
      const count = this.sorted();
      for (let k = 0; k < count; k++) {
        const item = this.order[k];
        if (item < atoms) this.drawBall(item);
        else this.drawHalfBond(item - atoms);
      }
    }

    thin(i) {
      return this.solute && this.scene.water[i] === 1;
    }

    ballRadius(i) {
      const element = this.scene.elements[this.scene.kinds[i]];
      if (this.style === "spheres") return element.sphere;
      if (this.thin(i)) return 0.06;
      return this.style === "sticks" ? 0.16 : element.ball;
    }

    drawBall(i) {
      const radius = this.ballRadius(i) * this.size[i];
      const wide = 2 * radius;
      const size = SPRITE_SIZES.find((edge) => edge >= wide) ?? SPRITE_SIZES[SPRITE_SIZES.length - 1];
      const sprite = this.paint.sprite(this.scene.kinds[i], this.fog(this.depth[i]), size);
      this.context.drawImage(sprite, this.x[i] - radius, this.y[i] - radius, wide, wide);
    }

    /** The half at the first atom of a bond (even place) or at the second (odd place). */
    drawHalfBond(place) {
      const { bonds, kinds } = this.scene;
      const i = bonds[place];
      const j = bonds[place ^ 1];
      const { x, y, context } = this;
      const [mx, my] = [(x[i] + x[j]) / 2, (y[i] + y[j]) / 2];
      const long = Math.hypot(mx - x[i], my - y[i]);
      const flat = this.depth[j] > this.depth[i] ? 0.8 * this.ballRadius(i) * this.size[i] : 0; // not over its own ball
      const begin = Math.min(0.95, flat / Math.max(long, 1e-6));
      const wide = (this.thin(i) ? 0.09 : this.style === "sticks" ? 0.3 : 0.24) * this.size[i];
      const color = this.paint.elements[kinds[i]][this.fog(this.depth[i])];
      const [bx, by] = [x[i] + begin * (mx - x[i]), y[i] + begin * (my - y[i])];
      const line = (style, width) => {
        context.strokeStyle = style;
        context.lineWidth = width;
        context.beginPath();
        context.moveTo(bx, by);
        context.lineTo(mx, my);
        context.stroke();
      };
      if (wide < 4) {
        line(color.base, Math.max(1, wide));
        return;
      }
      line(color.shade, wide);
      line(color.base, 0.66 * wide);
      line(color.light, 0.2 * wide);
    }

    /** For many atoms: squares, the heavy ones large, in order of depth. */
    drawDots() {
      const { atoms, kinds, elements, radius } = this.scene;
      const { starts, order, keys, depth, context } = this;
      const push = (BUCKETS - 1) / (2.4 * radius);
      starts.fill(0);
      for (let i = 0; i < atoms; i++) {
        keys[i] = Math.max(0, Math.min(BUCKETS - 1, ((depth[i] + 1.2 * radius) * push) | 0));
        starts[keys[i] + 1] += 1;
      }
      for (let k = 0; k < BUCKETS; k++) starts[k + 1] += starts[k];
      for (let i = 0; i < atoms; i++) order[starts[keys[i]]++] = i;
      let style = "";
      for (let k = 0; k < atoms; k++) {
        const i = order[k];
        if (this.hidden(i)) continue;
        const color = this.paint.elements[kinds[i]][this.fog(depth[i])].base;
        if (color !== style) context.fillStyle = style = color;
        const edge = Math.max(1, (this.thin(i) ? 0.45 : 2 * elements[kinds[i]].ball) * this.size[i]);
        context.fillRect(this.x[i] - edge / 2, this.y[i] - edge / 2, edge, edge);
      }
    }

    /** The edges of the box on the screen, with their depth. */
    edges() {
      const { boxes, corners, center } = this.scene;
      if (boxes.length === 0) return [];
      const at = boxes.length === 1 ? 0 : this.frame;
      const place = (corner) => {
        const p = [0, 1, 2].map((k) => {
          const along = corner[0] * boxes[at][k] + corner[1] * boxes[at][3 + k] + corner[2] * boxes[at][6 + k];
          return along + (corners[at] ?? corners[0])[k] - center[k];
        });
        const [sx, sy, sz] = this.rotation.map((row) => row[0] * p[0] + row[1] * p[1] + row[2] * p[2]);
        const near = (this.scale * this.eye) / Math.max(0.2 * this.eye, this.eye - sz);
        return [this.middle[0] + sx * near, this.middle[1] - sy * near, sz];
      };
      const made = [];
      for (let axis = 0; axis < 3; axis++) {
        for (const [u, v] of [[0, 0], [0, 1], [1, 0], [1, 1]]) {
          const from = [0, 0, 0];
          from[(axis + 1) % 3] = u;
          from[(axis + 2) % 3] = v;
          const to = [...from];
          to[axis] = 1;
          made.push([place(from), place(to)]);
        }
      }
      return made;
    }

    /** Edges behind the middle are drawn before the atoms, the others over them. */
    drawEdges(edges, behind) {
      const { context } = this;
      context.strokeStyle = this.boxColor;
      context.lineWidth = this.ratio;
      context.globalAlpha = behind ? 0.35 : 0.6;
      context.beginPath();
      for (const [from, to] of edges) {
        if (from[2] + to[2] < 0 !== behind) continue;
        context.moveTo(from[0], from[1]);
        context.lineTo(to[0], to[1]);
      }
      context.stroke();
      context.globalAlpha = 1;
    }
  }

  for (const root of document.querySelectorAll("figure.viewer")) new Viewer(root);
})();
