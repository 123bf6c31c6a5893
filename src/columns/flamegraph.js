// SPDX-License-Identifier: Apache-2.0
// Zoom, search and labels of a flame graph (flamegraph.c), in the browser.
(function () {
	"use strict";
	const WIDTH = 1180, CHARACTER = 7.3, TINY = 0.0003;
	const at = (id) => document.getElementById(id);
	const number = (e, name) => Number(e.getAttribute(name));

	const frames = Array.from(document.querySelectorAll(".f"), (g) => {
		const rect = g.querySelector("rect"), title = g.querySelector("title").textContent;
		return {
			g, rect, title,
			text: g.querySelector("text"),
			name: title.slice(0, title.lastIndexOf(" (")),
			x: number(rect, "x"), w: number(rect, "width"), y: number(rect, "y"),
		};
	});
	let shown = null; // the frame that has the whole width; null: all

	// As much of the name as there is room for.
	function label(f, width) {
		const room = Math.floor((width - 4) / CHARACTER);
		const all = Array.from(f.name); // characters, not halves of them
		f.text.textContent = room < 3 ? "" :
			all.length <= room ? f.name : all.slice(0, room - 1).join("") + "…";
	}

	function place(f, x, width) {
		f.rect.setAttribute("x", x);
		f.rect.setAttribute("width", width);
		f.text.setAttribute("x", x);
		label(f, width);
	}

	// Callers of the frame that is shown take the whole width and are pale; what stands beside it goes.
	function zoom(to) {
		const from = to ? to.x : 0, width = to ? to.w : WIDTH, scale = WIDTH / width;
		shown = to;
		for (const f of frames) {
			const above = to && f.y < to.y;
			const beside = f.x + f.w <= from + TINY || f.x >= from + width - TINY;
			f.g.classList.toggle("h", Boolean(to) && beside && f !== to);
			f.g.classList.toggle("p", Boolean(above && !beside));
			if (above && !beside)
				place(f, 0, WIDTH);
			else if (!beside || !to || f === to)
				place(f, Math.max(0, (f.x - from) * scale), f.w * scale);
		}
		at("reset").style.display = to ? "inline" : "none";
	}

	// A frame within one that is marked already counts with it.
	function share(marked) {
		let sum = 0, end = -1;
		marked.sort((a, b) => a.x - b.x || b.w - a.w);
		for (const f of marked) {
			if (f.x + f.w <= end + TINY)
				continue;
			sum += f.w;
			end = f.x + f.w;
		}
		return sum / WIDTH;
	}

	function search(expression) {
		let wanted = null;
		try {
			wanted = expression ? new RegExp(expression) : null;
			at("bad").style.display = "none";
		} catch (e) {
			at("bad").style.display = "inline";
		}
		const marked = frames.filter((f) => wanted && wanted.test(f.name));
		for (const f of frames)
			f.g.classList.remove("m");
		for (const f of marked)
			f.g.classList.add("m");
		at("share").textContent = wanted ? "matched: " + (100 * share(marked)).toFixed(2) + "%" : "";
	}

	for (const f of frames) {
		f.g.addEventListener("click", () => zoom(f.w >= WIDTH - TINY ? null : f));
		f.g.addEventListener("mouseover", () => { at("over").textContent = f.title; });
		f.g.addEventListener("mouseout", () => { at("over").textContent = " "; });
	}
	at("reset").addEventListener("click", () => zoom(null));
	at("search").addEventListener("input", (e) => search(e.target.value));
	document.addEventListener("keydown", (e) => {
		if (e.key === "Escape" && shown)
			zoom(null);
	});
	zoom(null);
})();
