// The pages work without this script. It keeps them up to date without moving what
// somebody looks at, writes times in the zone that is chosen, and adds keys.

const root = document.documentElement;
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// Preferences are cookies, so that the server knows them, too.
function prefer(name, value) {
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `quotekit_${name}=${value}; Path=/dashboard; Max-Age=31536000; SameSite=Lax${secure}`;
  root.dataset[name] = value;
}

// Times

const pad = (n) => String(n).padStart(2, '0');

function stamp(t, local) {
  const iso = t.toISOString();
  if (!local) return `${iso.slice(0, 10)} ${iso.slice(11, 19)}`;
  return `${t.getFullYear()}-${pad(t.getMonth() + 1)}-${pad(t.getDate())} ` +
    `${pad(t.getHours())}:${pad(t.getMinutes())}:${pad(t.getSeconds())}`;
}

function ago(t) {
  const s = Math.round((Date.now() - t) / 1000);
  const [n, unit] = Math.abs(s) < 60 ? [s, 's'] : Math.abs(s) < 5400 ? [s / 60, 'min'] :
    Math.abs(s) < 172800 ? [s / 3600, 'h'] : [s / 86400, 'd'];
  return n < 0 ? `in ${Math.round(-n)} ${unit}` : `${Math.round(n)} ${unit} ago`;
}

function writeTimes(within) {
  const local = root.dataset.zone === 'local';
  for (const e of all('time[datetime]', within)) {
    const t = new Date(e.dateTime);
    if (Number.isNaN(t.getTime())) continue;
    const whole = stamp(t, local);
    e.textContent = 'ago' in e.dataset ? ago(t) : 'short' in e.dataset ? whole.slice(5, 16) : whole;
    if ('ago' in e.dataset) {
      e.title = `${whole} ${local ? 'local' : 'UTC'}`;
      continue;
    }
    e.title = `${ago(t)} · ${stamp(t, !local)} ${local ? 'UTC' : 'local'}`;
  }
}

function nameZone() {
  const local = root.dataset.zone === 'local';
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const e of all('[data-zone-name]')) e.textContent = local ? zone : 'UTC';
  const button = one('#zone');
  if (!button) return;
  button.hidden = false;
  button.textContent = local ? 'Local' : 'UTC';
  button.title = local ? `Times are in ${zone}; show them in UTC` : `Times are in UTC; show them in ${zone}`;
}

one('#zone')?.addEventListener('click', (event) => {
  event.preventDefault();
  prefer('zone', root.dataset.zone === 'local' ? 'utc' : 'local');
  nameZone();
  writeTimes(document);
});

// Theme

const themes = {system: 'Auto', light: 'Light', dark: 'Dark'};

function nextTheme() {
  const names = Object.keys(themes);
  const theme = names[(names.indexOf(root.dataset.theme) + 1) % names.length];
  prefer('theme', theme);
  one('#theme').textContent = themes[theme];
  one('#theme').title = `Theme: ${theme} (t)`;
  one('meta[name="color-scheme"]').content = theme === 'system' ? 'light dark' : theme;
}

one('#theme')?.addEventListener('click', (event) => {
  event.preventDefault();
  nextTheme();
});

// Announcements go to one polite region, a few seconds apart at least.

let announcement, announced = 0;

function announce(text) {
  clearTimeout(announcement);
  announcement = setTimeout(() => {
    announced = Date.now();
    one('#announce').textContent = text;
  }, Math.max(0, announced + 5000 - Date.now()));
}

// Copying works without https, too.

async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'hidden';
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (!done) throw new Error('the browser does not let us copy');
}

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  const words = button.textContent;
  try {
    await copy(button.dataset.copy);
    button.textContent = 'copied';
  } catch {
    button.textContent = 'not copied';
  }
  announce(button.textContent);
  setTimeout(() => { button.textContent = words; }, 1500);
});

// Selecting rows: form[data-bulk] has the boxes, and tells how many are chosen.

let lastBox;

function countChosen(form) {
  const boxes = all('tbody input[type="checkbox"]', form);
  const chosen = boxes.filter((box) => box.checked).length;
  for (const box of boxes) box.closest('tr')?.setAttribute('aria-selected', String(box.checked));
  for (const e of all('[data-selected]', form)) e.textContent = chosen === 0 ? '' : `${chosen} selected`;
  for (const e of all('[data-needs-selection]', form)) e.disabled = chosen === 0;
  const every = one('[data-select-all]', form);
  if (!every) return;
  every.hidden = false;
  every.checked = chosen > 0 && chosen === boxes.length;
  every.indeterminate = chosen > 0 && chosen < boxes.length;
}

