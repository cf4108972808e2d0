"use strict";
// A convenience: the page says all of it without this. Tables sort and filter, and a layer lights up wherever it is shown.
document.documentElement.classList.add("scripted");

function numberOf(cell) {
  const value = cell.dataset.value ?? cell.textContent;
  const number = parseFloat(value);
  return Number.isNaN(number) ? value.toLowerCase() : number;
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (!("sort" in head.dataset)) return;
    head.tabIndex = 0;
    const sort = () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      table.classList.add("sorted");
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => {
        const x = numberOf(a.cells[column]);
        const y = numberOf(b.cells[column]);
        const order = typeof x === typeof y ? (x < y ? -1 : x > y ? 1 : 0) : typeof x === "number" ? 1 : -1;
        return down ? -order : order;
      });
      table.tBodies[0].append(...rows);
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  });
}

for (const field of document.querySelectorAll("input.find")) {
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase();
    const table = document.getElementById(field.dataset.table);
    table.classList.toggle("sorted", words !== "");
    for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(words);
  });
}

const shown = [...document.querySelectorAll("[data-layer]")];
for (const item of shown) {
  const light = (on) => {
    for (const other of shown) if (other.dataset.layer === item.dataset.layer) other.classList.toggle("lit", on);
  };
  item.addEventListener("mouseenter", () => light(true));
  item.addEventListener("mouseleave", () => light(false));
}
