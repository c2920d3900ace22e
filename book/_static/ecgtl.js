/* Tables that sort and filter, and a search that knows numbers. No dependency; works from file://. */
"use strict";

/* The number that a cell begins with: ".739 ± .014", "−.006 [−.020, +.007]", "1,234"; anything else sorts after them */
const numberOf = (text) => {
  const found = text.replace(/−/g, "-").match(/^\W*?([+-]?(?:\d[\d,]*)?\.?\d+(?:e[+-]?\d+)?)/i);
  return found ? parseFloat(found[1].replace(/,/g, "")) : NaN;
};
const textOf = (row, column) => (row.cells[column]?.innerText ?? "").trim();
const compare = (a, b) => {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
  return isNaN(x) ? a.localeCompare(b, "en", {numeric: true}) : x - y || a.localeCompare(b, "en");
};

const makeSortable = (table) => {
  const body = table.tBodies[0];
  const heads = table.tHead ? [...table.tHead.rows[table.tHead.rows.length - 1].cells] : [];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "ecgtl-sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [textOf(row, column), row]);
      rows.sort(([a], [b]) => (down ? compare(b, a) : compare(a, b)));
      body.append(...rows.map(([, row]) => row));
    });
  });
};

const makeFilter = (table) => {
  const label = document.createElement("label");
  const field = document.createElement("input");
  const count = document.createElement("output");
  const rows = [...table.tBodies[0].rows];
  const texts = rows.map((row) => row.innerText.toLowerCase());
  field.type = "search";
  label.className = "ecgtl-filter";
  label.append("Filter rows ", field, count);
  (table.closest(".ecgtl-scroll") ?? table).before(label);
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    rows.forEach((row, number) => { row.hidden = !words.every((word) => texts[number].includes(word)); });
    count.value = field.value ? ` ${rows.filter((row) => !row.hidden).length} of ${rows.length}` : "";
  });
};

/* Sphinx leaves numbers out of a query: ".739" found nothing and "Weimann Table 2" every table. Pages whose title has
   more words of the query come first. A page opened from a disk may not read others for a summary. */
const searchNumbers = () => {
  const parse = Search._parseQuery;
  let asked = [];
  Search._parseQuery = (query) => {
    const parsed = parse(query);
    asked = splitQuery(query.toLowerCase());
    asked.filter((word) => /^\d+$/.test(word)).forEach((word) => { parsed[1].add(word); parsed[3].add(word); });
    return parsed;
  };
  Scorer.score = ([, title, , , score]) => {
    const words = splitQuery(title.toLowerCase());
    return score + 20 * asked.filter((word) => words.includes(word)).length;
  };
  if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
};

document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search !== "undefined") searchNumbers();
  document.querySelectorAll("table.ecgtl-sortable").forEach((table) => {
    if (!table.tBodies.length) return;
    makeFilter(table);
    makeSortable(table);
  });
});