document.addEventListener('click', (event) => {
  const box = event.target.closest('form[data-bulk] input[type="checkbox"]');
  if (!box) return;
  const form = box.closest('form');
  const boxes = all('tbody input[type="checkbox"]', form);
  if (box.matches('[data-select-all]')) {
    for (const b of boxes) b.checked = box.checked;
  } else if (event.shiftKey && lastBox && boxes.includes(lastBox)) {
    const [from, to] = [boxes.indexOf(lastBox), boxes.indexOf(box)].sort((a, b) => a - b);
    for (const b of boxes.slice(from, to + 1)) b.checked = box.checked;
  }
  lastBox = box;
  countChosen(form);
});

// decorate does to a part of the page what the server could not.
function decorate(within) {
  writeTimes(within);
  for (const e of all('[data-copy]', within)) e.hidden = false;
  for (const form of all('form[data-bulk]', within)) countChosen(form);
  for (const e of all('[data-goes-on-change]', within)) {
    e.addEventListener('change', () => e.form.requestSubmit());
  }
}

// Where the navigation is a line, the entry of this page may be beyond its end.
const nav = one('nav.side');
const here = one('nav.side [aria-current]');
if (nav && here) nav.scrollLeft = here.offsetLeft - nav.clientWidth / 2;

// Live. Elements with data-live are replaced by those of the same id in the page as
// it is now. What is under the pointer or has the focus waits until it is left.

const live = one('#live');
const asWritten = new Map(); // by id, as the server wrote it
const waiting = new Map(); // by id, what will be shown when the region is left
let etag = null, dataFrom = new Date(), paused = false, loggedOut = false;

for (const region of all('[data-live][id]')) asWritten.set(region.id, region.innerHTML);
decorate(document);
nameZone();
setInterval(() => {
  if (!document.hidden) for (const e of all('time[data-ago]')) e.textContent = ago(new Date(e.dateTime));
}, 5000);

// touched reports whether somebody has filled in something that is not sent yet.
const touched = (e) => all('input, textarea, select', e).some((field) =>
  field.type === 'checkbox' || field.type === 'radio' ? field.checked !== field.defaultChecked :
    field.options ? [...field.options].some((o) => o.selected !== o.defaultSelected) && field.selectedIndex !== 0 :
      field.type !== 'hidden' && field.value !== field.defaultValue);

const inUse = (e) => e.matches(':hover') || e.contains(document.activeElement) || touched(e);

function show(region, html) {
  const open = all('details', region).map((d) => d.open);
  const scrolled = all('.scroll', region).map((s) => s.scrollLeft);
  region.innerHTML = html;
  all('details', region).forEach((d, i) => { if (open[i] !== undefined) d.open = open[i]; });
  all('.scroll', region).forEach((s, i) => { s.scrollLeft = scrolled[i] ?? 0; });
  decorate(region);
}

function leave(region) {
  if (!waiting.has(region.id) || inUse(region)) return;
  const html = waiting.get(region.id);
  waiting.delete(region.id);
  show(region, html);
}

document.addEventListener('pointerout', (event) => {
  const region = event.target.closest?.('[data-live]');
  if (region && !region.contains(event.relatedTarget)) leave(region);
});
document.addEventListener('focusout', (event) => {
  const region = event.target.closest?.('[data-live]');
  if (region) setTimeout(() => leave(region));
});

// showList changes rows where they are and offers to load those that are new.
function showList(region, fresh) {
  const rows = (within) => new Map(all('tr[data-key]', within).map((row) => [row.dataset.key, row]));
  const old = rows(region), now = rows(fresh);
  const added = [...now.keys()].filter((key) => !old.has(key)).length;
  if (old.size === 0 && now.size > 0 && !inUse(region)) { // it was empty: nothing moves
    show(region, fresh.innerHTML);
    return;
  }
  for (const [key, row] of now) {
    const was = old.get(key);
    if (!was || inUse(was)) continue;
    const chosen = one('input[type="checkbox"]', was)?.checked;
    const replacement = document.importNode(row, true);
    was.replaceWith(replacement);
    const box = one('input[type="checkbox"]', replacement);
    if (box && chosen) box.checked = true;
    decorate(replacement);
  }
  for (const [key, row] of old) row.classList.toggle('gone', !now.has(key));
  const form = region.closest('form[data-bulk]') ?? one('form[data-bulk]', region);
  if (form) countChosen(form);
  offer(region, added);
}

