// Keys and small comforts. Every page works without this file.
(function () {
  "use strict";
  var typing = function (e) {
    return e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) &&
      !/^(checkbox|radio)$/.test(e.target.type || "");
  };
  var all = function (css) { return Array.prototype.slice.call(document.querySelectorAll(css)); };

  // How many are ticked, and one tick for all.
  var boxes = all("input[data-pick]"), every = document.querySelector("input[data-pick-all]");
  var count = function () {
    var n = boxes.filter(function (b) { return b.checked; }).length;
    all("[data-picked]").forEach(function (e) { e.textContent = n; });
    if (every) { every.checked = n > 0 && n === boxes.length; every.indeterminate = n > 0 && n < boxes.length; }
  };
  boxes.forEach(function (b) { b.addEventListener("change", count); });
  if (every) {
    every.closest("label").hidden = false;
    every.addEventListener("change", function () {
      boxes.forEach(function (b) { b.checked = every.checked; }); count();
    });
  }
  count();

  // What is chosen in a filter counts at once.
  all("form[data-now] select, form[data-now] input[type=date]").forEach(function (s) {
    s.addEventListener("change", function () { s.form.requestSubmit(); });
  });

  // Twice is once.
  all("form[method=post]").forEach(function (f) {
    f.addEventListener("submit", function () {
      var shut = function (yes) { all("button").forEach(function (b) { b.disabled = yes; }); };
      window.setTimeout(function () { shut(true); }, 0);
      // A file comes, and the page stays.
      if (f.hasAttribute("data-file")) { window.setTimeout(function () { shut(false); }, 3000); }
    });
  });
  window.addEventListener("pageshow", function () { all("button").forEach(function (b) { b.disabled = false; }); });

  all("[data-print]").forEach(function (b) {
    b.hidden = false;
    b.addEventListener("click", function () { window.print(); });
  });

  // A page that waits for something looks again.
  var again = document.querySelector("[data-again]");
  if (again) { window.setTimeout(function () { window.location.reload(); }, 1000 * Number(again.dataset.again)); }

  var off = false;
  try { off = window.localStorage.getItem("keys") === "off"; } catch (e) { off = false; }
  var toggle = document.querySelector("[data-keys]");
  if (toggle) {
    toggle.hidden = false;
    toggle.querySelector("input").checked = !off;
    toggle.querySelector("input").addEventListener("change", function (e) {
      off = !e.target.checked;
      try { window.localStorage.setItem("keys", off ? "off" : "on"); } catch (x) { return; }
    });
  }
  var rows = all("[data-row]"), at = -1, before = "";
  var go = function (step) {
    if (!rows.length) { return; }
    at = Math.max(0, Math.min(rows.length - 1, at + step));
    var link = rows[at].querySelector("a");
    if (link) { link.focus(); link.scrollIntoView({ block: "nearest" }); }
  };
  document.addEventListener("keydown", function (e) {
    if (off || typing(e)) { return; }
    var key = e.key, find = document.querySelector("input[type=search]");
    var place = before === "g" && document.querySelector("a[data-go='" + key + "']");
    before = key;
    if (place) { before = ""; e.preventDefault(); place.click(); return; }
    if (key === "/" && find) { e.preventDefault(); find.focus(); }
    if (key === "?") { var help = document.querySelector("a[data-help]"); if (help) { help.click(); } }
    if (key === "j") { go(1); }
    if (key === "k") { go(-1); }
    if (key === "x" && rows[at]) {
      var box = rows[at].querySelector("input[data-pick]");
      if (box) { box.checked = !box.checked; count(); }
    }
    var n = Number(key), choices = all("input[data-choice]");
    if (n >= 1 && n <= choices.length) { choices[n - 1].checked = true; choices[n - 1].focus(); }
  });
}());
