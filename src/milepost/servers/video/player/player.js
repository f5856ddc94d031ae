// The player on the page of a layer: hls.js, a bar of controls, and what the camera says.

import Hls from "./hls.min.mjs";
import { Bar } from "./bar.js";
import { Telemetry } from "./telemetry.js";

const NATIVE = "application/vnd.apple.mpegurl";

/** Say in the page what went wrong, and what helps. */
function complain(section, text) {
  const trouble = section.querySelector(".trouble");
  trouble.textContent = text;
  trouble.hidden = false;
}

function withHls(section, video) {
  // fMP4 needs no work in the background, and the policy of the page allows no worker.
  const hls = new Hls({ enableWorker: false, capLevelToPlayerSize: false, renderTextTracksNatively: true });
  hls.subtitleDisplay = false;
  let recovered = false;
  hls.on(Hls.Events.ERROR, (_, problem) => {
    if (!problem.fatal) return;
    if (problem.type === Hls.ErrorTypes.MEDIA_ERROR && !recovered) {
      recovered = true;
      hls.recoverMediaError();
      return;
    }
    const status = problem.response?.code;
    complain(
      section,
      status === 401 || status === 403 || status === 498
        ? "You are no longer signed in, or may not see this video. Sign in and reload the page."
        : `The video cannot be played: ${problem.details}. Reload the page to try again.`,
    );
    hls.destroy();
  });
  hls.on(Hls.Events.MANIFEST_PARSED, () => {
    if (hls.allSubtitleTracks.length) hls.subtitleTrack = 0;
  });
  hls.loadSource(section.dataset.video);
  hls.attachMedia(video);
  return hls;
}

for (const section of document.querySelectorAll(".player")) {
  const video = section.querySelector("video");
  let hls = null;
  if (Hls.isSupported()) {
    video.removeAttribute("src");
    hls = withHls(section, video);
  } else if (!video.canPlayType(NATIVE)) {
    complain(section, "This browser cannot play the video.");
    continue;
  }
  new Bar(section, video, hls, Hls);
  if (section.querySelector(".telemetry")) new Telemetry(section, video);
  section.hls = hls;
}