function offer(region, added) {
  let button = document.getElementById(`${region.id}-new`);
  if (added === 0) {
    button?.remove();
    return;
  }
  const words = added === 1 ? '1 new, load' : `${added} new, load`;
  if (!button) {
    button = document.createElement('button');
    button.type = 'button';
    button.id = `${region.id}-new`;
    button.className = 'new';
    button.addEventListener('click', () => location.reload());
    region.before(button);
  }
  if (button.textContent !== words) {
    button.textContent = words;
    announce(words.replace(', load', ' in the list'));
  }
}

async function refresh() {
  const headers = {'X-Quotekit-Live': '1'};
  if (etag) headers['If-None-Match'] = etag;
  const answer = await fetch(location.href, {headers, cache: 'no-store', credentials: 'same-origin'});
  if (answer.status === 401) {
    loggedOut = true;
    stopListening();
    mark('out');
    return;
  }
  if (answer.status === 304) {
    dataFrom = new Date();
    return;
  }
  if (!answer.ok) throw new Error(`the page is answered ${answer.status}`);
  etag = answer.headers.get('ETag');
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
  dataFrom = new Date();
  for (const region of all('[data-live][id]')) {
    const now = fresh.getElementById(region.id);
    if (!now && region.dataset.live === 'until' && !inUse(region)) { // another page stands there now
      location.reload();
      return;
    }
    if (!now || now.innerHTML === asWritten.get(region.id)) continue;
    asWritten.set(region.id, now.innerHTML);
    if (region.dataset.live === 'list') showList(region, now);
    else if (inUse(region)) waiting.set(region.id, now.innerHTML);
    else show(region, now.innerHTML);
  }
}

// One refresh at a time, and none sooner than is polite: the slower the answers, the
// rarer they are asked for.

let busy = false, wanted = false, notBefore = 0;

async function want() {
  if (paused || loggedOut || document.hidden) return;
  if (busy) {
    wanted = true;
    return;
  }
  busy = true;
  await new Promise((done) => { setTimeout(done, Math.max(0, notBefore - performance.now())); });
  const began = performance.now();
  try {
    if (!paused && !document.hidden) await refresh();
    if (source?.readyState === EventSource.OPEN) mark('live');
  } catch {
    mark(source?.readyState === EventSource.OPEN ? 'stale' : 'reconnecting');
  }
  notBefore = performance.now() + Math.max(2000, 5 * (performance.now() - began));
  busy = false;
  if (wanted) {
    wanted = false;
    want();
  }
}

let source = null, again, polling, lost = 0;

const concerns = (topics) => {
  const ours = one('main')?.dataset.topics;
  return !ours || topics.some((topic) => ours.split(' ').includes(topic));
};

function listen() {
  stopListening();
  if (paused || loggedOut || document.hidden) return;
  source = new EventSource('/dashboard/stream');
  const connected = () => {
    lost = 0;
    clearInterval(polling);
    polling = undefined;
    mark('live');
  };
  source.addEventListener('open', connected);
  source.addEventListener('here', want);
  source.addEventListener('resync', want);
  source.addEventListener('change', (event) => { if (concerns(event.data.split(' '))) want(); });
  source.addEventListener('error', () => {
    lost ||= Date.now();
    mark(polling ? 'polling' : 'reconnecting');
    if (source.readyState === EventSource.CLOSED) { // the browser gives up; we do not
      clearTimeout(again);
      again = setTimeout(listen, 3000 + Math.random() * 4000);
    }
    if (!polling && Date.now() - lost > 30000) {
      polling = setInterval(want, 10000);
      mark('polling');
      want();
    }
  });
}

function stopListening() {
  clearTimeout(again);
  source?.close();
  source = null;
}

const clock = () => stamp(dataFrom, root.dataset.zone === 'local').slice(11);
const states = {
  live: () => 'live',
  paused: () => `paused, data from ${clock()}`,
  reconnecting: () => `reconnecting, data from ${clock()}`,
  polling: () => `polling, data from ${clock()}`,
  stale: () => `data from ${clock()}`,
  out: () => 'logged out',
};

function mark(state) {
  if (!live) return;
  const before = live.dataset.state;
  live.dataset.state = state;
  one('#live-text').textContent = states[state]();
  one('#live-toggle').setAttribute('aria-pressed', String(paused));
  one('#live-toggle').title = state === 'out' ? 'Log in again' : paused ? 'Go on with updates (p)' : 'Pause updates (p)';
  if (before && before !== state) announce(`Updates: ${states[state]()}`);
}

