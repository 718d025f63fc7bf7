// Lets ipywidgets and anywidget start without any other host. Needs require.js, loaded before it.
(() => {
  const here = document.currentScript.src.replace(/[^/]*$/, "");
  require.config({ paths: { anywidget: here + "anywidget" } });

  // html-manager typesets labels by MathJax 2's queue; the book has MathJax 3.
  addEventListener("DOMContentLoaded", () => {
    const mathjax = window.MathJax;
    if (!mathjax || mathjax.Hub) return;
    const typeset = ([, , node]) => node && mathjax.typesetPromise?.([node]).catch(() => {});
    mathjax.Hub = { Queue: typeset, Config() {}, Configured() {} };
  });

  const manager = document.createElement("script");
  manager.src = here + "@jupyter-widgets/html-manager/dist/embed-amd.js";
  manager.async = false;
  manager.dataset.jupyterWidgetsCdn = here;
  document.head.append(manager);
})();
