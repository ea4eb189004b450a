// Draws every figure of the page. How many were drawn stands on the body, for tests; what could not
// be drawn is said in its place and on the console.
(function () {
  "use strict";
  var figures = JSON.parse(document.getElementById("figures").textContent);
  var common = {
    margin: { l: 60, r: 16, t: 12, b: 48 },
    font: { family: "system-ui, sans-serif", size: 12, color: "#1c2430" },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    xaxis: { gridcolor: "#e6e9ee", zerolinecolor: "#aab2bd", linecolor: "#aab2bd", ticks: "outside",
             tickcolor: "#aab2bd", ticklen: 4 },
    yaxis: { gridcolor: "#e6e9ee", zerolinecolor: "#aab2bd", linecolor: "#aab2bd", ticks: "outside",
             tickcolor: "#aab2bd", ticklen: 4 },
    legend: { orientation: "h", x: 0, xanchor: "left", y: 1, yref: "container", yanchor: "top" },
    hovermode: "closest", hoverlabel: { namelength: -1 },
    modebar: { bgcolor: "rgba(255,255,255,0)", color: "#c3c9d1", activecolor: "#5b6675" }
  };
  var config = { responsive: true, displaylogo: false, displayModeBar: "hover",
                 toImageButtonOptions: { format: "svg" },
                 modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"] };

  function merge(base, over) {
    var result = Object.assign({}, base);
    Object.keys(over).forEach(function (key) {
      var inner = over[key] && typeof over[key] === "object" && !Array.isArray(over[key]);
      result[key] = inner && base[key] ? merge(base[key], over[key]) : over[key];
    });
    return result;
  }

  // About how many rows the legend takes, at 12 px a line.
  function legendRows(figure, width) {
    var used = 0, rows = 0;
    figure.traces.forEach(function (trace) {
      if (trace.showlegend === false || !trace.name) { return; }
      var item = 46 + 6.6 * trace.name.replace(/&\w+;/g, "x").length;
      if (rows === 0 || used + item > width - 40) { rows += 1; used = 0; }
      used += item;
    });
    var shown = figure.traces.filter(function (t) { return t.showlegend !== false && t.name; });
    return shown.length > 1 || figure.layout.showlegend ? rows : 0;
  }

  // Panels side by side, as many as fit; all share the first one's y axis.
  function layoutFor(figure, width) {
    var layout = merge(common, figure.layout);
    var count = Math.max(1, figure.panels.length);
    // Titles of neighbours must not run into each other; about 7 px a character.
    var least = figure.panels.reduce(function (most, title) {
      return Math.max(most, 20 + 7 * title.replace(/&\w+;/g, "x").length);
    }, figure.panel_width || 250);
    var columns = Math.max(1, Math.min(count, Math.floor((width - 60) / least)));
    // Equal rows look better than a last one that is nearly empty.
    columns = Math.ceil(count / Math.ceil(count / columns));
    var rows = Math.ceil(count / columns);
    var each = figure.height || (count > 1 ? 250 : 320);
    var top = 28 + 20 * legendRows(figure, width) + (count > 1 || figure.panels.length ? 22 : 0);
    var gap = 78;
    var inner = rows * each + (rows - 1) * gap;
    layout.margin = merge(layout.margin, { t: top });
    layout.height = inner + top + layout.margin.b;
    // Beside a legend there is no room for the buttons in a narrow figure.
    if (width < 600 && legendRows(figure, width)) {
      layout.modebar = merge(layout.modebar, { orientation: "v" });
    }
    if (!figure.panels.length) { return layout; }
    layout.annotations = (layout.annotations || []).slice();
    var x = layout.xaxis, y = layout.yaxis;
    var between = figure.own_y ? 70 : 26;
    var plot = Math.max(100, width - layout.margin.l - layout.margin.r);
    for (var i = 0; i < count; i += 1) {
      var column = i % columns, row = Math.floor(i / columns), n = i ? String(i + 1) : "";
      var wide = (plot - between * (columns - 1)) / columns;
      var left = column * (wide + between) / plot;
      var right = Math.min(1, left + wide / plot);
      var high = 1 - row * (each + gap) / inner, low = Math.max(0, high - each / inner);
      layout["xaxis" + n] = merge(merge(x, figure.layout["xaxis" + (i + 1)] || {}),
                                  { domain: [left, right], anchor: "y" + n });
      layout["yaxis" + n] = merge(merge(y, figure.layout["yaxis" + (i + 1)] || {}),
                                  { domain: [low, high], anchor: "x" + n });
      if (i && !figure.own_y) { layout["yaxis" + n].matches = "y"; }
      if (column && !figure.own_y) {
        layout["yaxis" + n].title = { text: "" };
        layout["yaxis" + n].showticklabels = false;
      }
      layout.annotations.push({ text: "<b>" + figure.panels[i] + "</b>", showarrow: false,
                                xref: "paper", yref: "paper", x: left, xanchor: "left",
                                y: high, yanchor: "bottom", yshift: 2 });
    }
    return layout;
  }

  function fail(div, error) {
    div.textContent = "This figure could not be drawn: " + error;
    console.error("figure " + div.id + ": " + error);
    return 0;
  }

  function draw(figure) {
    var div = document.getElementById(figure.id);
    try {
      figure.width = div.clientWidth;
      return Plotly.newPlot(div, figure.traces, layoutFor(figure, div.clientWidth), config)
        .then(function () { return 1; }, function (error) { return fail(div, error); });
    } catch (error) {
      return Promise.resolve(fail(div, error));
    }
  }

  function redraw() {
    figures.forEach(function (figure) {
      var div = document.getElementById(figure.id);
      if (div.clientWidth === 0 || div.clientWidth === figure.width || !div.data) { return; }
      figure.width = div.clientWidth;
      Plotly.relayout(div, layoutFor(figure, div.clientWidth));
    });
  }

  Promise.all(figures.map(draw)).then(function (drawn) {
    document.body.dataset.figures = drawn.reduce(function (sum, one) { return sum + one; }, 0);
    var timer = 0;
    window.addEventListener("resize", function () {
      clearTimeout(timer);
      timer = setTimeout(redraw, 150);
    });
    window.addEventListener("beforeprint", redraw);
  });
})();
