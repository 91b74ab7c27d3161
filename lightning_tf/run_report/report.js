"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const { charts, box, size, colors } = read("data");

  // Values under the pointer, or at the place that the arrow keys have moved to.
  for (const svg of document.querySelectorAll("svg.chart")) {
    const chart = charts[Number(svg.dataset.chart)];
    const output = svg.parentElement.querySelector("output");
    const pointer = svg.querySelector(".pointer");
    const [low, high] = chart.x;
    const places = [...new Set(chart.curves.flatMap((curve) => curve.x))].sort((a, b) => a - b);
    let at = places.length - 1;

    const nearest = (list, x) => list.reduce((best, value, i) => Math.abs(value - x) < Math.abs(list[best] - x) ? i : best, 0);
    const show = (place) => {
      at = place;
      const x = places[at];
      const px = box.left + (x - low) / (high - low) * (box.right - box.left);
      pointer.setAttribute("x1", px);
      pointer.setAttribute("x2", px);
      pointer.style.visibility = "visible";
      const parts = chart.curves.filter((curve) => curve.x.length && !hidden.has(curve.run)).map((curve) => {
        const i = nearest(curve.x, x);
        const part = document.createElement("span");
        part.className = "c" + curve.run % colors;
        const name = curve.label ? curve.label + " " : "";
        part.textContent = `${name}${curve.y[i]} (update ${curve.step[i]})`;
        return part;
      });
      output.replaceChildren(`${chart.axis} ${Number(x.toPrecision(5))}: `, ...parts);
    };
    svg.addEventListener("pointermove", (event) => {
      const bounds = svg.getBoundingClientRect();
      const px = (event.clientX - bounds.left) / bounds.width * size[0];
      if (places.length) show(nearest(places, low + (px - box.left) / (box.right - box.left) * (high - low)));
    });
    svg.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!move || !places.length) return;
      event.preventDefault();
      show(Math.min(Math.max(at + move, 0), places.length - 1));
    });
  }

  // Runs can be taken out of the charts.
  const hidden = new Set();
  for (const tick of document.querySelectorAll("input[data-run]")) {
    tick.addEventListener("change", () => {
      const run = Number(tick.dataset.run);
      if (tick.checked) hidden.delete(run); else hidden.add(run);
      for (const other of document.querySelectorAll(`input[data-run="${run}"]`)) other.checked = tick.checked;
      for (const line of document.querySelectorAll(`svg.chart [data-run="${run}"]`)) line.classList.toggle("off", !tick.checked);
    });
  }

  // One image at a time, the last one first.
  document.documentElement.classList.add("live");
  for (const steps of document.querySelectorAll(".steps")) {
    const figures = [...steps.children];
    const slider = steps.parentElement.querySelector(".slider");
    const show = (now) => figures.forEach((figure, i) => figure.classList.toggle("now", i === now));
    show(figures.length - 1);
    if (!slider) continue;
    const input = slider.querySelector("input");
    input.addEventListener("input", () => {
      show(Number(input.value));
      slider.querySelector("span").textContent = figures[Number(input.value)].dataset.step;
    });
  }
})();
