"use strict";
// Draws what the page brings along; asks nobody.
(() => {
  const { sheets, colours } = JSON.parse(document.getElementById("data").textContent);
  const countries = new Intl.DisplayNames(["en"], { type: "region", fallback: "code" });
  const place = (code) => (/^[A-Z]{2}$/.test(code) ? countries.of(code) : code);
  const ink = "#16202a", faint = "#5b6773", line = "#e3e8ed";
  const text = { color: faint, fontSize: 12 };
  const visuals = new Map(sheets.flatMap((sheet) => sheet.visuals.map((visual) => [visual.id, visual])));
  const charts = new Map();

  const compact = (share) => (value) =>
    share ? `${+(value * 100).toFixed(2)} %` : new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);
  const unique = (values) => [...new Set(values)];
  const valueAxis = (share, right) => ({
    type: "value", position: right ? "right" : "left", axisLabel: { ...text, formatter: compact(share), hideOverlap: true },
    splitLine: right ? { show: false } : { lineStyle: { color: line } }, minInterval: share ? 0 : 1,
  });
  const escape = (value) => String(value).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
  const tip = (items) => (Array.isArray(items) ? items : [items]).filter((item) => item.data && item.data.text !== undefined)
    .map((item, place) => `${place ? "" : `<b>${escape(item.name)}</b><br>`}${item.marker} ${escape(item.seriesName)}: ${escape(item.data.text)}`).join("<br>");

  function points(visual, dimension, measure, categories, colour) {
    const at = visual.wells.findIndex((well) => well.role === "Colors");
    const found = new Map(visual.rows.filter((row) => colour === undefined || row[at].text === colour).map((row) => [row[dimension].text, row[measure]]));
    return categories.map((name) => { const cell = found.get(name); return cell ? { value: cell.value, text: cell.text } : { value: null }; });
  }

  function axes(visual) {
    const wells = visual.wells;
    const dimension = wells.findIndex((well) => !well.measure && well.role !== "Colors");
    const coloured = wells.findIndex((well) => well.role === "Colors");
    const categories = unique(visual.rows.map((row) => row[dimension].text));
    const names = wells[dimension].place ? categories.map(place) : categories;
    const measures = wells.map((well, index) => ({ ...well, index })).filter((well) => well.measure);
    const mixed = unique(measures.map((well) => well.role)).length > 1 && visual.id.includes("combo") && !visual.id.startsWith("today");
    const series = measures.flatMap((well) => {
      const drawnAsLine = visual.kind === "LineChart" || well.role === "LineValues";
      const one = (name, colour) => ({
        name, type: drawnAsLine ? "line" : "bar", data: points(visual, dimension, well.index, categories, colour),
        yAxisIndex: mixed && well.role === "LineValues" ? 1 : 0, stack: visual.stacked && !drawnAsLine ? "all" : undefined,
        symbolSize: 5, showSymbol: categories.length < 40, lineStyle: { width: 2.5 }, barMaxWidth: 34, connectNulls: false,
        label: visual.lying ? { show: true, position: "right", color: ink, fontSize: 12, formatter: (item) => item.data.text } : undefined,
      });
      return coloured < 0 ? [one(well.label)] : unique(visual.rows.map((row) => row[coloured].text)).sort().map((name) => one(name, name));
    });
    const legend = series.length > 1 || coloured >= 0;
    const shareOf = (role) => measures.filter((well) => !role || well.role === role).every((well) => well.share);
    const category = { type: "category", data: names, axisTick: { show: false }, axisLine: { lineStyle: { color: line } },
      axisLabel: { ...text, hideOverlap: true, width: visual.lying ? 130 : undefined, overflow: visual.lying ? "truncate" : undefined } };
    const value = mixed ? [valueAxis(shareOf("BarValues")), valueAxis(shareOf("LineValues"), true)] : valueAxis(shareOf());
    return {
      grid: { left: visual.lying ? 24 : 10, right: visual.lying ? 90 : 18, top: legend ? 36 : 12, bottom: 10, containLabel: true },
      legend: { show: legend, top: 0, left: 0, itemWidth: 14, itemHeight: 10, textStyle: text, type: "scroll" },
      xAxis: visual.lying ? { ...value, axisLabel: { show: false }, splitLine: { show: false } } : category,
      yAxis: visual.lying ? { ...category, inverse: true } : value, series,
      tooltip: { trigger: "axis", formatter: tip, axisPointer: { type: "shadow" } },
    };
  }

  function map(visual) {
    const rows = [...visual.rows].sort((one, other) => other[1].value - one[1].value).slice(0, 15);
    const most = Math.max(1, ...rows.map((row) => row[1].value || 0));
    const option = axes({ ...visual, rows, lying: true, stacked: false });
    return { ...option, visualMap: { show: false, min: 0, max: most, dimension: 0, inRange: { color: ["#9cc7e2", colours.MinMaxGradient[1]] } } };
  }

  function heat(visual) {
    const roles = visual.wells.map((well) => well.role);
    const [row, column, value] = ["Rows", "Columns", "Values"].map((role) => roles.indexOf(role));
    const rows = unique(visual.rows.map((each) => each[row].text)), columns = unique(visual.rows.map((each) => each[column].text)).sort();
    const data = visual.rows.map((each) => ({ value: [columns.indexOf(each[column].text), rows.indexOf(each[row].text), each[value].value], text: each[value].text,
      name: `${each[row].text} ${each[column].text}` }));
    const plain = { type: "category", axisTick: { show: false }, axisLine: { show: false }, axisLabel: { ...text, hideOverlap: true } };
    return {
      grid: { left: 8, right: 12, top: 6, bottom: 34, containLabel: true },
      xAxis: { ...plain, data: columns }, yAxis: { ...plain, data: rows, inverse: true },
      visualMap: { min: 0, max: Math.max(1, ...data.map((each) => each.value[2])), orient: "horizontal", left: "center", bottom: 0, itemHeight: 160, itemWidth: 10, textStyle: text, inRange: { color: colours.MinMaxGradient } },
      series: [{ name: visual.wells[value].label, type: "heatmap", data, itemStyle: { borderColor: "#fff", borderWidth: 2 } }],
      tooltip: { formatter: tip },
    };
  }

  function funnel(visual) {
    const first = visual.rows[0][1].value || 1;
    const data = visual.rows.map((row) => ({ name: row[0].text, value: row[1].value, text: row[1].text }));
    return {
      series: [{ name: visual.wells[1].label, type: "funnel", sort: "none", left: 10, right: 150, top: 8, bottom: 8, minSize: "6%", gap: 3, data,
        label: { show: true, position: "right", color: ink, fontSize: 13, lineHeight: 18, formatter: (item) => `${item.name}\n${item.data.text} · ${Math.round((100 * item.value) / first)} %` },
        labelLine: { lineStyle: { color: line } } }],
      tooltip: { formatter: tip },
    };
  }

  function pivot(table) {
    const visual = visuals.get(table.dataset.pivot);
    const roles = visual.wells.map((well) => well.role);
    const [row, column, value] = ["Rows", "Columns", "Values"].map((role) => roles.indexOf(role));
    const rows = unique(visual.rows.map((each) => each[row].text)), columns = unique(visual.rows.map((each) => each[column].text)).sort();
    const cells = new Map(visual.rows.map((each) => [`${each[row].text}\n${each[column].text}`, each[value].text]));
    const line = (parent, tag, texts) => {
      const tr = parent.appendChild(document.createElement("tr"));
      texts.forEach((content, index) => {
        const cell = tr.appendChild(document.createElement(tag));
        cell.textContent = content;
        if (index) cell.className = "right";
      });
    };
    line(table.createTHead(), "th", [visual.wells[row].label, ...columns]);
    const body = table.createTBody();
    rows.forEach((name) => line(body, "td", [name, ...columns.map((each) => cells.get(`${name}\n${each}`) ?? "-")]));
  }

  const options = { FilledMap: map, HeatMap: heat, FunnelChart: funnel };
  function draw(sheet) {
    document.getElementById(sheet).querySelectorAll("[data-chart]").forEach((box) => {
      if (charts.has(box)) return charts.get(box).resize();
      const visual = visuals.get(box.dataset.chart);
      const chart = echarts.init(box, null, { renderer: "svg" });
      const shared = { color: colours.Colors, animation: false, textStyle: { fontFamily: getComputedStyle(document.body).fontFamily } };
      chart.setOption({ ...shared, ...(options[visual.kind] || axes)(visual) });
      charts.set(box, chart);
    });
  }

  function open(id) {
    const wanted = sheets.some((sheet) => sheet.id === id) ? id : sheets[0].id;
    sheets.forEach((sheet) => {
      document.getElementById(sheet.id).hidden = sheet.id !== wanted;
      document.getElementById(`tab-${sheet.id}`).setAttribute("aria-selected", String(sheet.id === wanted));
    });
    draw(wanted);
  }

  document.querySelectorAll("[data-place]").forEach((cell) => { cell.textContent = place(cell.dataset.place); });
  document.querySelectorAll("[data-pivot]").forEach(pivot);
  document.querySelector("nav").addEventListener("click", (event) => {
    const tab = event.target.closest("button");
    if (tab) location.hash = tab.getAttribute("aria-controls");
  });
  addEventListener("hashchange", () => open(location.hash.slice(1)));
  addEventListener("resize", () => charts.forEach((chart) => chart.resize()));
  open(location.hash.slice(1));
})();
