"use strict";
(() => {
  const rows = [...document.querySelectorAll("#probes tbody tr")];
  const search = document.querySelector("#search");
  if (!search) return;
  const count = document.querySelector("#shown");
  const nothing = document.querySelector("#nothing");
  const texts = rows.map((row) => row.textContent.toLowerCase().replace(/\s+/g, " "));
  const wanted = { outcome: "all", source: "all" };

  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, index) => {
      const fits = Object.entries(wanted).every(([key, value]) => value === "all" || row.dataset[key] === value)
        && words.every((word) => texts[index].includes(word));
      row.hidden = !fits;
      shown += fits;
    });
    count.textContent = shown === rows.length ? `${shown} probes` : `${shown} of ${rows.length} probes`;
    nothing.hidden = shown > 0;
  };

  search.addEventListener("input", show);
  document.querySelectorAll("#filters button").forEach((button) => {
    button.addEventListener("click", () => {
      const key = button.dataset.key;
      wanted[key] = button.dataset.value;
      document.querySelectorAll(`#filters button[data-key=${key}]`).forEach((other) => {
        other.setAttribute("aria-pressed", String(other === button));
      });
      show();
    });
  });
  show();
})();
