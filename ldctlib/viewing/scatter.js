/* Connects the points of a scatter with the viewer beneath it: choosing a point shows its segment. */
"use strict";

function connect(name, data) {
  for (const box of document.querySelectorAll(`[data-ct-scatter="${name}"]:not([data-found])`)) {
    box.dataset.found = "";
    const figure = box.querySelector("figure"), ring = box.querySelector(".ring");
    const marks = [...box.querySelectorAll(".marks path")].sort((a, b) => a.dataset.n - b.dataset.n);
    const bar = Object.assign(document.createElement("p"), { className: "chosen" });
    const says = Object.assign(document.createElement("span"), { ariaLive: "polite" });
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: `Reveal ${data.reveal}` });
    button.hidden = !data.reveal;
    button.style.marginRight = "0.8em";
    bar.append(button, says);
    box.querySelector("svg").after(bar);
    let now = 0;

    /** Do it with the viewer, as soon as there is one: it comes to life when it is near the screen. */
    const withViewer = (act) => (figure.viewer ? act(figure.viewer) : setTimeout(() => withViewer(act), 50));
    const cover = (covered) => {
      button.setAttribute("aria-pressed", String(!covered));
      withViewer((viewer) => {
        for (const p of viewer.panes) if (p.name === data.reveal) p.canvas.style.visibility = covered ? "hidden" : "";
      });
    };
    const choose = (n) => {
      now = n;
      marks.forEach((mark, i) => mark.setAttribute("tabindex", i === n ? 0 : -1));
      ring.setAttribute("transform", marks[n].getAttribute("transform"));
      ring.setAttribute("visibility", "visible");
      says.textContent = `${n + 1} of ${marks.length}. ${marks[n].getAttribute("aria-label")}`;
      if (data.reveal) cover(true);
      withViewer((viewer) => {
        viewer.set({ slice: n, level: data.level[n], width: data.width[n] });
        viewer.centreRange();
      });
    };
    button.onclick = () => cover(button.getAttribute("aria-pressed") === "true");
    marks.forEach((mark, n) => {
      mark.onclick = () => choose(n);
      mark.onkeydown = (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        choose((now + step + marks.length) % marks.length);
        marks[now].focus();
      };
    });
    withViewer((viewer) => {
      // The slices of this viewer are the segments: its keys and its reset choose among them, too.
      const set = viewer.set.bind(viewer);
      viewer.ui.slices.hidden = true;
      viewer.set = (changes) => { set(changes); if (viewer.view.slice !== now) choose(viewer.view.slice); };
    });
    choose(0);
  }
}
