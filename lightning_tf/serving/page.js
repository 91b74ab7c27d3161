"use strict";
const answer = document.getElementById("answer");

async function send(path, options) {
  answer.textContent = "...";
  try {
    const response = await fetch(path, { method: "POST", ...options });
    answer.textContent = JSON.stringify(await response.json(), null, 2);
  } catch (error) {
    answer.textContent = String(error);
  }
}

document.getElementById("json").addEventListener("submit", (event) => {
  event.preventDefault();
  const body = document.getElementById("body").value;
  send("predict", { body, headers: { "Content-Type": "application/json" } });
});

document.getElementById("files")?.addEventListener("submit", (event) => {
  event.preventDefault();
  send("predict/files", { body: new FormData(event.target) });
});
