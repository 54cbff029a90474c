// Draws charts without a browser: a JSON list of {width, height, option} on stdin, a JSON list of SVG texts on stdout.
const echarts = require(process.argv[2]);
const charts = JSON.parse(require("fs").readFileSync(0, "utf8"));
const drawn = charts.map(({ width, height, option }) => {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width, height });
  chart.setOption({ animation: false, ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
});
process.stdout.write(JSON.stringify(drawn));
