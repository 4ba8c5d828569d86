"use strict";
(() => {
  const data = JSON.parse(document.querySelector("#data").textContent);
  const at = (id) => document.getElementById(id);
  const wide = data.fields.length;
  const column = Object.fromEntries(data.fields.map((name, place) => [name, place]));
  const rows = data.rows.map((values, number) => ({
    number, values, place: values[wide], by: values[wide + 1], reason: values[wide + 2] ?? "", detail: values[wide + 3],
    refused: values.length > wide + 2, final: values[wide + 4] === false,
  }));
  const chunkOf = new Map([[-1, -1]]); // place -> number of the chunk
  data.chunks.forEach(([, , , places, rest], number) => [...places, rest].forEach((place) => chunkOf.set(place, number)));
  const numbers = [...data.chunks.keys(), -1];
  const chunks = new Map(numbers.map((number) => [number, at(`c${number}`)]));
  const places = [...chunkOf.keys()];
  const articles = new Map(places.map((place) => [place, at(`p${place}`)]));
  const placesOf = new Map(numbers.map((number) => [number, []]));
  places.forEach((place) => placesOf.get(chunkOf.get(place)).push(place));
  const search = at("search");
  const selects = [...document.querySelectorAll("#filters select")];
  const unfolded = 40; // examples up to which what was found is unfolded
  const thousands = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");
  const printable = (text) => text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]/gu, "\ufffd");

  // -- what the reader decided: by number of the row, `kept`, `question` and `answer` where they differ from what was written
  const shelf = `byheart ledger ${data.key}`;
  let marks = new Map();
  try {
    marks = new Map(JSON.parse(localStorage.getItem(shelf) || "[]"));
  } catch { /* a browser that stores nothing for files: the marks last as long as the page is open */ }
  const said = (row, field) => marks.get(row.number)?.[field] ?? row.values[column[field]];
  const isKept = (row) => marks.get(row.number)?.kept ?? !row.refused;
  const mayKeep = (row) => !row.final && said(row, "question").trim() !== "" && said(row, "answer").trim() !== "";
  const change = (row, changed) => {
    const mark = { ...marks.get(row.number), ...changed };
    if (mark.kept === !row.refused) delete mark.kept;
    for (const field of ["question", "answer"]) if (mark[field] === row.values[column[field]]) delete mark[field];
    if (Object.keys(mark).length) marks.set(row.number, mark); else marks.delete(row.number);
  };
  const keep = (some, kept) => some.forEach((row) => { if (!kept || mayKeep(row)) change(row, { kept }); });
  const store = () => {
    try {
      localStorage.setItem(shelf, JSON.stringify([...marks]));
    } catch { /* as above */ }
    const lines = new Set(rows.filter(isKept).map((row) => `${said(row, "question").trim()}\x1f${said(row, "answer").trim()}`)).size;
    const count = (holds) => rows.filter((row) => holds(row, marks.get(row.number) ?? {})).length;
    const parts = [
      [count((row, mark) => !row.refused && mark.kept === false), "dropped"],
      [count((row, mark) => row.refused && mark.kept), "kept although refused"],
      [count((row, mark) => "question" in mark || "answer" in mark), "edited"],
    ].filter(([number]) => number).map(([number, what]) => `${thousands(number)} ${what}`);
    at("marks").querySelector("b").textContent = `${thousands(lines)} ${lines === 1 ? "example" : "examples"} to train on`;
    at("marks").querySelector("span").textContent = parts.join(", ") || "as they were written";
    const changed = new Map();
    for (const number of marks.keys()) {
      const chunk = chunkOf.get(rows[number].place);
      changed.set(chunk, 1 + (changed.get(chunk) ?? 0));
    }
    for (const [number, chunk] of chunks) {
      const n = changed.get(number);
      chunk.querySelector(".yours").textContent = n ? `${thousands(n)} changed by you` : "";
    }
    at("undo").disabled = !marks.size;
    at("save").disabled = !lines;
  };

  // -- keep.jsonl: what `expansion=file` reads; equal pairs once
  const exported = () => {
    const lines = new Map();
    for (const row of rows) {
      if (!isKept(row)) continue;
      const line = Object.fromEntries(data.fields.map((field, place) => [field, row.values[place]]));
      const mark = marks.get(row.number) ?? {};
      for (const field of ["question", "answer"]) line[field] = (mark[field] ?? line[field]).trim();
      if ("question" in mark) line.subject = "";
      line.facts = line.facts.map((number) => data.facts[number]);
      const [chunk, title, section] = data.chunks[line.chunk] ?? ["", "", ""];
      const whole = { ...line, chunk, document: title, section };
      for (const field of ["rung", "subject", "chunk", "document", "section"]) {
        if (whole[field] === null || whole[field] === "") delete whole[field];
      }
      const key = JSON.stringify([line.question, line.answer]);
      if (!lines.has(key)) lines.set(key, JSON.stringify(whole));
    }
    return [...lines.values()];
  };
  const save = () => {
    const link = document.createElement("a");
    const blob = new Blob(exported().map((line) => `${line}\n`), { type: "application/x-ndjson" });
    link.href = URL.createObjectURL(blob);
    link.download = data.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };

  // -- an example
  const element = (name, kind, text = "") => {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    made.textContent = printable(text);
    return made;
  };
  const paragraph = (kind, text) => {
    const made = element("p", kind, text);
    made.dir = "auto";
    return made;
  };
  const button = (text, pressed) => {
    const made = element("button", "", text);
    made.type = "button";
    made.addEventListener("click", pressed);
    return made;
  };
  const again = (row, old) => {
    const made = drawn(row);
    old.replaceWith(made);
    store();
    return made;
  };
  const why = (row) =>
    row.refused ? [paragraph("why", `Refused: ${row.reason}${row.detail ? ` (${row.detail})` : ""}`)] : [];
  const drawn = (row) => {
    const box = element("div", "pair");
    const mark = marks.get(row.number) ?? {};
    box.classList.toggle("out", !isKept(row));
    box.classList.toggle("changed", marks.has(row.number));
    const text = element("div", "text");
    for (const field of ["question", "answer"]) if (said(row, field)) text.append(paragraph(field, said(row, field)));
    text.append(...why(row));
    const angle = row.values[column.angle];
    const reverse = row.values[column.direction] === "reverse" && angle !== "reverse" ? ", reverse" : "";
    const rung = row.values[column.rung];
    const by = element("div", "by", `${angle}${reverse}`);
    by.append(element("small", "", `${row.by}${rung === null ? "" : ` at ${Number(rung.toPrecision(4))}`}`));
    const buttons = element("div", "buttons");
    const kept = isKept(row);
    const edited = "question" in mark || "answer" in mark;
    const toggle = button(kept ? "Drop" : "Keep", () => {
      keep([row], !kept);
      again(row, box).querySelector(".toggle").focus();
    });
    toggle.classList.add("toggle");
    toggle.disabled = !kept && !mayKeep(row);
    if (toggle.disabled) toggle.title = row.final ? "It would be refused again." : "It has no question or no answer.";
    buttons.append(toggle);
    if (!row.final) buttons.append(button("Edit", () => edit(row, box)));
    if (edited) buttons.append(button("Undo edit", () => {
      change(row, { question: row.values[column.question], answer: row.values[column.answer] });
      texts = null;
      again(row, box);
    }));
    box.append(text, by, buttons);
    return box;
  };
  const edit = (row, box) => {
    const form = element("div", "pair editing");
    const fields = ["question", "answer"].map((field) => {
      const area = element("textarea");
      area.value = said(row, field);
      area.dir = "auto";
      area.rows = Math.min(12, 1 + Math.ceil(area.value.length / 60) + area.value.split("\n").length - 1);
      area.setAttribute("aria-label", field);
      return [field, area];
    });
    const text = element("div", "text");
    text.append(...fields.map(([, area]) => area), ...why(row));
    const buttons = element("div", "buttons");
    buttons.append(button("Done", () => {
      // A text area knows one kind of line end: a text that was not touched stays as it was.
      const typed = fields.filter(([field, area]) => area.value !== said(row, field).replace(/\r\n?/g, "\n"));
      change(row, Object.fromEntries(typed.map(([field, area]) => [field, area.value])));
      texts = null;
      change(row, { kept: typed.length ? mayKeep(row) : isKept(row) && mayKeep(row) });
      again(row, form);
    }), button("Cancel", () => form.replaceWith(drawn(row))));
    form.append(text, buttons);
    box.replaceWith(form);
    fields[0][1].focus();
  };

  // -- search and filters
  let found = new Map(); // place -> its rows
  let all = []; // every row found
  let narrowed = false; // whether examples, not only chunks, are filtered
  let texts = null; // made when the first word is typed
  const fold = (text) => text.toLowerCase();
  const about = new Map(); // place -> the text of its fact, its headings
  const read = () => {
    texts = rows.map((row) => fold(`${said(row, "question")} ${said(row, "answer")}`));
    for (const [place, article] of articles) {
      const chunk = chunks.get(chunkOf.get(place));
      about.set(place, fold(`${article.querySelector("blockquote")?.textContent ?? ""} ${chunk.querySelector(".name").firstChild.textContent}`));
    }
  };
  const find = () => {
    const words = fold(search.value).split(/\s+/).filter(Boolean);
    if (words.length && !texts) read();
    const wanted = Object.fromEntries(selects.map((select) => [select.dataset.key, select.value]));
    const stands = new Map(places.map((place) => [place, words.every((word) => about.get(place).includes(word))]));
    const fits = {
      state: (row) => ({ kept: isKept(row), refused: row.refused, marked: marks.has(row.number) })[wanted.state],
      angle: (row) => row.values[column.angle] === wanted.angle,
      direction: (row) => row.values[column.direction] === wanted.direction,
      by: (row) => row.by === wanted.by,
      rung: (row) => row.values[column.rung] !== null && String(Number(row.values[column.rung].toPrecision(6))) === wanted.rung,
      reason: (row) => row.reason === wanted.reason,
    };
    const active = Object.keys(fits).filter((key) => wanted[key]);
    const within = (place) => {
      if (wanted.quota === "fact") return "short" in (articles.get(place).dataset);
      return wanted.quota !== "chunk" || "short" in chunks.get(chunkOf.get(place)).dataset;
    };
    narrowed = active.length > 0 || words.length > 0;
    found = new Map();
    all = rows.filter((row) => within(row.place) && active.every((key) => fits[key](row))
      && words.every((word) => texts[row.number].includes(word) || about.get(row.place).includes(word)));
    for (const row of all) {
      if (!found.has(row.place)) found.set(row.place, []);
      found.get(row.place).push(row);
    }
    let shown = 0;
    for (const [number, chunk] of chunks) {
      const own = placesOf.get(number);
      const hits = own.reduce((sum, place) => sum + (found.get(place)?.length ?? 0), 0);
      let some = false;
      for (const place of own) {
        const bare = articles.get(place).querySelector("blockquote") && within(place) && !active.length && stands.get(place);
        articles.get(place).hidden = !found.has(place) && !bare;
        some ||= !articles.get(place).hidden;
      }
      chunk.hidden = !some;
      shown += some;
      chunk.querySelector(".hits").textContent = narrowed && some ? `${thousands(hits)} found` : "";
      if (narrowed) chunk.open = some && all.length <= unfolded;
      fill(number);
    }
    for (const line of document.querySelectorAll("#chunks [data-first]")) {
      const { first, last } = line.dataset;
      let any = false;
      for (let number = Number(first); number <= Number(last) && !any; number += 1) any = !chunks.get(number).hidden;
      line.hidden = !any;
      if (line.tagName === "DETAILS" && narrowed) line.open = any;
    }
    const filtered = narrowed || wanted.quota !== "";
    at("nothing").hidden = shown > 0;
    const count = `${thousands(all.length)} ${all.length === 1 ? "example" : "examples"} in ${thousands(shown)} ${shown === 1 ? "chunk" : "chunks"}`;
    at("found").querySelector("span").textContent = count;
    for (const id of ["drop-found", "keep-found", "clear"]) at(id).hidden = !filtered || (id !== "clear" && !all.length);
    const chosen = Object.entries(wanted).filter(([, value]) => value).length;
    at("more").querySelector("summary").textContent = chosen ? `Filters (${chosen})` : "Filters";
  };
  const fill = (number) => {
    const chunk = chunks.get(number);
    for (const place of placesOf.get(number)) {
      const article = articles.get(place);
      article.querySelector(".pairs")?.remove();
      if (!chunk.open || chunk.hidden || !found.has(place)) continue;
      const pairs = element("div", "pairs");
      pairs.append(...found.get(place).map(drawn));
      article.append(pairs);
    }
  };
  const bulk = (kept) => {
    keep(all, kept);
    store();
    for (const number of numbers) fill(number);
  };
  const follow = () => {
    const target = /^#[cp]\d+$/.test(location.hash) && at(location.hash.slice(1));
    if (!target) return;
    if (target.hidden || target.closest(".chunk").hidden) at("clear").click();
    target.closest(".chunk").open = true;
    target.scrollIntoView();
  };

  for (const [number, chunk] of chunks) chunk.addEventListener("toggle", () => fill(number));
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(find, 120);
  });
  selects.forEach((select) => select.addEventListener("change", find));
  at("drop-found").addEventListener("click", () => bulk(false));
  at("keep-found").addEventListener("click", () => bulk(true));
  at("clear").addEventListener("click", () => {
    search.value = "";
    selects.forEach((select) => { select.value = ""; });
    find();
  });
  at("undo").addEventListener("click", () => {
    if (!confirm(`Undo all ${thousands(marks.size)} changes?`)) return;
    marks.clear();
    texts = null;
    store();
    find();
  });
  at("save").addEventListener("click", save);
  addEventListener("hashchange", follow);
  at("filters").hidden = at("marks").hidden = false;
  if (matchMedia("(max-width: 62rem)").matches) at("contents").open = false;
  find();
  store();
  follow();
})();
