// <time-chart>: series over time on a canvas, from a JSON block inside it. Colours are read from the tokens, again when
// the theme changes. The element carries the words (role=img, aria-label); this only draws.
(() => {
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const FONT = "Geist, sans-serif";
  const HOUR = 3600;

  // Where values stand alone: no line reaches them, so on a first day there would be nothing to see.
  const alone = (values) =>
    [...values.keys()].filter((i) => values[i] != null && values[i - 1] == null && values[i + 1] == null);

  // How many digits tell numbers apart that lie a step from each other.
  const digits = (step) => (step >= 1 && step % 1 === 0 ? 0 : Math.max(2, Math.ceil(-Math.log10(step))));

  // Written for a value, the digits its series asks for, and the step between ticks when it is one of an axis.
  // A unit without a writer of its own is the sign of a currency.
  const money =
    (sign) =>
    (value, _places, step = Math.abs(value) < 10 ? 0.01 : 1) =>
      `${value < 0 ? "\u2212" : ""}${sign}${Math.abs(value).toLocaleString("en", { minimumFractionDigits: digits(step), maximumFractionDigits: digits(step) })}`;
  const writers = {
    ms: (value, _places, step = value >= 10000 ? 1000 : 100) =>
      value >= 1000 ? `${(value / 1000).toFixed(step % 1000 === 0 ? 0 : step % 100 === 0 ? 1 : 2)} s` : `${Math.round(value)} ms`,
    "%": (value, places) => `${value.toFixed(places ?? 0)} %`,
    "": (value) =>
      value.toLocaleString("en", { notation: value >= 1e6 ? "compact" : "standard", maximumFractionDigits: 1 }),
  };

  class TimeChart extends HTMLElement {
    connectedCallback() {
      if (!window.uPlot) return;
      this.data = JSON.parse(this.querySelector('script[type="application/json"]').textContent);
      this.redraw = () => this.isConnected && this.draw();
      this.draw();
      // A canvas takes the font that is there, and keeps it: on a first visit Geist is still on its way.
      const font = `11px ${FONT}`;
      if (!document.fonts.check(font)) document.fonts.load(font).then(this.redraw);
      this.observer = new ResizeObserver(() => {
        if (this.plot && this.clientWidth && this.clientWidth !== this.plot.width) {
          this.plot.setSize({ width: this.clientWidth, height: this.plot.height });
        }
      });
      this.observer.observe(this);
      document.addEventListener("theme-change", this.redraw);
    }

    disconnectedCallback() {
      this.observer?.disconnect();
      document.removeEventListener("theme-change", this.redraw);
      this.plot?.destroy();
    }

    write(value, step) {
      if (value == null) return "";
      const unit = this.data.unit ?? "";
      return (writers[unit] ?? money(unit))(value, this.data.dp, step);
    }

    // Days as "9 Nov"; spans below three days show the hour. UTC, as everything in the console.
    get isShort() {
      const times = this.data.data[0];
      return times.length > 1 && times[times.length - 1] - times[0] < 72 * HOUR;
    }

    moment(seconds) {
      const date = new Date(seconds * 1000);
      const clock = { hour: "2-digit", minute: "2-digit", timeZone: "UTC" };
      return this.isShort
        ? date.toLocaleTimeString("en-GB", clock)
        : date.toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
    }

    // The last value is of a period that goes on: the stretch to it is dashed, so that no fall is read from it.
    split() {
      const [times, ...all] = this.data.data;
      const last = times.length - 1;
      const part = (shown) => all.map((values) => values.map((value, i) => (shown(i) ? value : null)));
      const rest = this.data.series.map((one) => ({ ...one, dash: [3, 3], fill: false }));
      return {
        data: [times, ...part((i) => i < last), ...part((i) => i >= last - 1)],
        series: [...this.data.series, ...rest],
      };
    }

    draw() {
      this.plot?.destroy();
      const { range, incrs } = this.data;
      const { data, series } = this.data.unfinished ? this.split() : this.data;
      const axis = {
        stroke: token("--ink-3"),
        font: `11px ${FONT}`,
        grid: { stroke: token("--line"), width: 1 },
        ticks: { show: false },
      };
      this.plot = new uPlot(
        {
          width: this.clientWidth,
          height: Number(this.getAttribute("height")) || 220,
          padding: [10, 20, 0, 0],
          legend: { show: false },
          cursor: { y: false, points: { size: 7 } },
          scales: {
            x: { time: true },
            y: { range: range ? () => range : (_plot, _low, high) => [0, this.highest(high || 1) * 1.12] },
          },
          tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
          axes: [
            {
              ...axis,
              grid: { show: false },
              values: (_plot, ticks) => ticks.map((tick) => this.moment(tick)),
              space: 80,
              gap: 6,
              size: 28,
              ...(!this.isShort && { incrs: [1, 2, 7, 14, 28, 91, 364].map((days) => days * 24 * HOUR) }),
            },
            {
              ...axis,
              values: (_plot, ticks, _axis, _space, step) => ticks.map((tick) => this.write(tick, step)),
              size: (_plot, labels) => Math.max(56, ...(labels ?? []).map((label) => 8 + 6.5 * label.length)),
              gap: 8,
              space: 36,
              ...(incrs && { incrs }),
            },
          ],
          series: [
            {},
            ...series.map((one) => ({
              label: one.name,
              stroke: token(one.color),
              width: one.dash ? 1.5 : 2,
              dash: one.dash,
              points: { show: false, size: 6, filter: (plot, index) => alone(plot.data[index]) },
              fill: one.fill ? `${token(one.color)}1c` : undefined,
              spanGaps: false,
            })),
          ],
          hooks: {
            setCursor: [(plot) => this.showTip(plot)],
            draw: [(plot) => this.drawMarks(plot), (plot) => this.drawLimits(plot)],
          },
        },
        data,
        this,
      );
      this.tip = document.createElement("div");
      this.tip.className = "chart-tip";
      this.tip.hidden = true;
      this.plot.over.append(this.tip);
    }

    // A limit near the values belongs into the picture; one far above would press them flat.
    highest(value) {
      const near = (this.data.limits ?? []).map((limit) => limit.v).filter((limit) => limit <= value * 3);
      return Math.max(value, ...near);
    }

    showTip(plot) {
      const { idx, left } = plot.cursor;
      if (!this.tip) return;
      this.tip.hidden = idx == null || left < 0;
      if (this.tip.hidden) return;
      const head = document.createElement("b");
      const isUnfinished = this.data.unfinished && idx === plot.data[0].length - 1;
      head.textContent = this.moment(plot.data[0][idx]) + (isUnfinished ? ", so far" : "");
      const lines = this.data.series.flatMap((one, index) => {
        const value = this.data.data[index + 1][idx];
        if (value == null) return [];
        const line = document.createElement("div");
        const name = document.createElement("span");
        const said = document.createElement("span");
        name.textContent = one.name;
        said.textContent = this.write(value);
        line.append(name, said);
        return [line];
      });
      this.tip.replaceChildren(head, ...lines);
      const isRight = left > plot.over.clientWidth / 2;
      this.tip.style.left = `${isRight ? left - this.tip.offsetWidth - 10 : left + 12}px`;
      this.tip.style.top = "8px";
    }

    // Events: a dashed vertical with a word.
    drawMarks(plot) {
      for (const mark of this.data.marks ?? []) {
        const x = Math.round(plot.valToPos(mark.t, "x", true));
        this.line(
          plot,
          token(mark.color ?? "--control"),
          [3, 3],
          1,
          [x, plot.bbox.top],
          [x, plot.bbox.top + plot.bbox.height],
        );
        const width = plot.ctx.measureText(mark.label).width;
        const isLeft = x + width > plot.bbox.left + plot.bbox.width;
        this.word(
          plot,
          mark.label,
          token("--ink-3"),
          x + (isLeft ? -5 : 5) * devicePixelRatio,
          plot.bbox.top + 10 * devicePixelRatio,
          isLeft,
        );
      }
    }

    // Limits: dashed, labelled, in the colour of what happens there.
    drawLimits(plot) {
      for (const limit of this.data.limits ?? []) {
        if (limit.v < plot.scales.y.min || limit.v > plot.scales.y.max) continue;
        const y = Math.round(plot.valToPos(limit.v, "y", true));
        const colour = token(limit.color ?? "--bad");
        this.line(plot, colour, [5, 4], 1.25, [plot.bbox.left, y], [plot.bbox.left + plot.bbox.width, y]);
        plot.ctx.font = this.font();
        const width = plot.ctx.measureText(limit.label).width;
        const sample = 20 * devicePixelRatio;
        const [left, middle] = this.placeOf(plot, width, width + sample, y, limit.below);
        const isAway = Math.abs(middle - y) > 16 * devicePixelRatio;
        this.plate(plot, isAway ? width + sample : width, left, middle);
        // Words that stand away from their line show a piece of it.
        if (isAway) this.line(plot, colour, [5, 4], 1.25, [left, middle], [left + 14 * devicePixelRatio, middle]);
        this.word(plot, limit.label, colour, isAway ? left + sample : left, middle, false);
      }
    }

    line(plot, colour, dash, width, from, to) {
      const { ctx } = plot;
      ctx.save();
      ctx.strokeStyle = colour;
      ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
      ctx.lineWidth = width * devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(...from);
      ctx.lineTo(...to);
      ctx.stroke();
      ctx.restore();
    }

    // Where words about a limit stand: on its own side where no series passes, else on the other, at either end or
    // between; else at the chart's edges, where a steep line leaves room that there is none of beside the limit.
    placeOf(plot, beside, away, y, isBelow) {
      const gap = 6 * devicePixelRatio;
      const { left: start, top, width: whole, height } = plot.bbox;
      const sides = [y + 12 * devicePixelRatio, y - 10 * devicePixelRatio];
      const edges = [top + height - 10 * devicePixelRatio, top + 10 * devicePixelRatio];
      const inOrder = (two) => (isBelow ? two : [...two].reverse());
      const placesAt = (middles, width) => {
        const [first, last] = [start + gap, start + whole - width - gap];
        const lefts = [first, last];
        for (let left = first + gap; left < last; left += gap) lefts.push(left);
        return middles
          .filter((middle) => middle - gap >= top && middle + gap <= top + height)
          .flatMap((middle) => lefts.map((left) => [left, middle, width]));
      };
      const places = [...placesAt(inOrder(sides), beside), ...placesAt(inOrder(edges), away)];
      return places.find(([left, middle, width]) => this.isFree(plot, left, middle, width)) ?? [start + gap, inOrder(sides)[0]];
    }

    // Whether no series passes through where words would stand.
    isFree(plot, left, middle, width) {
      const half = 8 * devicePixelRatio;
      const [times, ...series] = plot.data;
      return series.every((values) =>
        values.every((value, i) => {
          const before = values[i - 1];
          if (value == null || before == null) return true;
          const [x0, x1] = [times[i - 1], times[i]].map((time) => plot.valToPos(time, "x", true));
          const [y0, y1] = [before, value].map((one) => plot.valToPos(one, "y", true));
          const [from, to] = [Math.max(x0, left), Math.min(x1, left + width)];
          if (from > to) return true;
          const heights = [from, to].map((x) => y0 + ((y1 - y0) * (x - x0)) / (x1 - x0 || 1));
          return Math.max(...heights) < middle - half || Math.min(...heights) > middle + half;
        }),
      );
    }

    // What keeps a line of the chart from running through words: on a phone they are as wide as it is.
    plate(plot, width, x, y) {
      const { ctx } = plot;
      ctx.save();
      ctx.globalAlpha = 0.75;
      ctx.fillStyle = token("--surface");
      const [edge, height] = [3 * devicePixelRatio, 16 * devicePixelRatio];
      ctx.fillRect(x - edge, y - height / 2, width + 2 * edge, height);
      ctx.restore();
    }

    font() {
      return `500 ${11 * devicePixelRatio}px ${FONT}`;
    }

    word(plot, text, colour, x, y, isRight) {
      const { ctx } = plot;
      ctx.save();
      ctx.fillStyle = colour;
      ctx.font = this.font();
      ctx.textBaseline = "middle";
      ctx.textAlign = isRight ? "right" : "left";
      ctx.fillText(text, x, y);
      ctx.restore();
    }
  }

  customElements.define("time-chart", TimeChart);
})();
