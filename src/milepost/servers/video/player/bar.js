// The bar below the picture: play, seek with previews, sound, quality, full screen.

/** Seconds as people write them: 1:05 or 1:02:05. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

export class Bar {
  constructor(section, video, hls, Hls) {
    this.section = section;
    this.video = video;
    this.bar = section.querySelector(".bar");
    this.seek = this.bar.querySelector(".seek");
    this.bar.hidden = false;
    video.controls = false;
    this.#play();
    this.#seeking();
    this.#sound();
    this.#fullScreen();
    this.#keys();
    if (hls) this.#quality(hls, Hls);
    else this.bar.querySelector(".quality").hidden = true;
    if (section.dataset.previews) this.#previews(section.dataset.previews);
  }

  get length() {
    return Number.isFinite(this.video.duration) ? this.video.duration : Number(this.seek.max);
  }

  toggle() {
    if (this.video.paused) this.video.play().catch(() => {});
    else this.video.pause();
  }

  #play() {
    const button = this.bar.querySelector(".play");
    const show = () => {
      button.textContent = this.video.paused ? "▶" : "❚❚";
      button.setAttribute("aria-label", this.video.paused ? "Play" : "Pause");
    };
    button.addEventListener("click", () => this.toggle());
    this.video.addEventListener("click", () => this.toggle());
    for (const name of ["play", "pause", "ended"]) this.video.addEventListener(name, show);
  }

  #seeking() {
    const now = this.bar.querySelector(".now");
    const show = () => {
      now.textContent = clock(this.video.currentTime);
      this.seek.value = this.video.currentTime;
      this.seek.setAttribute("aria-valuetext", `${clock(this.video.currentTime)} of ${clock(this.length)}`);
    };
    this.video.addEventListener("timeupdate", show);
    this.video.addEventListener("durationchange", () => {
      this.seek.max = this.length;
      // As the page says it: the last picture of a video of 8 seconds begins a little before them.
      this.bar.querySelector(".length").textContent = clock(Math.round(this.length));
    });
    this.seek.addEventListener("input", () => {
      this.video.currentTime = Number(this.seek.value);
    });
  }

  #sound() {
    const button = this.bar.querySelector(".mute");
    button.addEventListener("click", () => {
      this.video.muted = !this.video.muted;
    });
    this.video.addEventListener("volumechange", () => {
      button.setAttribute("aria-pressed", String(this.video.muted));
    });
  }

  #fullScreen() {
    const button = this.bar.querySelector(".full");
    const screen = this.section.querySelector(".screen");
    button.hidden = !document.fullscreenEnabled;
    button.addEventListener("click", () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else screen.requestFullscreen();
    });
  }

  #keys() {
    const steps = { ArrowLeft: -5, ArrowRight: 5, j: -10, l: 10 };
    this.section.querySelector(".screen").addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("select")) return;
      const onButton = event.target.closest("button");
      if (event.key === "k" || (event.key === " " && !onButton)) this.toggle();
      else if (event.key === "m") this.video.muted = !this.video.muted;
      else if (event.key in steps) {
        const there = this.video.currentTime + steps[event.key];
        this.video.currentTime = Math.min(this.length, Math.max(0, there));
      } else return;
      event.preventDefault();
    });
  }

  #quality(hls, Hls) {
    const choice = this.bar.querySelector(".quality select");
    const automatic = choice.options[0];
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      hls.levels.forEach((level, number) => {
        const rate = (level.bitrate / 1e6).toFixed(1);
        choice.add(new Option(`${level.height}p, ${rate} Mbit/s`, String(number)));
      });
    });
    hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => {
      automatic.textContent = hls.autoLevelEnabled ? `automatic (${hls.levels[level].height}p)` : "automatic";
    });
    choice.addEventListener("change", () => {
      const number = Number(choice.value);
      // Who chooses a quality wants to see it now, not after what is loaded already.
      if (number >= 0) hls.currentLevel = number;
      else hls.nextLevel = number;
    });
  }

  async #previews(url) {
    const answer = await fetch(url);
    if (!answer.ok) return;
    const sheet = await answer.json();
    if (!sheet.preview) return;
    const bubble = this.bar.querySelector(".preview");
    const picture = bubble.querySelector(".picture");
    picture.style.width = `${sheet.width}px`;
    picture.style.height = `${sheet.height}px`;
    const about = new URL(url, location);
    const source = new URL(sheet.preview, about);
    source.search = about.search; // the token, if that is how it came
    picture.style.backgroundImage = `url("${source}")`;
    const show = (seconds) => {
      const offsets = sheet.frames.map((frame) => frame.offset);
      const number = Math.max(0, offsets.findLastIndex((offset) => offset <= seconds * 1000));
      const column = number % sheet.nCol;
      const row = Math.floor(number / sheet.nCol);
      picture.style.backgroundPosition = `${-column * sheet.width}px ${-row * sheet.height}px`;
      bubble.querySelector(".at").textContent = clock(seconds);
      bubble.style.left = `${(100 * seconds) / this.length}%`;
      bubble.hidden = false;
    };
    this.seek.addEventListener("pointermove", (event) => {
      const box = this.seek.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      show(share * this.length);
    });
    this.seek.addEventListener("input", () => show(Number(this.seek.value)));
    for (const name of ["pointerleave", "blur"]) {
      this.seek.addEventListener(name, () => {
        bubble.hidden = true;
      });
    }
    this.section.dataset.previewsReady = "yes";
  }
}
