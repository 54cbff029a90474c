// Two bar charts over one time axis: revenue above, orders below. Colours come from the style sheet.

const LEFT = 44; // room for the widest axis label (px)

let chart = null;

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

function palette() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  const colours = ["revenue", "orders", "text", "quiet", "edge", "panel"].map((name) => [name, of(name)]);
  return { ...Object.fromEntries(colours), font: getComputedStyle(document.body).fontFamily };
}

function bars(values, colour, axis) {
  const last = values.length - 1;
  return {
    type: "bar",
    xAxisIndex: axis,
    yAxisIndex: axis,
    barCategoryGap: "25%",
    itemStyle: { color: colour, borderRadius: [2, 2, 0, 0] },
    // The running minute is not over: it must not look like a fall.
    data: values.map((value, n) => (n === last ? { value, itemStyle: { opacity: 0.45 } } : value)),
  };
}

function axes(labels, colours, narrow) {
  const time = (axis, shown) => ({
    type: "category",
    gridIndex: axis,
    data: labels,
    axisTick: { show: false },
    axisLine: { lineStyle: { color: colours.edge } },
    axisLabel: {
      show: shown,
      color: colours.quiet,
      interval: (n, label) => Number(label.slice(3)) % (narrow ? 15 : 5) === 0,
    },
    axisPointer: { label: { show: false } },
  });
  const amount = (axis, name) => ({
    type: "value",
    gridIndex: axis,
    name,
    nameLocation: "end",
    nameGap: 14,
    nameTextStyle: { color: colours.text, fontWeight: 600, align: "left", padding: [0, 0, 0, -LEFT] },
    splitNumber: 2,
    minInterval: axis === 1 ? 1 : 0,
    axisLabel: { color: colours.quiet, formatter: (value) => compact.format(value) },
    splitLine: { lineStyle: { color: colours.edge } },
    axisPointer: { show: false },
  });
  return { xAxis: [time(0, false), time(1, true)], yAxis: [amount(0, "Revenue"), amount(1, "Orders")] };
}

function options(minutes, digits, narrow) {
  const colours = palette();
  const side = { left: LEFT, right: 4 };
  const text = (points) => {
    const minute = minutes[points[0].dataIndex];
    return `${minute.label}\nRevenue  ${minute.revenue_text}\nOrders  ${minute.orders.toLocaleString("en")}`;
  };
  return {
    animation: false,
    textStyle: { fontFamily: colours.font },
    grid: [
      { ...side, top: 32, bottom: "48%" },
      { ...side, top: "66%", bottom: 26 },
    ],
    ...axes(minutes.map((minute) => minute.label), colours, narrow),
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    tooltip: {
      trigger: "axis",
      renderMode: "richText", // drawn in the SVG: no HTML from data, no inline style
      axisPointer: { type: "shadow" },
      formatter: text,
      backgroundColor: colours.panel,
      borderColor: colours.edge,
      textStyle: { color: colours.text, fontSize: 13, fontFamily: colours.font },
    },
    series: [
      bars(minutes.map((minute) => minute.revenue / 10 ** digits), colours.revenue, 0),
      bars(minutes.map((minute) => minute.orders), colours.orders, 1),
    ],
  };
}

export function drawMinutes(element, minutes, digits) {
  if (!window.echarts) return; // the table below the chart has the same figures
  if (!chart) {
    chart = window.echarts.init(element, null, { renderer: "svg" });
    new ResizeObserver(() => chart.resize()).observe(element);
  }
  chart.setOption(options(minutes, digits, element.clientWidth < 560));
}
