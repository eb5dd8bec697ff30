// What the board adds to its own tables: tabs, sorting, filtering, and a link that remembers them.
// It makes no markup out of text, and leaves the page readable where it does not run.
"use strict";
(() => {
  const filters = document.getElementById("filters");
  const list = document.querySelector(".sections ul");
  const links = [...document.querySelectorAll(".sections a")];
  const sections = links.map((link) => document.getElementById(link.hash.slice(1)));
  const KEYS = ["q", "family", "recipe", "size", "tier", "class", "trust", "old"];
  const TEXT = new Set(["name", "family", "recipe", "trust", "date"]);
  // Columns of which the smallest is read first; all other numbers start with the largest.
  const ASCENDING = new Set(["rank", "drank", ...TEXT]);
  const UNSORTED = "rank";
  const order = new Intl.Collator("en", { numeric: true });
  const tables = new Map();
  let state = { tab: links[0].hash.slice(1), sort: UNSORTED, down: false };

  // One table of rows, read once: sorting and filtering only move and hide what is there.
  class Rows {
    constructor(section) {
      this.table = section.querySelector(".rows");
      this.heat = [...section.querySelectorAll(".heatmap tbody tr")];
      this.none = section.querySelector(".none");
      this.heads = [...this.table.tHead.rows[0].cells];
      this.column = new Map(this.heads.map((head, i) => [head.dataset.key, i]));
      this.groups = [...this.table.tBodies].map((body) => ({
        body,
        heading: body.querySelector(".group"),
        rows: [...body.querySelectorAll(".r")],
      }));
      this.rows = this.groups.flatMap((group) => group.rows);
      this.facts = this.rows.map((row) => this.read(row));
      this.keys = new Map();
      this.sorted = UNSORTED + "false";
      for (const head of this.heads) this.press(head);
      this.declare();
    }

    // The style lays rows out as a grid, which in some browsers takes a table's roles away.
    declare() {
      this.table.setAttribute("role", "table");
      for (const part of [this.table.tHead, ...this.table.tBodies]) {
        part.setAttribute("role", "rowgroup");
        for (const row of part.rows) {
          row.setAttribute("role", "row");
          for (const cell of row.cells) {
            const head = part === this.table.tHead ? "columnheader" : "rowheader";
            cell.setAttribute("role", cell.tagName === "TH" ? head : "cell");
          }
        }
      }
    }

    read(row) {
      const said = (key) => row.cells[this.column.get(key)].textContent.trim();
      const found = { family: said("family"), recipe: said("recipe"), trust: said("trust") };
      for (const key of ["class", "size", "tier"]) found[key] = row.dataset[key];
      found.old = "old" in row.dataset;
      found.text = [said("name"), found.family, found.recipe, said("date")].join("\n").toLowerCase();
      return found;
    }

    press(head) {
      const button = document.createElement("button");
      button.type = "button";
      // The axis under a heading is no part of the button.
      button.append(head.firstChild);
      head.prepend(button);
      button.addEventListener("click", () => {
        const key = head.dataset.key;
        const down = key === state.sort ? !state.down : !ASCENDING.has(key);
        change({ sort: key, down });
      });
    }

    key(row, name) {
      const cell = row.cells[this.column.get(name)];
      if (TEXT.has(name)) return cell.textContent.trim();
      const value = cell.querySelector("data");
      return value ? Number(value.value) : NaN;
    }

    sort(name, down) {
      if (!this.column.has(name)) [name, down] = [UNSORTED, false];
      for (const head of this.heads) {
        if (head.dataset.key !== name) head.removeAttribute("aria-sort");
        else head.setAttribute("aria-sort", down ? "descending" : "ascending");
      }
      if (this.sorted === name + down) return;
      this.sorted = name + down;
      if (!this.keys.has(name)) {
        this.keys.set(name, new Map(this.rows.map((row) => [row, this.key(row, name)])));
      }
      const keys = this.keys.get(name);
      const sign = down ? -1 : 1;
      const compare = TEXT.has(name)
        ? (a, b) => sign * order.compare(keys.get(a), keys.get(b))
        : (a, b) => {
            const [x, y] = [keys.get(a), keys.get(b)];
            // A row without a number is last in both directions; 0 keeps the order of the page.
            return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : sign * (x - y);
          };
      for (const group of this.groups) group.body.append(...group.rows.toSorted(compare));
    }

    filter(wanted) {
      const words = (wanted.q || "").toLowerCase().split(/\s+/).filter(Boolean);
      const exact = ["family", "recipe", "size", "tier", "class", "trust"].filter((key) => wanted[key]);
      let shown = 0;
      this.rows.forEach((row, i) => {
        const fact = this.facts[i];
        const fits =
          (wanted.old || !fact.old) &&
          exact.every((key) => fact[key] === wanted[key]) &&
          words.every((word) => fact.text.includes(word));
        shown += fits;
        if (row.hidden === fits) row.hidden = !fits;
        if (this.heat[i] && this.heat[i].hidden === fits) this.heat[i].hidden = !fits;
      });
      for (const { heading, rows } of this.groups) {
        if (heading) heading.hidden = rows.every((row) => row.hidden);
      }
      this.none.hidden = shown > 0;
      return shown;
    }
  }

  function show() {
    links.forEach((link, i) => {
      const on = link.hash.slice(1) === state.tab;
      // On a phone the row of tabs scrolls sideways.
      if (on && link.tabIndex) list.scrollLeft = link.offsetLeft - list.offsetLeft - 16;
      link.setAttribute("aria-selected", on);
      link.tabIndex = on ? 0 : -1;
      if (sections[i].hidden === on) sections[i].hidden = !on;
    });
    const section = document.getElementById(state.tab);
    const tabular = section.querySelector(".rows") !== null;
    filters.hidden = !tabular;
    if (!tabular) return;
    if (!tables.has(state.tab)) tables.set(state.tab, new Rows(section));
    const rows = tables.get(state.tab);
    rows.sort(state.sort, state.down);
    const shown = rows.filter(state);
    const hidden = state.old ? 0 : rows.facts.filter((fact) => fact.old).length;
    filters.querySelector("output").textContent =
      `${shown} of ${rows.rows.length} rows shown` +
      (hidden ? `; ${hidden} superseded left out` : "");
  }

  function change(part) {
    state = { ...state, ...part };
    show();
    history.replaceState(null, "", address());
  }

  function address() {
    const said = new URLSearchParams();
    if (state.sort !== UNSORTED || state.down) said.set("sort", (state.down ? "-" : "") + state.sort);
    for (const key of KEYS) if (state[key]) said.set(key, state[key]);
    const rest = said.toString();
    return "#" + state.tab + (rest ? "&" + rest : "");
  }

  function restore() {
    const [tab, ...rest] = location.hash.slice(1).split("&");
    const said = new URLSearchParams(rest.join("&"));
    const sort = said.get("sort") || UNSORTED;
    state = { tab, sort: sort.replace(/^-/, ""), down: sort.startsWith("-") };
    if (!links.some((link) => link.hash.slice(1) === tab)) state.tab = links[0].hash.slice(1);
    for (const key of KEYS) {
      const field = filters.elements[key];
      const value = said.get(key) || "";
      if (field.type === "checkbox") field.checked = value === "1";
      else field.value = value;
      // A choice that this board does not have is no filter.
      if (field.type === "checkbox" ? field.checked : field.value) state[key] = field.value;
    }
    show();
  }

  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", "Sections");
  links.forEach((link, i) => {
    link.parentElement.setAttribute("role", "presentation");
    link.setAttribute("role", "tab");
    link.tabIndex = -1;
    link.id = "tab-" + link.hash.slice(1);
    link.setAttribute("aria-controls", sections[i].id);
    sections[i].setAttribute("role", "tabpanel");
    sections[i].setAttribute("aria-labelledby", link.id);
    link.addEventListener("click", (event) => {
      event.preventDefault();
      change({ tab: link.hash.slice(1) });
    });
    link.addEventListener("keydown", (event) => {
      const step = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: links.length - 1 };
      if (event.key === " ") change({ tab: link.hash.slice(1) });
      else if (!(event.key in step)) return;
      else {
        const next = links[(step[event.key] + links.length) % links.length];
        change({ tab: next.hash.slice(1) });
        next.focus();
      }
      event.preventDefault();
    });
  });

  const asked = () =>
    change(
      Object.fromEntries(
        KEYS.map((key) => {
          const field = filters.elements[key];
          return [key, field.type === "checkbox" ? (field.checked ? "1" : "") : field.value.trim()];
        }),
      ),
    );
  filters.addEventListener("input", asked);
  filters.addEventListener("submit", (event) => event.preventDefault());
  // The fields are empty only after the event.
  filters.addEventListener("reset", () => setTimeout(asked));
  addEventListener("hashchange", restore);
  // Browsers whose print style cannot unfold a <details>.
  addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details:not([open])")) {
      fold.dataset.folded = "";
      fold.open = true;
    }
  });
  addEventListener("afterprint", () => {
    for (const fold of document.querySelectorAll("details[data-folded]")) {
      delete fold.dataset.folded;
      fold.open = false;
    }
  });
  restore();
})();
