"use strict";
(() => {
  const search = document.querySelector("#search");
  if (!search) return;
  // Each probe is [outcome, source, its row as escaped HTML]: thousands of rows as elements would hold up the page.
  const rows = JSON.parse(document.querySelector("#rows").textContent);
  const list = document.querySelector("#list tbody");
  const atOnce = 50;
  const count = document.querySelector("#shown");
  const nothing = document.querySelector("#nothing");
  const pages = document.querySelector("#pages");
  const [previous, next] = pages.querySelectorAll("button");
  const pressed = document.querySelector("#filters [data-key=outcome][aria-pressed=true]");
  const wanted = { outcome: pressed ? pressed.dataset.value : "all", source: "all" };
  const number = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");
  const signs = { "&lt;": "<", "&gt;": ">", "&amp;": "&", "&#34;": '"', "&#39;": "'" };
  const plain = (html) => html.replace(/<[^>]*>/g, " ").replace(/&(lt|gt|amp|#34|#39);/g, (sign) => signs[sign])
    .toLowerCase().replace(/\s+/g, " ");
  const texts = []; // of the rows, for the search
  let found = [];
  let first = 0;

  const turn = (place) => {
    first = place;
    const shown = found.slice(first, first + atOnce);
    list.innerHTML = shown.map((row) => row[2]).join("");
    const last = first + shown.length;
    pages.hidden = found.length <= atOnce;
    pages.querySelector("span").textContent = `${number(first + 1)} to ${number(last)} of ${number(found.length)}`;
    previous.disabled = first === 0;
    next.disabled = last >= found.length;
  };

  const prepare = (upTo) => {
    while (texts.length < Math.min(upTo, rows.length)) texts.push(plain(rows[texts.length][2]));
  };
  // A few at a time, so that the first word typed need not wait for all.
  const prepareMore = () => {
    prepare(texts.length + 200);
    if (texts.length < rows.length) setTimeout(prepareMore);
  };

  const find = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) prepare(rows.length);
    found = rows.filter((row, place) => [row[0], "all"].includes(wanted.outcome) && [row[1], "all"].includes(wanted.source)
      && words.every((word) => texts[place].includes(word)));
    count.textContent = found.length === rows.length ? `${number(rows.length)} probes` : `${number(found.length)} of ${number(rows.length)} probes`;
    nothing.hidden = found.length > 0;
    turn(0);
  };

  search.addEventListener("input", find);
  pages.addEventListener("click", (event) => {
    const step = event.target.dataset.step;
    if (!step) return;
    turn(first + atOnce * Number(step));
    document.querySelector("#probes").scrollIntoView();
  });
  const press = (key, value) => {
    wanted[key] = value;
    document.querySelectorAll(`#filters button[data-key=${key}]`).forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.value === value));
    });
  };
  document.querySelectorAll("#filters button").forEach((button) => {
    button.addEventListener("click", () => {
      press(button.dataset.key, button.dataset.value);
      find();
    });
  });
  // Links elsewhere on the page lead to the probes of an outcome or of a section.
  document.querySelectorAll("a[data-value], a[data-find]").forEach((link) => {
    link.addEventListener("click", () => {
      search.value = link.dataset.find || "";
      press("outcome", link.dataset.value || "all");
      press("source", link.dataset.source || "all");
      find();
    });
  });
  find();
  setTimeout(prepareMore);
})();
