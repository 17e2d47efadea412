// The page's own behaviour: colours, sorting and filtering of tables, and drawing pictures when they come into view.
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
      recolour();
    });
    asksDark.addEventListener("change", () => { say(); recolour(); });
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

  // Pictures

  const HEIGHT = 420;
  const LEGEND = 70;
  const plots = () => [...document.querySelectorAll(".plot")];
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // The colours of a figure on the page's ground; notes in it that have the colour of its text keep to it.
  function look(layout, ink) {
    const found = {
      "font.color": colour("--ink"), "font.family": getComputedStyle(document.body).fontFamily,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", "legend.bgcolor": "rgba(0,0,0,0)",
      "hoverlabel.bgcolor": colour("--paper"), "hoverlabel.font.color": colour("--ink"),
      "hoverlabel.bordercolor": colour("--soft"),
    };
    Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name)).forEach((name) => {
      found[`${name}.gridcolor`] = colour("--grid");
      found[`${name}.zerolinecolor`] = colour("--grid");
      found[`${name}.linecolor`] = colour("--line");
      found[`${name}.tickcolor`] = colour("--line");
    });
    (layout.annotations || []).forEach((note, place) => {
      if (!note.font?.color || note.font.color === ink) found[`annotations[${place}].font.color`] = colour("--ink");
    });
    return found;
  }

  const repaint = (plot, more) => Plotly.relayout(plot, { ...look(plot._fullLayout, plot.dataset.ink), ...more });

  function fitted(layout, width) {
    const found = { ...layout, autosize: true, dragmode: false };
    delete found.width;
    if (!layout.margin) found.margin = { t: layout.title?.text ? 60 : 20, r: 12, b: 48, l: 56 };
    if (width < 560) {
      found.legend = layout.legend || { orientation: "h", x: 0, xanchor: "left", y: -0.2, yanchor: "top" };
      if (layout.showlegend) { // its names stand below each other there
        found.height = (layout.height || HEIGHT) + LEGEND;
        found.margin = { ...found.margin, b: (found.margin?.b ?? layout.margin?.b ?? 48) + LEGEND };
      }
    }
    return found;
  }

  function draw(plot) {
    if (plot.dataset.drawn || !window.Plotly) return;
    plot.dataset.drawn = "yes";
    const figure = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
    const least = figure.layout.meta?.least_px || 0; // below it a picture cannot be read: it scrolls inside its box
    if (least > plot.clientWidth) {
      plot.style.minWidth = `${least}px`;
      plot.parentElement.tabIndex = 0;
    }
    const layout = fitted(figure.layout, plot.clientWidth);
    if (layout.height) plot.style.height = `${layout.height}px`;
    Plotly.newPlot(plot, figure.data, layout, { displayModeBar: false, responsive: true, scrollZoom: false });
    plot.dataset.ink = figure.layout.font?.color || "";
    repaint(plot, {});
  }

  function recolour() {
    plots().filter((plot) => plot.dataset.drawn).forEach((plot) => repaint(plot, {}));
  }

  function pictures() {
    const watcher = new IntersectionObserver((entries) => {
      entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
        watcher.unobserve(entry.target);
        draw(entry.target);
      });
    }, { rootMargin: "600px 0px" });
    plots().forEach((plot) => {
      const figure = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
      plot.style.height = `${figure.layout.height || HEIGHT}px`; // so that nothing moves when it is drawn
      watcher.observe(plot);
    });
  }

  // Paper

  const PAPER_WIDTH = 660;
  let opened = [];
  let before = null;

  function toPaper() {
    if (before !== null) return;
    before = root.dataset.theme || "";
    root.dataset.theme = "light";
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((part) => { part.open = true; });
    plots().forEach((plot) => {
      draw(plot);
      if (window.Plotly) repaint(plot, { autosize: false, width: PAPER_WIDTH });
    });
  }

  function fromPaper() {
    if (before === null) return;
    if (before) root.dataset.theme = before; else delete root.dataset.theme;
    before = null;
    opened.forEach((part) => { part.open = false; });
    plots().filter((plot) => plot.dataset.drawn).forEach((plot) => repaint(plot, { autosize: true, width: null }));
  }

  document.addEventListener("DOMContentLoaded", () => {
    theme();
    document.querySelectorAll("[data-sort]").forEach(sortable);
    document.querySelectorAll(".filter").forEach(filterable);
    if (!matchMedia("(min-width: 72rem)").matches) document.querySelector("nav details").open = false;
    pictures();
    addEventListener("beforeprint", toPaper);
    addEventListener("afterprint", fromPaper);
  });
})();
