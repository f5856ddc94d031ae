// The progress of a job, live; the page is loaded anew once it has ended.

const PAUSE = 1000; // milliseconds between two looks
const WAITING = { SUBMITTED: "Waiting for its turn", EXECUTING: "Starting", CANCELLING: "Being cancelled" };

async function look(section) {
  const asked = new URL(section.dataset.job, location); // which may carry a token
  asked.searchParams.set("f", "json");
  asked.searchParams.set("progress", "true");
  const answer = await fetch(asked);
  const job = await answer.json();
  if (job.error) throw new Error(job.error.message);
  if (!(job.status in WAITING)) {
    location.reload();
    return false;
  }
  const { fraction, text } = job.customAttributes.milepostProgress;
  const words = section.querySelector("[role=status]");
  const now = text || WAITING[job.status] || words.textContent;
  if (words.textContent !== now) words.textContent = now; // so that it is read aloud once
  if (typeof fraction === "number") {
    section.querySelector("progress").value = fraction;
    section.querySelector(".share").textContent = `${Math.floor(100 * fraction)} %`;
  }
  return true;
}

async function watch(section) {
  let going = true;
  while (going) {
    await new Promise((done) => setTimeout(done, PAUSE));
    if (document.hidden) continue;
    try {
      going = await look(section);
    } catch (problem) {
      section.querySelector("[role=status]").textContent = `The server does not answer (${problem.message}). Trying again.`;
    }
  }
}

for (const section of document.querySelectorAll(".going")) watch(section);
