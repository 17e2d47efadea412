// The page's own behaviour: colours, sorting and filtering of tables, unfolding, and the first picture as PNG.
"use strict";
(() => {
  const root = document.documentElement;
  const asksDark = matchMedia("(prefers-color-scheme: dark)");
  const kept = { // a page from disk may have no storage
    get: () => { try { return localStorage.getItem("evenbench-theme"); } catch { return null; } },
    set: (name) => { try { localStorage.setItem("evenbench-theme", name); } catch { /* it holds for this visit */ } },
  };
  const isDark = () => (root.dataset.theme || (asksDark.matches ? "dark" : "light")) === "dark";
  if (["light", "dark"].includes(kept.get())) root.dataset.theme = kept.get();

  // Colours

  function theme() {
    const button = document.getElementById("theme");
    const say = () => { button.querySelector("span").textContent = isDark() ? button.dataset.dark : button.dataset.light; };
    button.hidden = false;
    say();
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      kept.set(root.dataset.theme);
      say();
    });
    asksDark.addEventListener("change", say);
  }

  // Tables

  const value = (cell, isNumber) => {
    if (!isNumber) return cell.textContent.trim();
    return cell.dataset.value ? Number(cell.dataset.value) : NaN;
  };

  function compare(a, b, isNumber, direction) {
    if (!isNumber) return direction * a.localeCompare(b, root.lang, { numeric: true });
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b); // what is missing goes last
    return direction * (a - b);
  }

  function sortable(box) {
    const heads = [...box.querySelectorAll("thead th")];
    const body = box.querySelector("tbody");
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = box.dataset.sort;
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        const isNumber = head.classList.contains("number");
        const rows = [...body.rows].map((row) => [value(row.cells[column], isNumber), row]);
        rows.sort((a, b) => compare(a[0], b[0], isNumber, direction));
        body.append(...rows.map((pair) => pair[1]));
        body.querySelectorAll(".begins").forEach((row) => row.classList.remove("begins")); // groups are apart no more
        heads.forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
      });
    });
  }

  function filterable(bar) {
    const input = bar.querySelector("input");
    const output = bar.querySelector("output");
    const rows = [...bar.parentElement.querySelectorAll("tbody tr")];
    bar.hidden = false;
    input.addEventListener("input", () => {
      const wanted = input.value.toLocaleLowerCase().split(/\s+/);
      rows.forEach((row) => {
        const text = row.textContent.toLocaleLowerCase();
        row.hidden = !wanted.every((word) => text.includes(word));
      });
      const shown = rows.filter((row) => !row.hidden).length;
      output.textContent = output.dataset.text.replace("{shown}", shown).replace("{all}", rows.length);
    });
  }

  // The first picture as a file

  function png() {
    const drawing = document.querySelector(".forest .desk svg");
    const holder = document.getElementById("png");
    if (!drawing || !holder) return;
    holder.hidden = false;
    holder.querySelector("button").addEventListener("click", () => {
      const source = new XMLSerializer().serializeToString(drawing);
      const picture = new Image();
      picture.addEventListener("load", () => {
        const box = drawing.viewBox.baseVal;
        const canvas = document.createElement("canvas");
        const scale = 2, edge = 24, title = 44;
        canvas.width = scale * (box.width + 2 * edge);
        canvas.height = scale * (box.height + title + 2 * edge);
        const pen = canvas.getContext("2d");
        pen.scale(scale, scale);
        pen.fillStyle = "#fff";
        pen.fillRect(0, 0, canvas.width, canvas.height);
        pen.fillStyle = "#1c1f23";
        pen.font = "600 17px system-ui, sans-serif";
        pen.fillText(document.querySelector("h1").textContent, edge, edge + 16, box.width);
        pen.drawImage(picture, edge, edge + title, box.width, box.height);
        const link = document.createElement("a");
        link.download = `${document.title.replace(/[^\p{L}\p{N}]+/gu, "-")}.png`;
        link.href = canvas.toDataURL("image/png");
        link.click();
      });
      picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`;
    });
  }

  // A link into a folded part opens it

  function unfold() {
    const wanted = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let part = wanted; part; part = part.parentElement) if (part.localName === "details") part.open = true;
    if (wanted) wanted.scrollIntoView();
  }

  document.addEventListener("DOMContentLoaded", () => {
    theme();
    document.querySelectorAll("[data-sort]").forEach(sortable);
    document.querySelectorAll(".filter").forEach(filterable);
    png();
    unfold();
    addEventListener("hashchange", unfold);
  });
})();
