// Draws every figure of the page. The number drawn stands on the body, for tests.
(function () {
  "use strict";
  var figures = JSON.parse(document.getElementById("figures").textContent);
  var common = {
    margin: { l: 60, r: 16, t: 12, b: 50 },
    font: { family: "system-ui, sans-serif", size: 12, color: "#1c2430" },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    legend: { orientation: "h", y: -0.22 }, hovermode: "closest"
  };
  var config = { responsive: true, displaylogo: false,
                 toImageButtonOptions: { format: "svg" }, modeBarButtonsToRemove: ["lasso2d", "select2d"] };
  function merge(base, over) {
    var result = Object.assign({}, base);
    Object.keys(over).forEach(function (key) {
      var isTable = over[key] && typeof over[key] === "object" && !Array.isArray(over[key]);
      result[key] = isTable && base[key] ? merge(base[key], over[key]) : over[key];
    });
    return result;
  }
  Promise.all(figures.map(function (figure) {
    return Plotly.newPlot(figure.id, figure.traces, merge(common, figure.layout), config);
  })).then(function (drawn) { document.body.dataset.figures = drawn.length; });
})();