function pause(on) {
  if (loggedOut) {
    location.reload();
    return;
  }
  paused = on;
  if (paused) {
    stopListening();
    mark('paused');
  } else {
    mark('reconnecting');
    listen();
    want();
  }
}

if (live) {
  live.hidden = false;
  mark('reconnecting');
  one('#live-toggle').addEventListener('click', () => pause(!paused));
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      stopListening();
    } else if (!paused) {
      listen();
    }
  });
  window.addEventListener('pagehide', stopListening);
  window.addEventListener('pageshow', (event) => { if (event.persisted) listen(); });
  listen();
}

// Charts: dragging across one shows the range of time that was dragged.

document.addEventListener('pointerdown', (event) => {
  const svg = event.target.closest('svg[data-from]');
  if (!svg || event.button !== 0 || event.pointerType === 'touch') return;
  const box = svg.getBoundingClientRect();
  const {left, right, width, height} = svg.dataset;
  const x = (e) => Math.min(+right, Math.max(+left, (e.clientX - box.left) / box.width * width));
  const from = x(event);
  let to = from;
  const band = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  band.setAttribute('class', 'band');
  band.setAttribute('y', '0');
  band.setAttribute('height', height);
  svg.append(band);
  event.preventDefault();
  const move = (e) => {
    to = x(e);
    band.setAttribute('x', String(Math.min(from, to)));
    band.setAttribute('width', String(Math.abs(to - from)));
  };
  const end = () => {
    removeEventListener('pointermove', move);
    band.remove();
    if (Math.abs(to - from) < 6) return;
    const begin = Date.parse(svg.dataset.from), length = Date.parse(svg.dataset.to) - begin;
    const at = (v) => new Date(begin + (v - left) / (right - left) * length).toISOString().replace(/\.\d+Z$/, 'Z');
    const url = new URL(location.href);
    for (const name of ['range', 'days_back', 'cursor']) url.searchParams.delete(name);
    url.searchParams.set('from', at(Math.min(from, to)));
    url.searchParams.set('to', at(Math.max(from, to)));
    location.assign(url);
  };
  addEventListener('pointermove', move);
  addEventListener('pointerup', end, {once: true});
});

// Keys. They can be turned off, and do nothing while somebody types.

const keysDialog = one('#keys');

if (one('#help')) {
  one('#help').hidden = false;
  one('#help').addEventListener('click', () => keysDialog.showModal());
}

let afterG = 0;

const rowOf = (e) => e?.closest?.('main tbody tr');
const rowsWithLinks = () => all('main tbody tr').filter((row) => one('a[href], input[type="checkbox"]', row) && row.offsetParent);

function move(step) {
  const rows = rowsWithLinks();
  if (rows.length === 0) return;
  const at = rows.indexOf(rowOf(document.activeElement));
  const row = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
  (one('a[href]', row) ?? one('input[type="checkbox"]', row)).focus();
  row.scrollIntoView({block: 'nearest'});
}

// press clicks what has a key, in the row at hand first.
function press(key) {
  const within = rowOf(document.activeElement);
  const target = (within && one(`[data-press="${key}"]`, within)) ?? one(`main [data-press="${key}"]`);
  if (target && !target.disabled) target.click();
}

const keys = {
  '?': () => keysDialog.showModal(),
  '/': () => one('#q').focus(),
  j: () => move(1),
  k: () => move(-1),
  x: () => one('input[type="checkbox"]', rowOf(document.activeElement) ?? document.createElement('tr'))?.click(),
  r: () => press('r'),
  e: () => press('e'),
  p: () => live && pause(!paused),
  t: nextTheme,
};

document.addEventListener('keydown', (event) => {
  if (root.dataset.keys === 'off' || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !keysDialog) return;
  const typing = event.target.closest('textarea, select, [contenteditable], input:not([type="checkbox"]):not([type="radio"])');
  if (typing || one('dialog[open]')) return;
  if (Date.now() - afterG < 1500) {
    afterG = 0;
    const link = one(`nav [data-letter="${CSS.escape(event.key)}"]`);
    if (link) {
      event.preventDefault();
      link.click();
    }
    return;
  }
  if (event.key === 'g') {
    afterG = Date.now();
    return;
  }
  const act = Object.hasOwn(keys, event.key) && keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
