'use strict';
(function () {
  const tree = JSON.parse(document.getElementById('data').textContent);
  const { name, depth, weight, own, net } = tree.frames;
  const count = name.length;
  const byId = id => document.getElementById(id);
  const canvas = byId('canvas'), chart = byId('chart'), tip = byId('tip');
  const ROW = 19, FONT = '12px system-ui, sans-serif';

  // Where each frame starts, who called it, and the first frame that is not above it.
  const start = new Float64Array(count), parent = new Int32Array(count).fill(-1);
  const end = new Int32Array(count).fill(count);
  let rows = 0;
  {
    const next = [0], open = [];
    for (let i = 0; i < count; i++) {
      const d = depth[i];
      while (open.length > d) end[open.pop()] = i;
      if (d > 0) parent[i] = open[d - 1];
      open.push(i);
      start[i] = next[d];
      next[d] += weight[i];
      next[d + 1] = start[i];
      rows = Math.max(rows, d + 1);
    }
  }

  // --- Words -------------------------------------------------------------------------------------
  function amount(value) {
    const size = Math.abs(value);
    let unit = tree.units[0];
    for (const u of tree.units) if (size >= u[0]) unit = u;
    if (!unit) return value.toLocaleString('en-US');
    return (value / unit[0]).toFixed(2).replace(/\.00$/, '') + unit[1];
  }
  function percent(value) {
    return tree.total ? (100 * value / tree.total).toFixed(2) + '%' : '0%';
  }
  function describe(i) {
    const shown = tree.difference ? net[i] : weight[i];
    let text = `${amount(shown)} (${percent(shown)})`;
    if (!tree.difference && own[i]) text += `, itself ${amount(own[i])} (${percent(own[i])})`;
    return text;
  }

  // --- Drawing -----------------------------------------------------------------------------------
  let zoomed = 0, chosen = 0, hovered = -1, matches = null, dark = false;
  const pen = canvas.getContext('2d');

  function color(i) {
    const hit = matches && matches[name[i]];
    if (hit) return dark ? 'hsl(285 70% 45%)' : 'hsl(285 85% 75%)';
    if (tree.difference) {
      const share = weight[i] ? net[i] / weight[i] : 0, part = Math.abs(share);
      const hue = share > 0 ? 4 : 140;
      return `hsl(${hue} ${70 * part}% ${dark ? 30 + 10 * part : 85 - 15 * part}%)`;
    }
    if (i === 0) return dark ? '#3a3c40' : '#dedede';
    return `hsl(${tree.hues[name[i]]} ${dark ? 35 : 60}% ${dark ? 32 : 80}%)`;
  }

  // The longest way to write a name that fits: whole, then its last parts, then the last part cut.
  function label(text, width) {
    if (pen.measureText(text).width <= width) return text;
    const parts = text.split(/(?<=::|\/|\.)(?=[^:./])/);
    for (let i = 1; i < parts.length; i++) {
      const tail = parts.slice(i).join('');
      if (pen.measureText(tail).width <= width) return tail;
    }
    const room = Math.floor(width / 7) - 1;
    return room > 2 ? parts[parts.length - 1].slice(0, room) + '…' : '';
  }

  function geometry() {
    const scale = canvas.clientWidth / weight[zoomed];
    return { scale, left: start[zoomed] };
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1, width = chart.clientWidth;
    const height = rows * ROW;
    canvas.style.height = height + 'px';
    // Browsers refuse larger canvases.
    canvas.width = Math.min(width * ratio, 16000);
    canvas.height = Math.min(height * ratio, 16000);
    pen.setTransform(canvas.width / width, 0, 0, canvas.height / height, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = FONT;
    pen.textBaseline = 'middle';
    const { scale, left } = geometry();
    for (let i = 0; i < count;) {
      const caller = i < zoomed && end[i] > zoomed;
      const x = caller ? 0 : (start[i] - left) * scale;
      const w = caller ? width : weight[i] * scale;
      if (w < 0.5 || x > width || x + w < 0) { i = end[i]; continue; }
      const y = depth[i] * ROW, gap = w > 3 ? 1 : 0;
      pen.globalAlpha = caller ? 0.55 : 1;
      pen.fillStyle = color(i);
      pen.fillRect(x, y, w - gap, ROW - 1);
      if (i === chosen || i === hovered) {
        pen.strokeStyle = dark ? '#fff' : '#000';
        pen.strokeRect(x + 0.5, y + 0.5, Math.max(w - gap - 1, 0), ROW - 2);
      }
      if (w > 24) {
        pen.fillStyle = dark ? '#f2f2f2' : '#111';
        pen.fillText(label(tree.names[name[i]], w - 7), Math.max(x, 0) + 3, y + ROW / 2);
      }
      i++;
    }
    pen.globalAlpha = 1;
  }
  let pending = false;
  function redraw() {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => { pending = false; draw(); });
  }

  function at(event) {
    const box = canvas.getBoundingClientRect();
    const row = Math.floor((event.clientY - box.top) / ROW);
    const { scale, left } = geometry();
    const place = left + (event.clientX - box.left) / scale;
    for (let i = 0; i < count;) {
      const caller = i < zoomed && end[i] > zoomed;
      if (!caller && (place < start[i] || place >= start[i] + weight[i])) { i = end[i]; continue; }
      if (depth[i] === row) return i;
      i++;
    }
    return -1;
  }

  // --- Doing -------------------------------------------------------------------------------------
  function choose(i) {
    chosen = i;
    byId('details').textContent = `${tree.names[name[i]]}: ${describe(i)}`;
    redraw();
  }
  function zoom(i) {
    if (!weight[i]) return;
    zoomed = i;
    choose(i);
  }
  function search(text) {
    matches = null;
    let info = '';
    if (text) {
      let test = n => n.toLowerCase().includes(text.toLowerCase());
      try { const pattern = new RegExp(text, 'i'); test = n => pattern.test(n); } catch (e) { /* as text */ }
      matches = tree.names.map(test);
      let sum = 0;
      // A match within a match counts once.
      for (let i = 1; i < count;) {
        if (matches[name[i]]) { sum += weight[i]; i = end[i]; } else i++;
      }
      info = `${matches.filter(Boolean).length} names, ${percent(sum)}`;
    }
    byId('found').textContent = info;
    redraw();
  }
  function children(i) {
    const list = [];
    for (let c = i + 1; c < end[i]; c = end[c]) list.push(c);
    return list;
  }
  function sibling(by) {
    if (chosen === 0) return;
    const list = children(parent[chosen]), next = list[list.indexOf(chosen) + by];
    if (next !== undefined) choose(next);
  }
  function setTheme(on) {
    dark = on;
    document.documentElement.dataset.theme = on ? 'dark' : 'light';
    redraw();
  }

  canvas.addEventListener('click', event => {
    const i = at(event);
    if (i >= 0) zoom(i);
  });
  canvas.addEventListener('mousemove', event => {
    const i = at(event);
    tip.hidden = i < 0;
    if (i >= 0) {
      tip.textContent = `${tree.names[name[i]]}\n${describe(i)}`;
      const right = event.clientX > innerWidth / 2, low = event.clientY > innerHeight / 2;
      tip.style.left = right ? '' : event.clientX + 14 + 'px';
      tip.style.right = right ? innerWidth - event.clientX + 14 + 'px' : '';
      tip.style.top = low ? '' : event.clientY + 14 + 'px';
      tip.style.bottom = low ? innerHeight - event.clientY + 14 + 'px' : '';
    }
    if (i !== hovered) { hovered = i; redraw(); }
  });
  canvas.addEventListener('mouseleave', () => { tip.hidden = true; hovered = -1; redraw(); });
  byId('search').addEventListener('input', event => search(event.target.value));
  byId('reset').addEventListener('click', () => zoom(0));
  byId('theme').addEventListener('click', () => setTheme(!dark));
  addEventListener('resize', redraw);

  const keys = {
    ArrowDown: () => { const [first] = children(chosen); if (first !== undefined) choose(first); },
    ArrowUp: () => { if (parent[chosen] >= 0) choose(parent[chosen]); },
    ArrowLeft: () => sibling(-1),
    ArrowRight: () => sibling(1),
    Enter: () => zoom(chosen),
    Escape: () => zoom(0),
    t: () => setTheme(!dark),
    '/': () => byId('search').focus(),
  };
  addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === byId('search')) {
      if (event.key === 'Escape') { event.target.value = ''; search(''); chart.focus(); }
      return;
    }
    if (event.target.tagName === 'BUTTON' && event.key === 'Enter') return;
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });

  byId('title').textContent = tree.title;
  byId('legend').textContent = tree.legend.join('\n')
    + (tree.dropped ? `\n${tree.dropped} callees are too narrow to be shown.` : '');
  setTheme(matchMedia('(prefers-color-scheme: dark)').matches);
  if (count) zoom(0);
})();
