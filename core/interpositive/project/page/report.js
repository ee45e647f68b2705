"use strict";
// Builds the page from the data in it. Text from the project only ever becomes text nodes.
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const shots = new Map(data.shots.map((shot) => [shot.id, shot]));
  const number = (value, digits) => value.toFixed(digits).replace(/^-(?=0(\.0*)?$)/, "").replace("-", "\u2212");
  const signed = (value, digits) => (Number(value.toFixed(digits)) > 0 ? "+" : "") + number(value, digits);
  const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
  const QUANTITIES = {
    exposure: { title: "Exposure", unit: "stops", show: (v) => signed(v, 2), up: "brighter", down: "darker" },
    "white balance": { title: "White balance", unit: "mireds", show: (v) => signed(v, 0), up: "warmer", down: "cooler" },
    tint: { title: "Tint", unit: "Duv", show: (v) => signed(v, 4), up: "greener", down: "more magenta" },
    contrast: { title: "Contrast", unit: "stops", show: (v) => signed(v, 1), up: "harder", down: "flatter" },
    lens: { title: "Lens", unit: "mm", show: (v) => signed(v, 0), up: "longer", down: "shorter" },
    "key light": { title: "Key light", unit: "degrees", show: (v) => number(v, 0), up: "away", down: "away" },
  };
  const names = Object.keys(QUANTITIES);
  const state = { sort: "scene", down: false, text: "", scene: "", out: false, chosen: null, wipe: 50 };

  function el(tag, settings, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(settings || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "class") node.className = value;
      else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return node;
  }
  const sceneOf = (shot) => data.scenes[shot.scene];
  const sceneTitle = (scene) => `${scene.grouped_by === "scene" ? "Scene" : scene.grouped_by === "reel" ? "Reel" : "Folder"} ${scene.name}`;

  // ---------------------------------------------------------------- head

  function head() {
    const out = data.shots.filter((shot) => shot.out.length).length;
    const limits = data.limits;
    $("title").textContent = `${data.project.title} \u2013 continuity`;
    $("facts").textContent =
      `${plural(data.scenes.length, "scene")}, ${plural(data.shots.length, "shot")}, ${out.toLocaleString("en")} out of line. ` +
      `Limits: ${limits.exposure_stops} stops, ${limits.white_balance_mireds} mireds, ${limits.tint_duv} Duv, contrast ${limits.contrast_stops} stops, ` +
      `lens \u00d7${limits.focal_ratio}, key light ${limits.key_deg}\u00b0.`;
    const select = $("scene");
    select.append(el("option", { value: "" }, "all"));
    for (const scene of data.scenes) {
      const told = scene.out ? ` (${scene.out} of ${scene.shots} out)` : ` (${scene.shots})`;
      select.append(el("option", { value: String(scene.index) }, sceneTitle(scene) + told));
    }
    $("foot").textContent =
      `${data.made_by}, ${data.created.replace("T", " ").replace("Z", " UTC")}. View: ${data.view}. CDLs work in ${data.cdl_space}. ` +
      "Keys: j k, / search, o out of line, w wipe, Enter panel, Esc back.";
  }

  // ---------------------------------------------------------------- table

  const columns = [
    { key: "picture", title: "" },
    { key: "scene", title: "Shot" },
    ...names.map((name) => ({ key: name, title: QUANTITIES[name].title, unit: QUANTITIES[name].unit, isNumber: true })),
    { key: "match", title: "Compared by" },
  ];
  const AT_ONCE = 60; // rows that are made before the page is first shown; the rest follow
  const rows = new Map();
  const bands = [];
  const rowOf = (shot) => rows.get(shot.id) || rows.set(shot.id, shotRow(shot)).get(shot.id);

  function header() {
    for (const column of columns) {
      const cell = el("th", { scope: "col", class: column.isNumber ? "number" : null });
      if (column.key === "picture") cell.append(el("span", { class: "hidden" }, "Picture"));
      else {
        const button = el("button", { type: "button", onclick: () => sortBy(column.key) }, column.title);
        if (column.unit) button.append(el("small", null, column.unit));
        cell.append(button);
      }
      cell.dataset.key = column.key;
      $("columns").append(cell);
    }
  }

  function amountCell(shot, name) {
    const found = shot.differences[name];
    const how = QUANTITIES[name];
    const cell = el("td", { class: found && found.out ? "number out" : "number" });
    if (!found) {
      cell.append(name === "lens" && shot.focal_mm ? el("small", null, `${shot.focal_mm} mm`) : "\u2013");
      return cell;
    }
    const rough = found.basis === "measured" && name !== "contrast" ? "\u2248" : "";
    cell.title = told(name, found);
    if (name === "lens") cell.append(el("span", { class: "amount" }, shot.focal_mm ? `${shot.focal_mm} mm` : "other series"),
      el("small", null, found.note ? "other series" : how.show(found.amount)));
    else {
      const fill = el("i");
      const share = Math.min(Math.abs(found.amount) / (2 * found.limit || 1), 1) * 50;
      fill.style.width = `${share}%`;
      fill.style.left = found.amount < 0 ? `${50 - share}%` : "50%";
      cell.append(el("span", { class: "amount" }, rough + how.show(found.amount) + (name === "key light" ? "\u00b0" : "")), el("span", { class: "bar" }, fill));
    }
    if (found.out) cell.append(el("span", { class: "hidden" }, "out of line"));
    return cell;
  }

  function told(name, found) {
    const how = QUANTITIES[name];
    const basis = { matched: "from what it shares with the hero", measured: "from its whole picture", header: "from its header", estimated: "estimated from the picture" }[found.basis];
    const word = !/[1-9]/.test(how.show(found.amount)) ? "as the scene" : found.amount > 0 ? how.up : how.down;
    const isAngle = name === "key light";
    const allowed = found.limit ? `, allowed ${isAngle ? "" : "\u00b1"}${Number(found.limit.toPrecision(2))}` : "";
    return `${how.show(found.amount)} ${how.unit} ${isAngle ? "away" : `(${word})`}${allowed}, ${basis}${found.note ? "; " + found.note : ""}`;
  }

  function tags(shot) {
    const found = [];
    if (shot.hero) found.push("hero");
    if (!shot.measures) found.push("not measured");
    if (shot.problems.length) found.push(plural(shot.problems.length, "problem"));
    if (!shot.training.allowed) found.push("no training");
    return found.map((text) => el("span", { class: "tag" }, text));
  }

  function matched(shot) {
    if (shot.hero) return [sceneOf(shot).hero_is_named ? "the hero" : "nearest to all"];
    if (!shot.match) return ["\u2013"];
    const sure = shot.match.confidence >= 0.3;
    return [sure ? shot.match.basis : "whole pictures", el("small", null, sure ? `${number(shot.match.confidence * 100, 0)} % sure` : "nothing shared")];
  }

  function shotRow(shot) {
    const picture = shot.pictures.small
      ? el("img", { src: shot.pictures.small, alt: "", loading: "lazy", decoding: "async" })
      : el("span", { class: "none" }, "no picture");
    const told = [shot.take ? `take ${shot.take}` : "", shot.timecode || ""].filter(Boolean).join("  ");
    const row = el("tr", { class: "shot", "aria-selected": "false", tabindex: "-1", onclick: () => choose(shot.id) },
      el("td", { class: "picture" }, picture),
      el("td", { class: "name" }, el("b", null, shot.name), el("small", { class: "where" }, sceneTitle(sceneOf(shot))), el("small", null, told), ...tags(shot)),
      ...names.map((name) => amountCell(shot, name)),
      el("td", null, ...matched(shot)));
    return row;
  }

  function band(scene) {
    const told = `${plural(scene.shots, "shot")}${scene.out ? `, ${scene.out} out of line` : ""}. ${scene.note}` +
      (scene.grouped_by === "scene" ? "" : ` No scene is known, so they are grouped by ${scene.grouped_by}.`);
    return el("tr", { class: "scene" }, el("th", { colspan: String(columns.length), scope: "rowgroup" }, el("b", null, sceneTitle(scene)), told));
  }

  function build() {
    for (const scene of data.scenes) bands.push(band(scene));
    for (const shot of data.shots) {
      shot.words = [shot.name, shot.path, shot.reel, shot.take, shot.camera, shot.lens, shot.timecode, sceneOf(shot).name,
        shot.out.join(" "), shot.problems.join(" "), shot.training.allowed ? "" : shot.training.reason,
        ...shot.events.map((event) => event.shot)].filter(Boolean).join("\n").toLocaleLowerCase();
    }
  }

  // ---------------------------------------------------------------- order and choice

  const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  function sortValue(shot, key) {
    if (key === "match") return shot.match ? shot.match.confidence : -1;
    return shot.differences[key] ? Math.abs(shot.differences[key].amount) : -1;
  }

  function visible() {
    const words = state.text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const found = data.shots.filter((shot) => (!state.out || shot.out.length) && (state.scene === "" || String(shot.scene) === state.scene) &&
      words.every((word) => shot.words.includes(word)));
    if (state.sort !== "scene") found.sort((a, b) => sortValue(b, state.sort) - sortValue(a, state.sort) || byName.compare(a.name, b.name));
    return state.down ? found.reverse() : found;
  }

  let waiting = 0, order = [], placed = 0;
  function place(count) {
    clearTimeout(waiting);
    const some = document.createDocumentFragment();
    const end = Math.min(order.length, placed + count);
    for (; placed < end; placed += 1) {
      const shot = order[placed], before = order[placed - 1];
      if (state.sort === "scene" && (!before || before.scene !== shot.scene)) some.append(bands[shot.scene]);
      some.append(rowOf(shot));
    }
    $("rows").append(some);
    if (placed < order.length) waiting = setTimeout(place, 0, 2 * AT_ONCE);
    document.documentElement.dataset.rows = placed < order.length ? "coming" : "all";
  }

  function show() {
    const found = order = visible();
    placed = 0;
    $("rows").replaceChildren();
    place(AT_ONCE);
    document.documentElement.dataset.sorted = state.sort === "scene" ? "scene" : "other";
    for (const cell of $("columns").children) {
      const order = (state.sort === "scene") !== state.down ? "ascending" : "descending";
      if (cell.dataset.key === state.sort) cell.setAttribute("aria-sort", order);
      else cell.removeAttribute("aria-sort");
    }
    $("shown").textContent = `${found.length.toLocaleString("en")} of ${plural(data.shots.length, "shot")}`;
    const empty = found.length === 0;
    $("nothing").hidden = !empty;
    $("nothing").textContent = !data.shots.length ? "The catalogue is empty. Run interpositive ingest first."
      : state.out && !state.text && !state.scene ? "No shot is out of line." : "No shot fits. Esc clears the search.";
  }

  function sortBy(key) {
    state.down = state.sort === key ? !state.down : false;
    state.sort = key;
    show();
  }

  function choose(id, { scroll = false } = {}) {
    const before = rows.get(state.chosen);
    if (before) { before.setAttribute("aria-selected", "false"); before.tabIndex = -1; }
    state.chosen = id;
    const row = shots.has(id) ? rowOf(shots.get(id)) : null;
    if (row) {
      if (scroll && !row.isConnected) place(order.length);
      row.setAttribute("aria-selected", "true");
      row.tabIndex = 0;
      if (scroll) { row.focus({ preventScroll: true }); row.scrollIntoView({ block: "nearest" }); }
    }
    detail(shots.get(id) || null);
    try { history.replaceState(null, "", id === null ? "#" : `#${id}`); } catch (error) { void error; } // some browsers refuse it for files
  }

  function step(by) {
    if (!order.length) return;
    const at = order.findIndex((shot) => shot.id === state.chosen);
    const next = at < 0 ? (by > 0 ? 0 : order.length - 1) : Math.min(Math.max(at + by, 0), order.length - 1);
    choose(order[next].id, { scroll: true });
  }

  // ---------------------------------------------------------------- one shot

  function detail(shot) {
    const panel = $("detail");
    panel.replaceChildren();
    if (!shot) { panel.append(el("p", null, data.shots.length ? "Choose a shot." : "")); return; }
    const where = [sceneTitle(sceneOf(shot)), shot.reel ? `reel ${shot.reel}` : "", shot.take ? `take ${shot.take}` : "", shot.timecode || ""].filter(Boolean).join(", ");
    panel.append(el("h2", null, shot.name), el("p", null, where));
    if (shot.pictures.before) panel.append(...pictures(shot));
    panel.append(differences(shot), grade(shot), facts(shot));
    if (shot.problems.length) panel.append(list("Problems", shot.problems, "inner"));
    panel.scrollTop = 0;
  }

  function pictures(shot) {
    const told = shot.out.length ? `out of line in ${shot.out.join(", ")}` : "in line";
    const wipe = el("div", { class: "wipe" }, el("img", { src: shot.pictures.before, alt: `${shot.name} as it is, ${told}` }));
    const parts = [wipe];
    if (shot.pictures.after) {
      const slider = el("input", { type: "range", min: "0", max: "100", value: String(state.wipe), id: "wipe", "aria-label": "Wipe between the shot as it is and with the proposed CDL" });
      const place = (value) => { state.wipe = value; slider.value = value; wipe.style.setProperty("--at", `${value}%`); };
      wipe.append(el("img", { class: "after", src: shot.pictures.after, alt: `${shot.name} with the proposed CDL` }), el("span", { class: "edge" }),
        el("span", { class: "side left" }, "as it is"), el("span", { class: "side right" }, "proposed CDL"));
      const drag = (event) => {
        const box = wipe.getBoundingClientRect();
        place(Math.round(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * 100));
      };
      wipe.addEventListener("pointerdown", (event) => { event.preventDefault(); wipe.setPointerCapture(event.pointerId); drag(event); });
      wipe.addEventListener("pointermove", (event) => { if (event.buttons) drag(event); });
      slider.addEventListener("input", () => place(Number(slider.value)));
      place(state.wipe);
      parts.push(el("div", { class: "wipe-line" }, el("span", null, "as it is"), slider, el("span", null, "proposed CDL"), el("kbd", null, "w")));
    }
    const scopes = el("div", { class: "scopes" }, scope(shot.pictures.scopes_before, shot.pictures.after ? "As it is" : "Scopes"));
    if (shot.pictures.scopes_after) scopes.append(scope(shot.pictures.scopes_after, "With the proposed CDL"));
    parts.push(scopes, el("p", { class: "legend" }, `Parade and vectorscope: code values of the view ${data.view}. Histogram: the scene's light, in stops about middle grey. Both of the frame above.`));
    return parts;
  }

  function scope(source, title) {
    return el("figure", null, el("figcaption", null, title), el("img", { src: source, alt: `${title}: RGB parade, vectorscope, histogram of scene-linear luminance`, loading: "lazy" }));
  }

  function differences(shot) {
    const scene = sceneOf(shot);
    const box = el("div", { class: "inner" }, el("h3", null, `Against ${sceneTitle(scene).toLowerCase().replace(scene.name.toLowerCase(), scene.name)}`));
    const found = names.filter((name) => shot.differences[name]);
    if (!found.length) { box.append(el("p", null, shot.hero ? "It is the reference of its scene." : shot.measures ? scene.note : "It was not measured.")); return box; }
    const table = el("table");
    for (const name of found) {
      const difference = shot.differences[name];
      table.append(el("tr", { class: difference.out ? "out" : null }, el("th", { scope: "row" }, QUANTITIES[name].title), el("td", null, told(name, difference) + (difference.out ? " \u2013 out of line" : ""))));
    }
    box.append(table, el("p", null, scene.note));
    return box;
  }

  function grade(shot) {
    const box = el("div", { class: "inner" }, el("h3", null, `Proposed CDL, ${data.cdl_space}`));
    if (!shot.cdl) {
      box.append(el("p", null, shot.hero ? "None: the others are brought to it." : shot.why_no_cdl || sceneOf(shot).note));
      return box;
    }
    const hero = shots.get(sceneOf(shot).hero);
    const line = (title, values) => `${title.padEnd(11)}${values.map((value) => value.toFixed(4).padStart(9)).join("")}\n`;
    box.append(el("pre", { tabindex: "0" }, line("slope", shot.cdl.slope) + line("offset", shot.cdl.offset) + line("power", shot.cdl.power) + line("saturation", [shot.cdl.saturation])),
      el("p", null, `Brings it to ${hero ? hero.name : "the hero"}; found by ${shot.match.basis}, sure ${number(shot.match.confidence * 100, 0)} %.`));
    return box;
  }

  function facts(shot) {
    const rows = [
      ["Camera", shot.camera], ["Lens", [shot.lens, shot.focal_mm ? `${shot.focal_mm} mm` : ""].filter(Boolean).join(", ")],
      ["ISO", shot.iso], ["White balance", shot.white_balance_k ? `${shot.white_balance_k} K set on the camera` : null],
      ["Frames", `${shot.first_frame}\u2013${shot.last_frame}${shot.fps ? `, ${Number(shot.fps.toFixed(3))} a second` : ""}`],
      ["Picture", shot.width ? `${shot.width} \u00d7 ${shot.height}, ${shot.colour_space || "colour space not known"}` : null],
      ["Measured", shot.measures ? `frame ${shot.measures.frame}: ${signed(shot.measures.exposure_stops, 2)} stops about middle grey, contrast ${number(shot.measures.contrast_stops, 1)} stops` +
        (shot.measures.mireds ? `, light about ${Math.round(shot.measures.mireds)} mireds` : "") : "no"],
      ["Key light", shot.key_direction ? `${keyText(shot.key_direction)}, estimated` : null],
      ["Cut in as", shot.events.map((event) => `${event.shot} (${event.timeline})`).join(", ")],
      ["Checksum", shot.mhl], ["Training", shot.training.reason], ["File", shot.path],
    ];
    const box = el("dl");
    for (const [name, value] of rows) if (value) box.append(el("dt", null, name), el("dd", null, String(value)));
    return el("div", { class: "inner" }, el("h3", null, "The clip"), box);
  }

  function keyText([x, y, z]) {
    const degrees = (value) => number(value * 180 / Math.PI, 0);
    const across = Math.atan2(x, z), up = Math.asin(Math.max(-1, Math.min(1, y)));
    const side = Math.abs(across) < 0.09 ? "from the camera" : `${degrees(Math.abs(across))}\u00b0 from the ${x < 0 ? "left" : "right"}`;
    return `${side}, ${degrees(Math.abs(up))}\u00b0 ${y < 0 ? "below" : "above"}`;
  }

  function list(title, items, kind) {
    return el("section", { class: kind }, el("h3", null, title), el("ul", null, ...items.map((item) => el("li", null, item))));
  }

  // ---------------------------------------------------------------- below the table

  function notes() {
    const rights = data.rights, box = $("notes");
    const owner = rights.owner ? ` Owner: ${rights.owner}. Licence: ${rights.licence}.` : "";
    const refused = rights.refused.map((item) => `${plural(item.clips, "clip")} not: ${item.reason}`);
    box.append(list(`What a model may be trained on, ${rights.date}`, [`${rights.allowed} of ${plural(data.shots.length, "clip")} may be trained on.${owner}`, ...refused], "sheet"));
    const troubled = data.shots.filter((shot) => shot.problems.length);
    const told = troubled.slice(0, 200).map((shot) => `${shot.name}: ${shot.problems.join(" ")}`);
    if (troubled.length > 200) told.push(`and ${plural(troubled.length - 200, "clip")} more: see continuity.csv`);
    box.append(list("Problems of the clips", told.length ? told : ["None."], "sheet"));
    const model = data.model;
    box.append(list("Project model", model ? model.lines : ["There is none. interpositive project train makes one."], "sheet"));
  }

  // ---------------------------------------------------------------- keys

  function keys(event) {
    const target = event.target;
    const types = target.matches && target.matches("input[type=search], select, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return back(target);
    if (types || (target.id === "wipe" && event.key.startsWith("Arrow"))) return;
    const acts = {
      j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
      "/": () => $("search").focus(), o: () => $("only-out").click(), w: flip,
      Enter: () => { if (target.closest("tr.shot") || target === document.body) $("detail").focus(); else return true; },
    };
    if (acts[event.key] && acts[event.key]() !== true) event.preventDefault();
  }

  function flip() {
    const slider = $("wipe");
    if (!slider) return;
    slider.value = Number(slider.value) > 50 ? 0 : 100;
    slider.dispatchEvent(new Event("input"));
  }

  function back(target) {
    if (target === $("search") || state.text) {
      $("search").value = state.text = "";
      $("search").blur();
      show();
      const row = rows.get(state.chosen);
      if (row) row.focus();
    } else if ($("detail").contains(target) && rows.get(state.chosen)) rows.get(state.chosen).focus();
    else choose(null);
  }

  function listen() {
    $("search").addEventListener("input", (event) => { state.text = event.target.value; show(); });
    $("scene").addEventListener("change", (event) => { state.scene = event.target.value; show(); });
    $("only-out").addEventListener("change", (event) => { state.out = event.target.checked; show(); });
    $("surround").addEventListener("change", (event) => { document.documentElement.dataset.surround = event.target.value; });
    $("tools").addEventListener("submit", (event) => event.preventDefault());
    document.addEventListener("keydown", keys);
  }

  head(); header(); build(); listen(); show(); notes();
  const linked = Number(location.hash.slice(1));
  const first = shots.has(linked) ? linked : (data.shots.find((shot) => shot.out.length) || data.shots[0] || { id: null }).id;
  choose(first, { scroll: shots.has(linked) });
  document.documentElement.dataset.ready = "yes";
})();
