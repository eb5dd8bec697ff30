// The panel composer: one size at a time, and the best panels under the reader's own conditions.
(() => {
  const sizes = document.getElementById("composer");
  const form = document.getElementById("restrict");
  if (!sizes) return;
  const panels = [...document.querySelectorAll(".panel")];
  const LISTED = 10;

  function size() {
    return Number(new FormData(sizes).get("k"));
  }

  function show() {
    for (const panel of panels) {
      panel.hidden = Number(panel.dataset.k) !== size();
      if (!panel.hidden) panel.open = true;
      // What the seeds are too few to choose is not chosen here either.
      if (form && !panel.hidden) form.hidden = "refused" in panel.dataset;
    }
    if (form) restrict();
  }

  // Mean pairwise distance of every panel of k that holds `needed` and draws from `free`.
  function search(matrix, needed, free, k) {
    const found = [];
    const pairs = (k * (k - 1)) / 2;
    const grow = (members, from, sum) => {
      if (members.length === k) {
        found.push({ members, value: sum / pairs });
        return;
      }
      for (let i = from; i <= free.length - (k - members.length); i++) {
        let more = sum;
        for (const member of members) more += matrix[member][free[i]];
        grow([...members, free[i]], i + 1, more);
      }
    };
    let sum = 0;
    needed.forEach((a, i) => needed.slice(0, i).forEach((b) => (sum += matrix[a][b])));
    grow(needed, 0, sum);
    return found.sort((a, b) => b.value - a.value);
  }

  function restrict() {
    const { ids, names, matrix } = JSON.parse(document.getElementById("distances").textContent);
    const k = size();
    const said = new FormData(form);
    const needed = said.getAll("in").map(Number);
    const out = new Set(said.getAll("out").map(Number));
    const free = [...ids.keys()].filter((i) => !out.has(i) && !needed.includes(i));
    const list = document.getElementById("restricted");
    const line = document.getElementById("restricted-said");
    list.replaceChildren();
    if (!needed.length && !out.size) line.textContent = "Tick a condition to see panels under it.";
    else if (needed.some((i) => out.has(i))) line.textContent = "One candidate is both in and out.";
    else if (needed.length > k) line.textContent = `More than ${k} candidates must be in.`;
    else {
      const found = search(matrix, needed, free, k);
      line.textContent = found.length
        ? `${found.length} panels of ${k} fit; the ${Math.min(LISTED, found.length)} most diverse:`
        : `No panel of ${k} fits.`;
      for (const { members, value } of found.slice(0, LISTED)) {
        const item = document.createElement("li");
        members.forEach((member, i) => {
          const name = document.createElement("bdi");
          name.textContent = names[member];
          item.append(i ? " + " : "", name);
        });
        item.append(`: ${value.toFixed(2).replace("-", "−")}`);
        list.append(item);
      }
    }
  }

  sizes.hidden = false;
  sizes.addEventListener("input", show);
  if (form) {
    form.addEventListener("input", restrict);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(restrict));
  }
  show();
})();
