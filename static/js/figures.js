// Draws each chart from the table beside it; pages of staff also ask for new figures while they are visible.
"use strict";
(() => {
  // Okabe and Ito, those with a contrast of 3 : 1 against the card; each series also has its own dash and point.
  const COLORS = {
    light: ["#0072B2", "#D55E00", "#009E73", "#000000", "#AA4499"],
    dark: ["#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7"],
  };
  const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [16, 6]];
  const POINTS = ["circle", "rect", "triangle", "rectRot", "star"];
  const TIMES = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"], [0.001, "millisecond"]];
  const charts = new Set();
  const live = document.getElementById("figures"), prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (live ? document.documentElement.classList.contains("dark") : prefersDark.matches);

  function draw(table) {
    const rows = [...table.tBodies[0].rows].filter((row) => row.cells[0].scope === "row");
    const series = [...table.tHead.rows[0].cells].flatMap((cell, at) => ("series" in cell.dataset ? [at] : []));
    if (!rows.length || !series.length) return;
    // Amounts of two currencies have no common scale; the table has those beyond the first ones.
    const groups = table.dataset.unit === "money" ? series.slice(0, 3).map((at) => [at]) : [series];
    groups.forEach((group) => drawGroup(table, rows, group, series));
  }

  function drawGroup(table, rows, group, series) {
    const head = table.tHead.rows[0], colors = isDark() ? COLORS.dark : COLORS.light;
    const canvas = document.createElement("canvas"), box = document.createElement("div");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", [table.dataset.label, ...group.map((at) => head.cells[at].dataset.series)].join(" "));
    box.className = "aa-chart";
    box.append(canvas);
    (table.closest("details") || table.parentElement).before(box);
    const { color: ink, borderTopColor: line } = getComputedStyle(box);
    const isBar = table.dataset.chart === "bar";
    const datasets = group.map((at) => {
      const number = series.indexOf(at);
      return {
        label: head.cells[at].textContent,
        data: rows.map((row) => (row.cells[at].dataset.value === "" ? null : Number(row.cells[at].dataset.value))),
        texts: rows.map((row) => row.cells[at].textContent),
        borderColor: colors[number % 5],
        backgroundColor: colors[number % 5],
        borderDash: DASHES[number % 5],
        pointStyle: POINTS[(number + Math.floor(number / 5)) % 5],
        borderWidth: 2,
        maxBarThickness: 28,
        pointRadius: rows.length > 40 ? 0 : 3,
      };
    });
    const ticks = { color: ink, maxTicksLimit: 6 };
    const language = document.documentElement.lang, room = innerWidth < 480 ? 14 : 24;
    const highest = Math.max(...datasets.flatMap(({ data }) => data));
    const [size, unit] = TIMES.find(([seconds]) => highest >= 2 * seconds) || TIMES.at(-1);
    const time = new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 1 });
    const textOf = {
      share: (value) => `${Math.round(value * 1000) / 10} %`,
      seconds: (value) => time.format(value / size),
    }[table.dataset.unit] || ((value) => value.toLocaleString(language));
    const amount = { ...ticks, callback: textOf };
    const short = { color: ink, callback(at) { const text = this.getLabelForValue(at); return text.length > room ? `${text.slice(0, room - 1)}…` : text; } };
    charts.add(new Chart(canvas, {
      type: isBar ? "bar" : "line",
      data: { labels: rows.map((row) => row.cells[0].textContent), datasets },
      options: {
        animation: false,
        maintainAspectRatio: false,
        indexAxis: isBar ? "y" : "x",
        layout: { padding: { right: 6 } }, // half a point
        scales: {
          [isBar ? "x" : "y"]: { beginAtZero: true, ticks: amount, grid: { color: line } },
          [isBar ? "y" : "x"]: { ticks: isBar ? short : ticks, grid: { display: false } },
        },
        plugins: {
          legend: { display: series.length > 1, labels: { color: ink, usePointStyle: true, boxHeight: 7 } },
          tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${item.dataset.texts[item.dataIndex]}` } },
        },
      },
    }));
  }

  function drawAll() {
    charts.forEach((chart) => chart.destroy());
    charts.clear();
    document.querySelectorAll(".aa-chart").forEach((box) => box.remove());
    document.querySelectorAll("table[data-chart]").forEach(draw);
  }

  new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["class"] });
  prefersDark.addEventListener("change", drawAll);
  drawAll();
  if (!live) return;
  const button = document.createElement("button");
  let isPaused = false, tag = live.dataset.tag;
  const say = (text) => { live.querySelector("[data-state]").textContent = text; };
  const end = () => {
    isPaused = true;
    button.remove();
    say(`${live.dataset.ended} `);
    const link = document.createElement("a");
    link.className = "aa-link";
    link.href = location.pathname + location.search; // leads to the sign-in, and back here
    link.textContent = live.dataset.signIn;
    live.querySelector("[data-state]").append(link);
  };
  button.type = "button";
  button.className = "aa-button";
  button.textContent = live.dataset.pause;
  button.addEventListener("click", () => {
    isPaused = !isPaused;
    button.textContent = isPaused ? live.dataset.resume : live.dataset.pause;
  });
  document.querySelector("main > .aa-head").append(button);
  const isReading = () => live.contains(document.activeElement); // a swap would take the focus away
  live.addEventListener("htmx:beforeRequest", (event) => { if (isPaused || document.hidden || isReading()) event.preventDefault(); });
  live.addEventListener("htmx:configRequest", (event) => { event.detail.headers["If-None-Match"] = tag; });
  live.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail, sent = xhr.getResponseHeader("ETag");
    event.detail.shouldSwap = xhr.status === 200 && Boolean(sent) && !isReading();
    if (event.detail.shouldSwap) tag = sent;
    else if (xhr.status === 401 || xhr.status === 403 || (xhr.status === 200 && !sent)) end();
    else if (xhr.status >= 400) say(live.dataset.failed);
  });
  live.addEventListener("htmx:sendError", () => say(live.dataset.failed));
  live.addEventListener("htmx:afterSwap", drawAll);
})();
