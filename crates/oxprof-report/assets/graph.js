// Moving, searching and following a call graph. Works in a browser that shows the SVG alone, and where
// the SVG is part of a page. Everything that it needs is in the document.
(function () {
  'use strict';
  const script = document.currentScript;
  const svg = (script && script.ownerSVGElement) || document.documentElement;
  const viewport = svg.querySelector('#viewport');
  if (!viewport || svg.dataset.ready) return;
  svg.dataset.ready = 'yes';

  const nodes = [...viewport.querySelectorAll('.node')];
  const edges = [...viewport.querySelectorAll('.edge')];
  const parts = [...viewport.querySelectorAll('.node, .nodelet, .edge')];
  const titleOf = part => (part.querySelector('title') || { textContent: '' }).textContent;

  // --- Where we look -----------------------------------------------------------------------------
  let view = { x: 0, y: 0, scale: 1 };
  function show() {
    viewport.setAttribute('transform', `translate(${view.x} ${view.y}) scale(${view.scale})`);
  }
  function here(event) {
    return new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  }
  function zoom(at, factor) {
    const scale = Math.min(40, Math.max(0.1, view.scale * factor));
    const ratio = scale / view.scale;
    view = { x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio, scale };
    show();
  }
  function zoomMiddle(factor) {
    const box = svg.viewBox.baseVal;
    zoom({ x: box.x + box.width / 2, y: box.y + box.height / 2 }, factor);
  }
  function center(node) {
    const box = svg.viewBox.baseVal, place = node.getBBox();
    const scale = Math.max(view.scale, Math.min(box.width / place.width / 8, 4));
    view = {
      x: box.x + box.width / 2 - (place.x + place.width / 2) * scale,
      y: box.y + box.height / 2 - (place.y + place.height / 2) * scale,
      scale,
    };
    show();
  }
  function reset() { view = { x: 0, y: 0, scale: 1 }; show(); }

  svg.addEventListener('wheel', event => {
    event.preventDefault();
    zoom(here(event), Math.exp(-Math.max(-100, Math.min(100, event.deltaY)) / 400));
  }, { passive: false });

  const fingers = new Map();
  let moved = 0;
  svg.addEventListener('pointerdown', event => {
    if (event.button !== 0) return;
    if (!fingers.size) moved = 0;
    fingers.set(event.pointerId, here(event));
  });
  svg.addEventListener('pointermove', event => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const now = here(event);
    moved += Math.abs(event.movementX) + Math.abs(event.movementY);
    if (moved > 4) svg.setPointerCapture(event.pointerId);
    if (fingers.size === 1) {
      view.x += now.x - before.x;
      view.y += now.y - before.y;
      show();
    } else {
      const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, p]) => p);
      const distance = p => Math.hypot(p.x - other.x, p.y - other.y);
      zoom(other, distance(now) / Math.max(1, distance(before)));
    }
    fingers.set(event.pointerId, now);
  });
  for (const end of ['pointerup', 'pointercancel']) {
    svg.addEventListener(end, event => fingers.delete(event.pointerId));
  }

  // --- Callers and callees -----------------------------------------------------------------------
  // A first click on a box shows its callers and callees, a second one all that lead there or are reached.
  let chosen = null, reach = 0;
  function related(start, far) {
    const kept = new Set([start]), ways = new Set();
    for (const [near, next] of [['to', 'from'], ['from', 'to']]) {
      const queue = [start], seen = new Set(queue);
      for (const node of queue) {
        for (const edge of edges) {
          if (edge.dataset[near] !== node) continue;
          const other = edge.dataset[next];
          ways.add(edge);
          kept.add(other);
          if (far && !seen.has(other)) { seen.add(other); queue.push(other); }
        }
      }
    }
    return { kept, ways };
  }
  function choose(node) {
    reach = node && node === chosen ? reach + 1 : 1;
    chosen = reach > 2 ? null : node;
    const { kept, ways } = chosen ? related(chosen, reach > 1) : {};
    for (const part of parts) {
      const shown = !chosen || (part.dataset.node ? kept.has(part.dataset.node) : ways.has(part));
      part.classList.toggle('dim', !shown);
      part.classList.toggle('chosen', Boolean(chosen) && part.classList.contains('node')
        && part.dataset.node === chosen);
    }
  }
  svg.addEventListener('click', event => {
    if (moved > 4) return;
    const node = event.target.closest('.node');
    choose(node ? node.dataset.node : null);
  });

  // --- Search ------------------------------------------------------------------------------------
  let query = '', found = [], at = -1, bar = null;
  function search(text) {
    query = text;
    let matches = () => false;
    if (text) {
      try {
        const pattern = new RegExp(text, 'i');
        matches = name => pattern.test(name);
      } catch (error) {
        matches = name => name.toLowerCase().includes(text.toLowerCase());
      }
    }
    found = nodes.filter(node => matches(titleOf(node)));
    at = -1;
    for (const node of nodes) node.classList.toggle('found', found.includes(node));
    report();
  }
  function step(by) {
    if (!found.length) return;
    at = (at + by + found.length) % found.length;
    center(found[at]);
    report();
  }
  function report() {
    if (bar) bar.count.textContent = query ? `${at < 0 ? '' : at + 1 + ' of '}${found.length} found` : '';
  }
  function makeBar() {
    const html = name => document.createElementNS('http://www.w3.org/1999/xhtml', name);
    const holder = document.createElementNS('http://www.w3.org/2000/svg', 'foreignObject');
    const box = html('div'), input = html('input'), count = html('span');
    input.setAttribute('placeholder', 'Search (regular expression)');
    input.setAttribute('aria-label', 'Search for functions');
    box.setAttribute('style', 'position:fixed;right:12px;top:12px;background:#fff;color:#000;'
      + 'border:1px solid #888;border-radius:6px;padding:6px;font:14px sans-serif');
    input.setAttribute('style', 'width:220px;margin-right:8px;font:inherit');
    input.addEventListener('input', () => search(input.value));
    input.addEventListener('keydown', event => {
      event.stopPropagation();
      if (event.key === 'Enter') step(event.shiftKey ? -1 : 1);
      if (event.key === 'Escape') close();
    });
    for (const name of ['click', 'pointerdown', 'wheel']) {
      box.addEventListener(name, event => event.stopPropagation());
    }
    box.append(input, count);
    // A foreign object without a size still shows what is placed relative to the window.
    holder.setAttribute('width', '1');
    holder.setAttribute('height', '1');
    holder.setAttribute('style', 'overflow:visible');
    holder.append(box);
    svg.append(holder);
    return { holder, input, count };
  }
  function open() {
    bar = bar || makeBar();
    bar.holder.style.display = '';
    bar.input.focus();
    bar.input.select();
  }
  function close() {
    search('');
    if (bar) { bar.input.value = ''; bar.holder.style.display = 'none'; }
  }

  const keys = {
    '/': open,
    '+': () => zoomMiddle(1.25),
    '=': () => zoomMiddle(1.25),
    '-': () => zoomMiddle(0.8),
    '0': reset,
    'n': () => step(1),
    'N': () => step(-1),
    'Escape': () => { choose(null); close(); },
    'ArrowLeft': () => { view.x += 40; show(); },
    'ArrowRight': () => { view.x -= 40; show(); },
    'ArrowUp': () => { view.y += 40; show(); },
    'ArrowDown': () => { view.y -= 40; show(); },
  };
  // A page around the picture has keys of its own.
  if (svg === document.documentElement) {
    document.addEventListener('keydown', event => {
      if ((event.ctrlKey || event.metaKey) && event.key === 'f') {
        event.preventDefault();
        open();
        return;
      }
      const act = !event.ctrlKey && !event.metaKey && !event.altKey && keys[event.key];
      if (act) { event.preventDefault(); act(); }
    });
  }
})();
